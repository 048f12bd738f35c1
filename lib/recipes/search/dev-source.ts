/** What compares the trials of a search: dev, and samples of its rows. */
import type { Dataset } from '../../data/dataset.js'
import { EVALUATION_KINDS, type EvaluationSpec } from '../evaluation-spec.js'
import { loadData } from '../load-data.js'
import type { ModelKind, RecipeEvaluator } from '../model-kind.js'
import { isEvaluator } from '../recipe.js'
import type { RowKind } from '../suggest-loss.js'
import type { DevSource } from './parts.js'

/** Rows of dev that were held out. */
export interface HeldOutRows {
  dev: Dataset
  /** The rows that they are a part of. */
  all: Dataset
  kind: RowKind
}

/**
 * @param given the option `dev`, if there is one
 * @param heldOut rows that measure where it is absent
 */
export async function devSource(
  kind: ModelKind,
  all: RecipeEvaluator,
  given: unknown,
  heldOut: HeldOutRows | undefined,
  { seed, signal }: { seed: number; signal: AbortSignal | undefined },
): Promise<DevSource> {
  const some = async (rows: Dataset, count: number) => (await rows.shuffle(seed)).head(count)
  if (given === undefined && heldOut !== undefined) {
    const { dev, all: whole, kind: rowKind } = heldOut
    const sample = async (count: number) => {
      const others = await some(whole, Math.ceil((whole.length * count) / dev.length))
      return kind.evaluatorOfRows(await some(dev, count), rowKind, 'dev', seed, others)!
    }
    return { all, rows: dev.length, sample }
  }
  if (isEvaluator(given)) return { all }
  const spec = given as EvaluationSpec
  const kinds = EVALUATION_KINDS.filter((one) => spec[one] !== undefined)
  const [one] = kinds
  if (kinds.length > 1 || one === undefined || one === 'beir' || one === 'banking77') return { all }
  const { dataset } = await loadData(spec[one]!, { where: `dev ${one}`, signal })
  const sample = async (count: number) => kind.loadEvaluator({ name: 'dev', [one]: await some(dataset, count) })
  return { all, rows: dataset.length, sample }
}
