import { createHash } from 'node:crypto'
import type { Tokenizer } from '../data/tokenizer.js'
import type { ConfigObject, NativeEncoder } from '../native/types.js'
import { dumpTensor } from './dump.js'

/** What decides the embedding of a text. */
export interface HashedParts {
  encoder: Pick<NativeEncoder, 'tensors' | 'dump'>
  tokenizers: readonly Pick<Tokenizer, 'fingerprint' | 'maxSeqLength'>[]
  /** Everything else, as JSON. */
  settings: unknown
}

/** Members of a config.json that say where a model comes from, and not what it computes. */
const ORIGIN = ['_name_or_path', 'transformers_version', 'torch_dtype', 'dtype', 'architectures']

/** A config.json without what differs between a model and its copy, by rising names. */
export function sameConfig(config: ConfigObject): ConfigObject {
  const own = Object.entries(config).filter(([name]) => !ORIGIN.includes(name))
  return Object.fromEntries(own.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/**
 * SHA-256 (hex) of weights, tokenizers and settings: the same for a model and the folder it was saved in, on any machine. Reads all
 * weights, in float32 and with what an adapter adds to them: about a second for 1 GB.
 */
export async function hashModel({ encoder, tokenizers, settings }: HashedParts): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(settings))
  for (const tokenizer of tokenizers) {
    hash.update(`\n${await tokenizer.fingerprint()} ${tokenizer.maxSeqLength}`)
  }
  const tensors = encoder.tensors().sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const { name, shape } of tensors) {
    hash.update(`\n${JSON.stringify([name, shape])}\n`)
    const elements = shape.reduce((product, n) => product * n, 1)
    for await (const piece of dumpTensor(encoder, name, elements)) hash.update(piece)
  }
  return hash.digest('hex')
}
