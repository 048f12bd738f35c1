/** The table of quality against size, over several models, and its figure. */

import type { Dataset } from '../data/dataset.js'
import type { EvaluatedModel } from '../evaluation/evaluator.js'
import { signalOf } from '../io/abort.js'
import { type CodePrecision, qualityBySize, type SizeQuality } from './few-bytes.js'
import type { MeasuredRole } from './metrics.js'
import type { RecipeRun } from './recipe-run.js'
import { sentencesOf } from './sentences.js'

/** Texts that give the ranges of int8. */
const CALIBRATION = 1000

export class SizeTable {
  readonly #run: RecipeRun
  readonly #sizes: { dims: readonly number[]; precisions: readonly CodePrecision[] }
  readonly #calibration: readonly string[]
  readonly #role: MeasuredRole | undefined
  readonly #models = new Map<string, SizeQuality[]>()

  /** @param train whose texts give the ranges of int8 */
  constructor(
    run: RecipeRun,
    train: Dataset,
    sizes: { dims: readonly number[]; precisions: readonly CodePrecision[] },
  ) {
    this.#run = run
    this.#sizes = sizes
    const { sentences } = sentencesOf(train)
    const step = Math.max(1, Math.floor(sentences.length / CALIBRATION))
    this.#calibration = sentences.filter((_, i) => i % step === 0).slice(0, CALIBRATION)
    this.#role = (['test', 'dev'] as const).find((role) => run.evaluator(role) !== undefined)
    if (this.#role === undefined) run.note('Sizes were not compared: there is neither a test nor a dev evaluator.')
  }

  /** Measures a model in every size. */
  async add(name: string, model: EvaluatedModel): Promise<void> {
    if (this.#role === undefined) return
    const evaluator = this.#run.evaluator(this.#role)!
    const rows = await qualityBySize(model, evaluator, this.#sizes, this.#calibration, signalOf(this.#run))
    this.#models.set(name, rows)
    const [first, last] = [rows[0]!, rows.at(-1)!]
    this.#run.log(`${name}: ${shown(first)}, ${shown(last)}`)
  }

  /** Writes both figures. */
  async write(): Promise<void> {
    const [first] = this.#models.values()
    if (first === undefined) return
    const caption = `Measured on ${this.#role}. Embeddings are cut, normalised, then kept in this precision.`
    const hasQueries = first.some(({ isRescored }) => isRescored)
    const columns = ['numbers', 'precision', ...(hasQueries ? ['queries'] : []), 'bytes', ...this.#models.keys()]
    const rows = first.map(({ dim, precision, isRescored, bytes }, i) => [
      ...[dim, precision, ...(hasQueries ? [precision === 'float32' || isRescored ? 'whole' : 'codes'] : []), bytes],
      ...[...this.#models.values()].map((found) => finite(found[i]!.value)),
    ])
    const title = `Size and quality: ${first[0]!.metric}`
    await this.#run.figure('sizes', { kind: 'table', title, caption, columns, rows })
    await this.#run.figure('sizes-curves', {
      ...{ kind: 'curves', title: 'Size and quality', caption, section: 'results' },
      ...{ xTitle: 'bytes of a vector, log₂', yTitle: first[0]!.metric },
      series: [...this.#models].flatMap(([name, found]) => this.#curves(name, found)),
    })
  }

  /** A curve for each precision: of codes with whole queries, where these are measured. */
  #curves(name: string, rows: readonly SizeQuality[]) {
    return this.#sizes.precisions.flatMap((precision) => {
      const own = rows.filter((row) => row.precision === precision && Number.isFinite(row.value))
      const best = own.some(({ isRescored }) => isRescored) ? own.filter(({ isRescored }) => isRescored) : own
      const points = best.sort((a, b) => a.bytes - b.bytes)
      if (points.length === 0) return []
      return [
        {
          name: `${name}, ${precision}`,
          x: points.map(({ bytes }) => Math.log2(bytes)),
          y: points.map(({ value }) => value),
        },
      ]
    })
  }
}

function shown({ dim, precision, value }: SizeQuality): string {
  return `${value.toFixed(4)} with ${dim} numbers in ${precision}`
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null
}
