// What first modules that are made by the caller have in common.
import { invalidArgument } from '../../errors.js'
import type { Embeddings } from '../embeddings.js'
import { resolveModel } from '../hub.js'
import type { SourceOptions } from '../types.js'

/** Where the weights of a first module come from. */
export type Weights =
  | { kind: 'folder'; path: string; id: string | undefined }
  | { kind: 'new'; seed: number }
  | { kind: 'table'; table: Embeddings }

/** The folder of the tokenizer for a new module. */
export async function newTokenizerFolder(tokenizer: string, options: SourceOptions): Promise<string> {
  if (typeof tokenizer !== 'string' || tokenizer === '') {
    throw invalidArgument('tokenizer', 'a folder or a hub id with a tokenizer', tokenizer)
  }
  return (await resolveModel(tokenizer, options)).path
}
