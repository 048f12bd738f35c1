import { invalidArgument } from '../errors.js'
import { checkOptions, checkPositive, checkType, ownCopy } from '../options.js'
import { type ClassificationData, type ClassLabel, classesOf, classNumbers } from './class-labels.js'
import { COMMON_OPTIONS, type CommonOptions, checkColumns, checkCommon, contextCells, named, suffix } from './common.js'
import { appendCsv, pythonFloat } from './csv.js'
import { embed } from './embed.js'
import type { EvaluatedModel, EvaluationContext, EvaluationResult } from './evaluator.js'
import { classificationScores } from './mteb/classification-scores.js'
import { SentenceEvaluator } from './sentence-evaluator.js'

/** The CSV file is `text_classification_evaluation_{name}_results.csv`. */
export interface TextClassificationEvaluatorOptions extends CommonOptions {
  /** What the classifier is fitted on. */
  train: ClassificationData
  /** What it is measured on. */
  test: ClassificationData
  /** Inverse strength of the classifier's L2 penalty. Default 1. */
  c?: number
  /** Divide every embedding by its length. Default false. */
  normalizeEmbeddings?: boolean
}

/**
 * How well a logistic regression over the embeddings of labelled texts tells the classes of other texts: what embeddings are worth
 * for classification, with or without fine-tuning.
 *
 * Metrics: `accuracy` (the primary one) and `f1`, the mean of the classes' F1. Source of the classifier: scikit-learn
 * `LogisticRegression`, as SetFit takes it.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_INVALID_DATA (lengths, texts, fewer than two labels, unknown test labels)
 */
export class TextClassificationEvaluator extends SentenceEvaluator {
  override readonly name: string
  readonly #options: TextClassificationEvaluatorOptions
  readonly #classes: readonly ClassLabel[]

  constructor(options: TextClassificationEvaluatorOptions) {
    super()
    const where = 'TextClassificationEvaluator'
    checkOptions(where, options, ['train', 'test', 'c', 'normalizeEmbeddings', ...COMMON_OPTIONS])
    checkCommon(where, options)
    for (const name of ['train', 'test'] as const) {
      const data = options[name]
      if (typeof data !== 'object' || data === null)
        throw invalidArgument(`${where} ${name}`, '{ texts, labels }', data)
      checkColumns(`${where} ${name}`, { texts: data.texts, labels: data.labels }, ['texts'])
    }
    checkPositive(`${where} c`, options.c)
    checkType(`${where} normalizeEmbeddings`, options.normalizeEmbeddings, 'boolean')
    this.#classes = classesOf(options.train.labels, `${where} train`)
    classNumbers(options.test.labels, this.#classes, `${where} test`)
    this.name = options.name ?? ''
    this.#options = ownCopy(options)
  }

  /** Fits the classifier on the model's embeddings and measures it. */
  async evaluate(model: EvaluatedModel, context: EvaluationContext = {}): Promise<EvaluationResult> {
    const { train, test, c, writeCsv = true } = this.#options
    const [x, rows] = [
      await embed(model, 'encode', train.texts, this.#options, context),
      await embed(model, 'encode', test.texts, this.#options, context),
    ]
    const [y, gold] = [train, test].map(({ labels }) => classNumbers(labels, this.#classes, this.name))
    const { runExperiments } = await import('./mteb/experiments.js')
    const experiment = { x: x.data, y: y!, ...(c !== undefined && { options: { c } }) }
    const classes = this.#classes.length
    const [reply] = await runExperiments([experiment], { test: rows.data, classes }, context.signal)
    const { predicted } = reply!
    const { accuracy, f1 } = classificationScores(gold!, predicted, classes)
    if (context.outputPath !== undefined && writeCsv) {
      const file = `text_classification_evaluation${suffix(this.name)}_results.csv`
      const cells = [...contextCells(context), pythonFloat(accuracy), pythonFloat(f1)]
      await appendCsv(context.outputPath, file, ['epoch', 'steps', 'accuracy', 'f1'], cells)
    }
    const items = {
      accuracy: { scores: predicted.map((guess, i) => Number(guess === gold![i])) },
      f1: { scores: predicted, gold: gold!, classes },
    }
    return named(this.name, { accuracy, f1 }, 'accuracy', context.items ? items : undefined)
  }
}
