import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { MAX_SIM_NAMES, type MaxSimName } from '../../models/multi-vector/folder.js'
import { TokenEmbeddings } from '../../models/token-embeddings.js'
import { isPlainObject } from '../../options.js'
import type { EvaluatorKind } from '../common.js'
import type { EvaluatedModel } from '../evaluator.js'

/** Options of the `encode` of a multi-vector model that evaluators pass on. */
export interface MultiVectorEvaluationEncodeOptions {
  batchSize?: number
  showProgressBar?: boolean
  prompt?: string
  promptName?: string
  signal?: AbortSignal
}

type Encode = (texts: readonly string[], options?: MultiVectorEvaluationEncodeOptions) => Promise<TokenEmbeddings>

/** The part of a model that evaluators of multi-vector models use; a `MultiVectorEncoder` is one. */
export interface EvaluatedMultiVectorModel {
  encodeQuery: Encode
  encodeDocument: Encode
  readonly similarityFnName: MaxSimName
}

/** Options of the evaluators over embeddings that those of multi-vector models do not have. */
export type NotOfTokens = 'truncateDim'

/** The names and the similarities of an evaluator of multi-vector models. */
export function tokenKind(where: string): EvaluatorKind {
  return {
    where,
    similarities: MAX_SIM_NAMES,
    metricOf(score) {
      if (MAX_SIM_NAMES.some((name) => name === score)) return score as string
      throw invalidArgument('scoreFunction', MAX_SIM_NAMES.join(' or '), score)
    },
  }
}

/** @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION for options that multi-vector models have no use for */
export function checkTokenOptions(where: string, options: unknown): void {
  if (!isPlainObject(options)) throw invalidArgument(`the options of ${where}`, 'an object', options)
  if ((options as { truncateDim?: unknown }).truncateDim === undefined) return
  const message = `${where} has no option "truncateDim": vectors of tokens have no part that stands for the whole`
  throw new SentenceTorchError('ERR_UNKNOWN_OPTION', message)
}

/** What the evaluators over embeddings get: they compare rows of both kinds, and their types name the usual one. */
export function asEvaluated(model: EvaluatedMultiVectorModel): EvaluatedModel {
  const encode = (how: 'encodeQuery' | 'encodeDocument') => async (texts: readonly string[], options?: object) => {
    const rows: unknown = await model[how](texts, options)
    if (rows instanceof TokenEmbeddings) return rows
    throw invalidArgument('model', `a MultiVectorEncoder, whose ${how} gives TokenEmbeddings`, rows)
  }
  return {
    similarityFnName: model.similarityFnName,
    encodeQuery: encode('encodeQuery'),
    encodeDocument: encode('encodeDocument'),
  } as unknown as EvaluatedModel
}
