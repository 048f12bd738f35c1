import type { LossSpec } from '../../native/types.js'
import { integer, type Kind, nullable, type OptionTable, type OptionValues } from '../../options/kinds.js'
import type { Caching, LossRequirements } from '../loss.js'
import {
  type CrossEncoderLoss,
  LOGIT_OPTIONS,
  type LogitActivation,
  type LogitOptions,
  needOneLabel,
  pairLossOptions,
} from './loss.js'

export interface ListwiseOptions extends LogitOptions {
  /**
   * Pairs that pass the model at once, where memory is short: their logits are computed twice then (gradient caching). 0 or
   * less is the same as `null`. Default `null`: all pairs of a batch.
   */
  miniBatchSize?: number | null
}

export const LISTWISE_OPTIONS = {
  ...LOGIT_OPTIONS,
  miniBatchSize: nullable(integer(undefined)),
} satisfies OptionTable<ListwiseOptions>

/**
 * What the losses share that compare the documents of a query: a list of documents and a label for each.
 *
 * - **Differs**: `mini_batch_size` switches gradient caching on, because pairs are packed without padding.
 */
export abstract class ListwiseLoss<Table extends typeof LISTWISE_OPTIONS & Readonly<Record<string, Kind>>>
  implements CrossEncoderLoss
{
  abstract readonly type: string
  readonly requirements: LossRequirements = { minColumns: 2, maxColumns: 2, labels: 'floats' }
  readonly pairing = { kind: 'lists' } as const
  readonly caching?: Caching
  readonly activationFn: LogitActivation
  readonly #options: OptionValues<Table>

  constructor(args: readonly unknown[], table: Table) {
    this.#options = pairLossOptions(this, args, table)
    const { activationFn, miniBatchSize } = this.#options as Shared
    this.activationFn = activationFn
    if (miniBatchSize !== null && miniBatchSize > 0) this.caching = { miniBatchSize }
  }

  /** The option `name`, as it was given or by default. */
  protected option<Name extends keyof Table>(name: Name): OptionValues<Table>[Name] {
    return this.#options[name]
  }

  spec(numLabels: number): LossSpec {
    needOneLabel(this.type, numLabels)
    // Mini-batches are the trainer's work; the engine gets all other options.
    const { miniBatchSize: _, ...options } = this.#options as Shared
    return { type: this.type, ...options }
  }
}

type Shared = OptionValues<typeof LISTWISE_OPTIONS>
