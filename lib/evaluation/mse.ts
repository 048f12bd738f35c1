import { invalidArgument } from '../errors.js'
import type { Embeddings } from '../models/embeddings.js'
import { checkOptions, ownCopy } from '../options.js'
import {
  COMMON_OPTIONS,
  type CommonOptions,
  checkColumns,
  checkCommon,
  denseKind,
  type EvaluatorKind,
  named,
} from './common.js'
import { pythonFloat } from './csv.js'
import { appendRow } from './csv-row.js'
import { embedRows } from './embed.js'
import type { EvaluatedModel, EvaluationContext, EvaluationResult } from './evaluator.js'
import { meanSquaredError } from './mean-squared-error.js'
import { SentenceEvaluator } from './sentence-evaluator.js'

/** `batchSize` is 32 unless given; the CSV file is `mse_evaluation_{name}_results.csv`. */
export interface MSEEvaluatorOptions extends CommonOptions {
  /** The teacher's texts. */
  sourceSentences: readonly string[]
  /** The evaluated model's texts: `sourceSentences[i]`, or its translation. */
  targetSentences: readonly string[]
  /**
   * The model whose embeddings are the target. It starts to embed the sources when the evaluator is made, and does so once.
   */
  teacherModel: Pick<EvaluatedModel, 'encode'>
}

/**
 * Mean squared difference, times 100, of the model's embeddings of `targetSentences` and the teacher's of
 * `sourceSentences`.
 *
 * Metric: `negative_mse` (negated, so that more is better), the primary one.
 * Source: sentence-transformers `MSEEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_INVALID_DATA (lengths, texts; when evaluated: widths that differ)
 */
export class MSEEvaluator extends SentenceEvaluator {
  override readonly name: string
  /** The teacher's embeddings [rows, width]. Await it before the teacher itself is trained or disposed. */
  readonly teacherEmbeddings: Promise<Embeddings>
  readonly #options: MSEEvaluatorOptions

  constructor(options: MSEEvaluatorOptions, kind: EvaluatorKind = denseKind('MSEEvaluator')) {
    super()
    const { where } = kind
    checkOptions(where, options, ['sourceSentences', 'targetSentences', 'teacherModel', ...COMMON_OPTIONS])
    const { sourceSentences, targetSentences, teacherModel, ...rest } = options
    checkColumns(where, { sourceSentences, targetSentences }, ['sourceSentences', 'targetSentences'])
    checkCommon(where, options)
    checkTeacher(where, teacherModel)
    this.name = options.name ?? ''
    const own = ownCopy({ sourceSentences, targetSentences, ...rest })
    this.#options = { batchSize: 32, ...own, teacherModel }
    const embedded = embedRows(teacherModel as EvaluatedModel, 'encode', own.sourceSentences, this.#options, {})
    this.teacherEmbeddings = embedded as Promise<Embeddings>
    // `evaluate` throws the error. Until then, or without any evaluation, it must not count as unhandled.
    this.teacherEmbeddings.catch(() => {})
  }

  async evaluate(model: EvaluatedModel, context: EvaluationContext = {}): Promise<EvaluationResult> {
    const goal = await this.teacherEmbeddings
    const found = await embedRows(model, 'encode', this.#options.targetSentences, this.#options, context)
    const mse = Math.fround((await meanSquaredError(goal, found)) * 100)
    if (context.outputPath !== undefined && (this.#options.writeCsv ?? true)) {
      const file = `mse_evaluation_${this.name}_results.csv`
      const row = [pythonFloat(mse)]
      await appendRow(context, file, ['MSE'], row)
    }
    return named(this.name, { negative_mse: -mse }, 'negative_mse')
  }
}

export function checkTeacher(where: string, teacher: unknown): void {
  if (typeof (teacher as Partial<EvaluatedModel> | null)?.encode === 'function') return
  throw invalidArgument(`${where} teacherModel`, 'a model', teacher)
}
