import type { ConfigObject } from '../../native/types.js'
import { integer, type Kind, type OptionTable, type OptionValues } from '../../options/kinds.js'
import type { NotBuilt } from '../../options.js'
import { type LossArguments, type LossSignature, lossOptions } from '../arguments.js'
import type { Loss } from '../loss.js'

/** The model argument of these losses: a MultiVectorEncoder. */
export interface VectorModel {
  readonly embeddingDimension: number
  rank(query: string, documents: readonly string[]): Promise<unknown>
}

/** `(options)` or `(model, options)`, as in Python. */
export type VectorLossArguments<O> = LossArguments<O, VectorModel>

export const VECTOR_SIGNATURE: LossSignature = { model: { method: 'rank', name: 'a MultiVectorEncoder' } }

/** The options of a constructor that was called with `args`: checked, and with their defaults. */
export function vectorLossOptions<Table extends Readonly<Record<string, Kind>>>(
  loss: object,
  args: readonly unknown[],
  table: Table,
  notBuilt?: Readonly<Record<string, NotBuilt>>,
): OptionValues<Table> {
  return lossOptions(loss, args, table, { notBuilt, signature: VECTOR_SIGNATURE })
}

/** A loss of multi-vector encoders: it reads a vector for each token. */
export interface MultiVectorLoss extends Loss {
  readonly readsVectors: true
}

export interface ScoreOptions {
  /** For XTR alone: how many products of each query vector count. Default 256. */
  topK?: number
}

export const SCORE_OPTIONS = { topK: integer(256, { least: 1 }) } satisfies OptionTable<ScoreOptions>

/** What the engine is told of the scores that sentence-transformers calls `name`. */
export function scoresOf(name: string, topK: number): ConfigObject {
  if (name.startsWith('xtr')) return { scores: 'xtr', topK }
  return { scores: name.startsWith('mean') ? 'meanmaxsim' : 'maxsim' }
}

/** The name of these losses in the engine's registry. */
export function nativeType(type: string): string {
  return `MultiVector.${type}`
}
