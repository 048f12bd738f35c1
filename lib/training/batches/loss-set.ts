import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { modelsOf } from '../../losses/arguments.js'
import type { ComputedLoss } from '../../losses/computed.js'
import type { PretrainedFacts, PretrainedSource } from '../../losses/loss.js'
import type { ConfigObject, LossSpec } from '../../native/types.js'
import { checkNames, isPlainObject } from '../../options.js'

/** The parts of a loss that the trainer needs, for any kind of model. */
export interface TrainableLoss {
  readonly type: string
  readonly requirements?: { readonly labels?: string; readonly inBatchNegatives?: boolean; readonly gathers?: boolean }
  /** For a loss in TypeScript. */
  readonly computed?: ComputedLoss
  /** For a loss whose parameters start from a checkpoint. */
  readonly pretrained?: PretrainedSource
  /** Weights of its parts that callbacks change, by the names in the log. */
  weights?(): Readonly<Record<string, number>>
  /** The mini-batches of a Cached… loss. */
  readonly caching?: { readonly miniBatchSize?: number; readonly miniBatchTokens?: number } | undefined
  spec(embeddingDimension: number, config: ConfigObject, pretrained?: PretrainedFacts): LossSpec
}

/** One loss for all datasets, or one loss per dataset by its name. */
export type LossChoice<L> = L | Readonly<Record<string, L>>

export interface NamedLoss<L> {
  /** The dataset's name; '' for the one loss of all datasets. */
  name: string
  loss: L
}

/** The losses of a trainer, in the order in which the engine numbers them. */
export class LossSet<L extends TrainableLoss> {
  readonly all: readonly NamedLoss<L>[]
  readonly #single: boolean

  /** @throws ERR_INVALID_ARGUMENT for anything but losses */
  constructor(choice: LossChoice<L>) {
    this.#single = isLoss(choice)
    this.all = isLoss<L>(choice)
      ? [{ name: '', loss: choice }]
      : Object.entries(checkRecord<L>(choice)).map(([name, loss]) => ({ name, loss }))
  }

  /** Number of the loss of dataset `name`. */
  indexOf(name: string): number {
    return this.#single ? 0 : this.all.findIndex((entry) => entry.name === name)
  }

  of(name: string): L {
    return this.all[this.indexOf(name)]!.loss
  }

  /** @throws ERR_INVALID_ARGUMENT for a loss that was made for another model */
  checkModel(model: object): void {
    for (const { name, loss } of this.all) {
      if (modelsOf(loss).every((own) => own === model)) continue
      throw new SentenceTorchError(
        'ERR_INVALID_ARGUMENT',
        `${loss.type}${name === '' ? '' : ` of ${name}`} was made with another model than the trainer's: give it the ` +
          'same one, or none',
      )
    }
  }

  /** @param names of all datasets @throws ERR_INVALID_ARGUMENT for a loss of a dataset that does not exist */
  checkUsed(names: readonly string[]): void {
    if (this.#single) return
    checkNames(
      'loss',
      this.all.map(({ name }) => name),
      'dataset',
      names,
    )
  }

  /**
   * @param names of the datasets; undefined for a single one without a name
   * @throws ERR_INVALID_ARGUMENT when there are losses by name, but a single dataset, or a dataset without a loss
   */
  checkNames(names: readonly string[] | undefined, which: string): void {
    if (this.#single) return
    if (names === undefined) {
      throw new SentenceTorchError(
        'ERR_INVALID_ARGUMENT',
        `loss gives one loss for each of several datasets, so ${which} must be an object of datasets by the same names`,
      )
    }
    const missing = names.filter((name) => this.indexOf(name) === -1)
    if (missing.length > 0) {
      throw new SentenceTorchError(
        'ERR_INVALID_ARGUMENT',
        `loss has no entry for ${missing.join(', ')} of ${which}; it has: ${this.all.map(({ name }) => name).join(', ')}`,
      )
    }
  }
}

function isLoss<L>(value: unknown): value is L {
  return typeof (value as TrainableLoss | undefined)?.spec === 'function'
}

function checkRecord<L>(value: unknown): Record<string, L> {
  if (!isPlainObject(value) || Object.keys(value).length === 0) {
    throw invalidArgument('loss', 'a loss, such as new losses.CoSENTLoss(), or an object of losses by dataset', value)
  }
  for (const [name, loss] of Object.entries(value)) {
    if (!isLoss(loss)) throw invalidArgument(`loss.${name}`, 'a loss, such as new losses.CoSENTLoss()', loss)
  }
  return value as Record<string, L>
}
