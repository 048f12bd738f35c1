import { invalidArgument, SentenceTorchError } from '../errors.js'
import type { CrossEncoder, RankedDocument } from '../models/cross-encoder.js'
import type { PredictOptions } from '../models/cross-encoder-options.js'
import type { Embeddings } from '../models/embeddings.js'
import type { SentenceTransformer } from '../models/sentence-transformer.js'
import type { EncodeOptions } from '../models/types.js'
import { checkInteger, checkOptions } from '../options.js'

/** Of `encode`, what an adapter passes on with every call. Prompts are those of the model, by name. */
export type EmbedOptions = Pick<EncodeOptions, 'batchSize' | 'normalizeEmbeddings' | 'truncateDim'>
export const EMBED_OPTIONS = ['batchSize', 'normalizeEmbeddings', 'truncateDim']

/** How an adapter reranks. */
export interface RerankOptions extends Pick<PredictOptions, 'batchSize' | 'activationFn'> {
  /** How many of the best documents to keep. Default: all. */
  topN?: number
}
export const RERANK_OPTIONS = ['batchSize', 'activationFn', 'topN']

/** Rows as arrays of numbers: what frameworks take, whose vectors become JSON. */
export function arraysOf(rows: Embeddings): number[][] {
  return Array.from({ length: rows.shape[0] }, (_, i) => Array.from(rows.row(i)))
}

/** @throws ERR_INVALID_ARGUMENT for what does not embed, such as a promise of a model */
export function checkEmbedder(model: SentenceTransformer): void {
  if (typeof (model as Partial<SentenceTransformer> | undefined)?.encodeQuery === 'function') return
  throw invalidArgument('model', 'a SentenceTransformer, after await', model)
}

/** @throws ERR_INVALID_ARGUMENT for what does not rank one score a pair; ERR_UNKNOWN_OPTION */
export function checkReranker(where: string, model: CrossEncoder, options: RerankOptions): void {
  if (typeof (model as Partial<CrossEncoder> | undefined)?.rank !== 'function') {
    throw invalidArgument('model', 'a CrossEncoder, after await', model)
  }
  if (model.numLabels !== 1) {
    const message = `${where} needs a CrossEncoder with one score a pair, but this one has ${model.numLabels} labels`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  checkOptions(where, options, RERANK_OPTIONS)
  checkInteger('topN', options.topN, 1)
}

/** The best documents, best first. No document gives none. */
export async function rerank(
  model: CrossEncoder,
  query: string,
  documents: readonly string[],
  { topN, ...predict }: RerankOptions & Pick<PredictOptions, 'signal'>,
): Promise<RankedDocument[]> {
  if (documents.length === 0) return []
  return model.rank(query, documents, { ...predict, ...(topN !== undefined && { topK: topN }) })
}
