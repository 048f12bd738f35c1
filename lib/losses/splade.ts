import { SentenceTorchError } from '../errors.js'
import type { ConfigObject, LossSpec } from '../native/types.js'
import { flag, integer, needed, nullable, number, type OptionTable, option } from '../options/kinds.js'
import { lossOptions, type WrapperArguments } from './arguments.js'
import { FlopsLoss } from './flops.js'
import type { Caching, Loss, LossRequirements } from './loss.js'
import { checkWrapped, innerLoss, WRAPPING } from './wrapped.js'

export interface SpladeLossOptions {
  /** The loss that makes the embeddings good. A `Cached…` loss keeps its mini-batches. */
  loss: Loss
  /** Weight of the documents' regulariser: the positives and all negatives. */
  documentRegularizerWeight: number
  /** Weight of the queries' regulariser. Default `null`: none, as of queries that need no model. */
  queryRegularizerWeight?: number | null
  /** The documents' regulariser. Default `null`: a FlopsLoss with `documentRegularizerThreshold`. */
  documentRegularizer?: FlopsLoss | null
  /** The queries' regulariser. Default `null`: a FlopsLoss with `queryRegularizerThreshold`. */
  queryRegularizer?: FlopsLoss | null
  /** Documents with no more words than this are not regularised. Default `null`: all are. */
  documentRegularizerThreshold?: number | null
  /** The same for queries. Default `null`. */
  queryRegularizerThreshold?: number | null
  /** Whether all columns are documents, as in pairs of equal texts. Default `false`. */
  useDocumentRegularizerOnly?: boolean
}

const weight = { least: 0 }
const threshold = nullable(integer(undefined, { least: 0 }))
const regularizer = nullable(
  option<FlopsLoss, undefined>({
    type: 'FlopsLoss',
    default: undefined,
    expected: 'a FlopsLoss',
    fits: (value) => value instanceof FlopsLoss,
  }),
)

export const OPTIONS = {
  loss: innerLoss,
  documentRegularizerWeight: needed(number(undefined, weight)),
  queryRegularizerWeight: nullable(number(undefined, weight)),
  documentRegularizer: regularizer,
  queryRegularizer: regularizer,
  documentRegularizerThreshold: threshold,
  queryRegularizerThreshold: threshold,
  useDocumentRegularizerOnly: flag(false),
} satisfies OptionTable<SpladeLossOptions>

/**
 * A loss for sparse encoders: another loss makes the embeddings good, and regularisers make them sparse.
 *
 * - **Data**: That of the inner loss; the first column is the query.
 * - **Formula**: loss + documentRegularizerWeight · FLOPS(documents) + queryRegularizerWeight · FLOPS(queries), FLOPS: {@link FlopsLoss}.
 * - **Use**: `SparseEncoderTrainer` adds a `SpladeRegularizerWeightSchedulerCallback`, which raises both weights from 0 on, so that the model
 *   first learns what is alike.
 * - **Logged**: the parts, as `base_loss`, `document_regularizer_loss` and `query_regularizer_loss`, and both weights.
 * - **Relations**: {@link CachedSpladeLoss} takes batches of any size.
 *
 * Paper: Formal et al. 2022, https://arxiv.org/abs/2205.04733. Source: sentence-transformers `sparse_encoder/losses/SpladeLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([{ anchor: 'capital of France', positive: 'Paris is the capital.' }])
 * const loss = new losses.SpladeLoss({
 *   loss: new losses.SparseMultipleNegativesRankingLoss(),
 *   documentRegularizerWeight: 3e-5,
 *   queryRegularizerWeight: 5e-5,
 * })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class SpladeLoss implements Loss {
  readonly type: string = 'SpladeLoss'
  readonly requirements: LossRequirements
  readonly loss: Loss
  readonly similarityFnName?: 'cosine'
  /** Changed by a schedule; what counts is the value at each step. */
  documentRegularizerWeight: number
  queryRegularizerWeight: number | null
  readonly documentRegularizerThreshold: number | null
  readonly queryRegularizerThreshold: number | null
  readonly useDocumentRegularizerOnly: boolean
  readonly caching: Caching | undefined

  constructor(...args: WrapperArguments<SpladeLossOptions, 'loss'>) {
    const where = new.target.name
    const options = lossOptions(this, args, OPTIONS, { signature: WRAPPING })
    const { loss } = options
    checkWrapped(where, loss, 'SpladeLoss')
    this.loss = loss
    if (loss.similarityFnName) this.similarityFnName = loss.similarityFnName
    this.documentRegularizerWeight = options.documentRegularizerWeight
    this.queryRegularizerWeight = options.queryRegularizerWeight
    this.useDocumentRegularizerOnly = options.useDocumentRegularizerOnly
    const { documentRegularizer, queryRegularizer, documentRegularizerThreshold, queryRegularizerThreshold } = options
    this.documentRegularizerThreshold = only(where, 'document', documentRegularizer, documentRegularizerThreshold)
    this.queryRegularizerThreshold = only(where, 'query', queryRegularizer, queryRegularizerThreshold)
    const ofQueries = this.queryRegularizerWeight ?? queryRegularizer ?? queryRegularizerThreshold
    if (this.useDocumentRegularizerOnly && ofQueries !== null) {
      const message = `${where} with useDocumentRegularizerOnly has no queries: leave out what is said of their regularizer`
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
    const { minColumns } = loss.requirements
    const least = this.useDocumentRegularizerOnly ? minColumns : Math.max(2, minColumns)
    this.requirements = { ...loss.requirements, minColumns: least }
    this.caching = loss.caching
  }

  /** The losses inside, which a model card cites. */
  get parts(): Loss[] {
    return [this.loss, new FlopsLoss({ threshold: this.documentRegularizerThreshold })]
  }

  weights(): Readonly<Record<string, number>> {
    const { documentRegularizerWeight, queryRegularizerWeight } = this
    return {
      document_regularizer_weight: documentRegularizerWeight,
      ...(queryRegularizerWeight !== null && { query_regularizer_weight: queryRegularizerWeight }),
    }
  }

  spec(embeddingDimension: number, config: ConfigObject): LossSpec {
    const { documentRegularizerWeight, queryRegularizerWeight, useDocumentRegularizerOnly } = this
    const { documentRegularizerThreshold, queryRegularizerThreshold } = this
    return {
      type: 'SpladeLoss',
      loss: this.loss.spec(embeddingDimension, config),
      documentRegularizerWeight,
      useDocumentRegularizerOnly,
      ...(queryRegularizerWeight !== null && { queryRegularizerWeight }),
      ...(documentRegularizerThreshold !== null && { documentRegularizerThreshold }),
      ...(queryRegularizerThreshold !== null && { queryRegularizerThreshold }),
    }
  }
}

/** The threshold of a regulariser, which says it itself or leaves it to the loss. */
function only(where: string, side: string, regularizer: FlopsLoss | null, threshold: number | null): number | null {
  if (regularizer === null) return threshold
  if (threshold === null) return regularizer.threshold
  const message = `${where} takes ${side}Regularizer or ${side}RegularizerThreshold, not both`
  throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}
