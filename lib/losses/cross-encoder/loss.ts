import { SentenceTorchError } from '../../errors.js'
import { choice, type Kind, type OptionTable, type OptionValues } from '../../options/kinds.js'
import type { NotBuilt } from '../../options.js'
import { type LossArguments, type LossSignature, lossOptions } from '../arguments.js'
import type { Loss } from '../loss.js'

/** The model argument of these losses: a CrossEncoder. */
export interface PairModel {
  readonly numLabels: number
  predict(pairs: readonly (readonly [string, string])[]): Promise<{ readonly data: Float32Array }>
}

/** `(options)` or `(model, options)`, as in Python. */
export type PairLossArguments<O> = LossArguments<O, PairModel>

export const PAIR_SIGNATURE: LossSignature = {
  model: { method: 'predict', name: 'a CrossEncoder' },
  prefix: 'CrossEncoder.',
}

/** The options of a constructor that was called with `args`: checked, and with their defaults. */
export function pairLossOptions<Table extends Readonly<Record<string, Kind>>>(
  loss: object,
  args: readonly unknown[],
  table: Table,
  notBuilt?: Readonly<Record<string, NotBuilt>>,
): OptionValues<Table> {
  return lossOptions(loss, args, table, { notBuilt, signature: PAIR_SIGNATURE })
}

/**
 * How the rows of a dataset become pairs of texts.
 * - `pair`: two text columns are one pair.
 * - `columns`: the first column with every other one: a column of pairs each.
 * - `ranking`: `columns`, and between the positive and the hard negatives `numNegatives` columns of texts drawn from other
 *   rows of the batch; null for all of them.
 * - `lists`: a text and a list of texts with a label each: a list of pairs.
 */
export type Pairing =
  | { readonly kind: 'pair' | 'columns' | 'lists' }
  | { readonly kind: 'ranking'; readonly numNegatives: number | null }

/** A loss of cross-encoders. Its embeddings are the logits of pairs. */
export interface CrossEncoderLoss extends Loss {
  readonly pairing: Pairing
}

/** Functions that are applied to the logits before the loss. */
export type LogitActivation = (typeof ACTIVATIONS)[number]

export const ACTIVATIONS = ['identity', 'sigmoid', 'tanh', 'relu', 'gelu', 'silu'] as const

export interface LogitOptions {
  /** Function of the logits that is applied first. Default `identity`. */
  activationFn?: LogitActivation
}

export const LOGIT_OPTIONS = { activationFn: choice(ACTIVATIONS, 'identity') } satisfies OptionTable<LogitOptions>

/** @throws ERR_INVALID_ARGUMENT for a model with several labels */
export function needOneLabel(loss: string, numLabels: number): void {
  if (numLabels === 1) return
  const message = `${loss} needs a model with one label, this one has numLabels ${numLabels}`
  throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}
