/** What is used of a model of any class. */
import type { Embeddings } from '../models/embeddings.js'
import type { TextClass } from '../models/model-type.js'
import type { MaxSimName } from '../models/multi-vector/folder.js'
import { MultiVectorEncoder } from '../models/multi-vector-encoder.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import type { SparseEmbeddings } from '../models/sparse-embeddings.js'
import { SparseEncoder } from '../models/sparse-encoder.js'
import { withPromptOf } from '../models/text-inputs.js'
import type { TokenEmbeddings } from '../models/token-embeddings.js'
import type { Metric } from '../native/types.js'
import type { RowKind } from '../search/embedding-index/format.js'

/** A model that turns texts into rows. */
export type TextEncoder = SentenceTransformer | SparseEncoder | MultiVectorEncoder

type Rows = Embeddings | SparseEmbeddings | TokenEmbeddings
type Encode = (texts: readonly string[], options?: object) => Promise<Rows>

/** Its overloads for one text, and its options by class, are no functions of these types. */
export interface AnyEncoder {
  encode: Encode
  encodeQuery: Encode
  encodeDocument: Encode
  contentHash(): Promise<string>
  readonly prompts: Readonly<Record<string, string>>
  readonly defaultPromptName: string | null
  readonly similarityFnName: Metric | MaxSimName
  readonly embeddingDimension: number
}

export type Side = 'query' | 'document'

export function isTextEncoder(model: unknown): model is TextEncoder {
  return model instanceof SentenceTransformer || model instanceof SparseEncoder || model instanceof MultiVectorEncoder
}

export function classOf(model: TextEncoder): TextClass {
  if (model instanceof SparseEncoder) return 'SparseEncoder'
  return model instanceof MultiVectorEncoder ? 'MultiVectorEncoder' : 'SentenceTransformer'
}

export const KIND_OF_CLASS: Readonly<Record<TextClass, RowKind>> = {
  SentenceTransformer: 'dense',
  SparseEncoder: 'sparse',
  MultiVectorEncoder: 'tokens',
}

/** `encode`, or what the class has for queries or documents. */
export function encodeOf(model: TextEncoder, side: Side | undefined): Encode {
  const any = model as unknown as AnyEncoder
  if (side === 'query') return any.encodeQuery.bind(any)
  return side === 'document' ? any.encodeDocument.bind(any) : any.encode.bind(any)
}

/** The text in front of every text, which a call with these options uses; it refuses names that there are not. */
export function promptOf(
  model: TextEncoder,
  side: Side | undefined,
  options: { prompt?: string; promptName?: string },
): string {
  const { prompts, defaultPromptName } = model
  const { prompt, promptName = defaultPromptName } = side ? withPromptOf(prompts, options, side) : options
  return prompt ?? (promptName === null ? '' : (prompts[promptName] ?? ''))
}
