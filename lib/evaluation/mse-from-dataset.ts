import { Dataset } from '../data/dataset.js'
import { invalidArgument } from '../errors.js'
import { type Embeddings, embeddings } from '../models/embeddings.js'
import { checkOptions, ownCopy } from '../options.js'
import {
  COMMON_OPTIONS,
  type CommonOptions,
  checkCommon,
  contextCells,
  invalidData,
  mean,
  named,
  suffix,
} from './common.js'
import { appendCsv, pythonFloat32 } from './csv.js'
import { embed } from './embed.js'
import type { EvaluatedModel, EvaluationContext, EvaluationResult } from './evaluator.js'
import { meanSquaredError } from './mean-squared-error.js'
import { checkTeacher } from './mse.js'
import { SentenceEvaluator } from './sentence-evaluator.js'

/** `batchSize` is 8 unless given. The CSV file is `mse_evaluation_{name}_results.csv`, with a column for every combination. */
export interface MSEEvaluatorFromDatasetOptions extends CommonOptions {
  /** Parallel sentences: a column for each language. */
  dataset: Dataset | readonly Readonly<Record<string, string>>[]
  /**
   * The model whose embeddings are the target. It starts to embed the sources when the evaluator is made, and does so once.
   */
  teacherModel: Pick<EvaluatedModel, 'encode'>
  /** Pairs of columns: the teacher embeds the first, the evaluated model the second. */
  combinations: readonly (readonly [source: string, target: string])[]
}

/**
 * `MSEEvaluator` over several language pairs of one table. A pair leaves out rows where one of its two texts is blank.
 *
 * Metric: `negative_mse`, minus the mean over the pairs of (mean squared difference × 100); the primary one.
 * Source: sentence-transformers `MSEEvaluatorFromDataFrame`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_INVALID_DATA (columns, pairs without rows)
 */
export class MSEEvaluatorFromDataset extends SentenceEvaluator {
  override readonly name: string
  /** The teacher's embeddings of every pair's sources. Await it before the teacher itself is trained or disposed. */
  readonly teacherEmbeddings: Promise<Embeddings[]>
  readonly #options: MSEEvaluatorFromDatasetOptions
  readonly #targets: string[][]

  constructor(options: MSEEvaluatorFromDatasetOptions) {
    super()
    const where = 'MSEEvaluatorFromDataset'
    checkOptions(where, options, ['dataset', 'teacherModel', 'combinations', ...COMMON_OPTIONS], {
      dataframe: { instead: 'pass it as dataset' },
    })
    checkCommon(where, options)
    checkTeacher(where, options.teacherModel)
    const { combinations } = options
    if (!Array.isArray(combinations) || combinations.length === 0) {
      throw invalidArgument(`${where} combinations`, 'an array of pairs of column names', combinations)
    }
    const table = options.dataset instanceof Dataset ? options.dataset : Dataset.fromRows(options.dataset)
    const pairs = combinations.map((pair) => parallelRows(table, pair))
    this.name = options.name ?? ''
    this.#options = { batchSize: 8, ...options, combinations: ownCopy(combinations) }
    this.#targets = pairs.map(({ targets }) => targets)
    this.teacherEmbeddings = this.#embedSources(pairs.map(({ sources }) => sources))
    this.teacherEmbeddings.catch(() => {})
  }

  async evaluate(model: EvaluatedModel, context: EvaluationContext = {}): Promise<EvaluationResult> {
    const { combinations, writeCsv = true } = this.#options
    const goals = await this.teacherEmbeddings
    const errors: number[] = []
    for (const [i, targets] of this.#targets.entries()) {
      const found = await embed(model, 'encode', targets, this.#options, context)
      errors.push(Math.fround((await meanSquaredError(goals[i]!, found)) * 100))
    }
    if (context.outputPath !== undefined && writeCsv) {
      await appendCsv(
        context.outputPath,
        `mse_evaluation${suffix(this.name)}_results.csv`,
        ['epoch', 'steps', ...combinations.map(([source, target]) => `${source}-${target}`)],
        [...contextCells(context), ...errors.map(pythonFloat32)],
      )
    }
    return named(this.name, { negative_mse: -Math.fround(mean(errors)) }, 'negative_mse')
  }

  async #embedSources(columns: readonly string[][]): Promise<Embeddings[]> {
    const different = [...new Set(columns.flat())]
    const places = new Map(different.map((text, i) => [text, i]))
    const all = await embed(this.#options.teacherModel as EvaluatedModel, 'encode', different, this.#options, {})
    const width = all.shape[1]
    return columns.map((texts) => {
      const data = new Float32Array(texts.length * width)
      texts.forEach((text, i) => {
        data.set(all.row(places.get(text)!), i * width)
      })
      return embeddings(data, texts.length, width)
    })
  }
}

function parallelRows(table: Dataset, pair: readonly [string, string]): { sources: string[]; targets: string[] } {
  if (!Array.isArray(pair) || pair.length !== 2) {
    throw invalidArgument('MSEEvaluatorFromDataset combinations', 'pairs of column names', pair)
  }
  const [sources, targets] = pair.map((name) => table.texts(name)) as [string[], string[]]
  const kept = sources.map((source, i) => source.trim() !== '' && targets[i]!.trim() !== '')
  if (!kept.includes(true)) throw invalidData(`No row has both ${pair.join(' and ')}`)
  return { sources: sources.filter((_, i) => kept[i]), targets: targets.filter((_, i) => kept[i]) }
}
