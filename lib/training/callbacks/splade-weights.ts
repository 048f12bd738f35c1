import { invalidArgument } from '../../errors.js'
import { SpladeLoss } from '../../losses/splade.js'
import { checkOneOf, checkOptions } from '../../options.js'
import type { CallbackContext, TrainerCallback } from './callbacks.js'

export interface SpladeRegularizerWeightSchedulerOptions {
  /** How the weights rise: in proportion to the steps, or to their square. Default `quadratic`. */
  schedulerType?: 'linear' | 'quadratic'
  /** Part of all steps after which the weights are those of the loss, above 0 and at most 1. Default 1/3. */
  warmupRatio?: number
}

type Weights = Pick<SpladeLoss, 'documentRegularizerWeight' | 'queryRegularizerWeight'>

/** What a schedule has set last, and what it rises to: a training that stopped early leaves a loss below its own weights. */
const SET = new WeakMap<SpladeLoss, { now: Weights; most: Weights }>()

/** The weights that a loss was given. */
function ownWeights(loss: SpladeLoss): Weights {
  const set = SET.get(loss)
  const own = <Name extends keyof Weights>(name: Name): Weights[Name] =>
    set?.now[name] === loss[name] ? set.most[name] : loss[name]
  return {
    documentRegularizerWeight: own('documentRegularizerWeight'),
    queryRegularizerWeight: own('queryRegularizerWeight'),
  }
}

/**
 * Raises both weights of a {@link SpladeLoss} from 0 to those that it was given: a model that is made sparse before it has learned
 * anything forgets most words for good. `SparseEncoderTrainer` adds one for each SpladeLoss that has none.
 *
 * ```ts
 * const callbacks = [new SpladeRegularizerWeightSchedulerCallback(loss, { warmupRatio: 0.5 })]
 * ```
 * Source: sentence-transformers `SpladeRegularizerWeightSchedulerCallback`.
 */
export class SpladeRegularizerWeightSchedulerCallback implements TrainerCallback {
  readonly loss: SpladeLoss
  readonly schedulerType: 'linear' | 'quadratic'
  readonly warmupRatio: number
  readonly maxDocumentRegularizerWeight: number
  readonly maxQueryRegularizerWeight: number | null
  #warmupSteps = 1
  /** Steps that have begun: that of the state may be one behind, since two steps are in flight. */
  #begun = 0

  /** @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION */
  constructor(loss: SpladeLoss, options: SpladeRegularizerWeightSchedulerOptions = {}) {
    const where = 'SpladeRegularizerWeightSchedulerCallback'
    if (!(loss instanceof SpladeLoss)) throw invalidArgument('loss', 'a SpladeLoss', loss)
    checkOptions(where, options, ['schedulerType', 'warmupRatio'])
    checkOneOf('schedulerType', options.schedulerType, ['linear', 'quadratic'])
    const { schedulerType = 'quadratic', warmupRatio = 1 / 3 } = options
    if (!(warmupRatio > 0 && warmupRatio <= 1)) {
      throw invalidArgument('warmupRatio', 'a number above 0, at most 1,', warmupRatio)
    }
    this.loss = loss
    this.schedulerType = schedulerType
    this.warmupRatio = warmupRatio
    const { documentRegularizerWeight, queryRegularizerWeight } = ownWeights(loss)
    this.maxDocumentRegularizerWeight = documentRegularizerWeight
    this.maxQueryRegularizerWeight = queryRegularizerWeight
  }

  onTrainBegin({ state }: CallbackContext): void {
    this.#warmupSteps = Math.max(1, Math.floor(state.maxSteps * this.warmupRatio))
    this.#begun = state.globalStep
    this.#set(0)
  }

  onStepBegin(): void {
    const share = Math.min(1, this.#begun++ / this.#warmupSteps)
    this.#set(this.schedulerType === 'linear' ? share : share ** 2)
  }

  #set(share: number): void {
    const { loss, maxDocumentRegularizerWeight, maxQueryRegularizerWeight } = this
    loss.documentRegularizerWeight = maxDocumentRegularizerWeight * share
    if (maxQueryRegularizerWeight !== null) loss.queryRegularizerWeight = maxQueryRegularizerWeight * share
    const { documentRegularizerWeight, queryRegularizerWeight } = loss
    const most = {
      documentRegularizerWeight: maxDocumentRegularizerWeight,
      queryRegularizerWeight: maxQueryRegularizerWeight,
    }
    SET.set(loss, { now: { documentRegularizerWeight, queryRegularizerWeight }, most })
  }
}
