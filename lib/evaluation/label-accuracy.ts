import { describe, invalidArgument } from '../errors.js'
import { SoftmaxLoss } from '../losses/softmax.js'
import type { Embeddings } from '../models/embeddings.js'
import { checkOptions, ownCopy } from '../options.js'
import {
  COMMON_OPTIONS,
  type CommonOptions,
  checkColumns,
  checkCommon,
  contextCells,
  invalidData,
  named,
  suffix,
} from './common.js'
import { appendCsv, pythonFloat } from './csv.js'
import { embed } from './embed.js'
import type { EvaluatedModel, EvaluationContext, EvaluationResult } from './evaluator.js'
import { SentenceEvaluator } from './sentence-evaluator.js'
import { type SoftmaxHead, softmaxLogits } from './softmax-head.js'

type Head = SoftmaxHead | (() => SoftmaxHead | Promise<SoftmaxHead>)

/** `batchSize` is 32 unless given; the CSV file is `accuracy_evaluation_{name}_results.csv`. */
export interface LabelAccuracyEvaluatorOptions extends CommonOptions {
  sentences1: readonly string[]
  sentences2: readonly string[]
  /** The class of each pair: 0 … numLabels − 1. */
  labels: readonly number[]
  /** The loss that trained the head. It decides the classifier's inputs. Not with `logits`. */
  loss?: SoftmaxLoss
  /**
   * The classifier: `lossTensors` of a training result, or a function that returns the current ones at every evaluation:
   * `classifier.weight` [numLabels, width] and `classifier.bias` [numLabels]. Not with `logits`.
   */
  lossTensors?: Head
  /** Instead of `loss` and `lossTensors`: computes [rows, numLabels] from the embeddings of both sides. */
  logits?: (first: Embeddings, second: Embeddings) => Embeddings | Promise<Embeddings>
}

/**
 * Share of pairs whose class a softmax head finds from both embeddings. It is the head of `SoftmaxLoss`, which is not part
 * of the model. Of equal logits the first class wins.
 *
 * Metric: `accuracy`, the primary one. Source: sentence-transformers `LabelAccuracyEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_INVALID_DATA (lengths, labels), ERR_INVALID_TENSORS (the head's shape)
 */
export class LabelAccuracyEvaluator extends SentenceEvaluator {
  override readonly name: string
  readonly #options: LabelAccuracyEvaluatorOptions

  constructor(options: LabelAccuracyEvaluatorOptions) {
    super()
    const where = 'LabelAccuracyEvaluator'
    const names = ['sentences1', 'sentences2', 'labels', 'loss', 'lossTensors', 'logits']
    checkOptions(where, options, [...names, ...COMMON_OPTIONS])
    const { sentences1, sentences2, labels, loss, lossTensors, logits } = options
    checkColumns(where, { sentences1, sentences2, labels }, ['sentences1', 'sentences2'])
    checkCommon(where, options)
    const wrong = labels.findIndex((label) => !Number.isInteger(label) || label < 0)
    if (wrong !== -1) {
      throw invalidData(`${where}: expected a class in labels, row ${wrong}, but found ${describe(labels[wrong])}`)
    }
    const hasHead = loss instanceof SoftmaxLoss && lossTensors !== undefined && logits === undefined
    const hasLogits = typeof logits === 'function' && loss === undefined && lossTensors === undefined
    if (!hasHead && !hasLogits) {
      throw invalidArgument(where, 'either a SoftmaxLoss as loss and its lossTensors, or a function as logits', options)
    }
    this.name = options.name ?? ''
    this.#options = { batchSize: 32, ...ownCopy(options) }
  }

  async evaluate(model: EvaluatedModel, context: EvaluationContext = {}): Promise<EvaluationResult> {
    const { sentences1, sentences2, labels, writeCsv = true } = this.#options
    const first = await embed(model, 'encode', sentences1, this.#options, context)
    const second = await embed(model, 'encode', sentences2, this.#options, context)
    const { data, shape } = await this.#logits(first, second)
    if (shape[0] !== labels.length) throw invalidArgument('the result of logits', `${labels.length} rows`, shape[0])
    const right = new Uint8Array(labels.length)
    for (const [i, label] of labels.entries()) {
      const row = data.subarray(i * shape[1], (i + 1) * shape[1])
      if (row.indexOf(row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)) === label) right[i] = 1
    }
    const accuracy = right.reduce((sum, value) => sum + value, 0) / labels.length
    if (context.outputPath !== undefined && writeCsv) {
      const row = [...contextCells(context), pythonFloat(accuracy)]
      const file = `accuracy_evaluation${suffix(this.name)}_results.csv`
      await appendCsv(context.outputPath, file, ['epoch', 'steps', 'accuracy'], row)
    }
    return named(this.name, { accuracy }, 'accuracy', context.items ? { accuracy: { scores: right } } : undefined)
  }

  async #logits(first: Embeddings, second: Embeddings): Promise<Embeddings> {
    const { loss, lossTensors, logits } = this.#options
    if (logits !== undefined) return logits(first, second)
    const head = typeof lossTensors === 'function' ? await lossTensors() : lossTensors
    return softmaxLogits(loss!, head!, first, second)
  }
}
