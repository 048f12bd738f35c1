import { Turns } from '../data/turns.js'
import { describe, invalidArgument, SentenceTorchError } from '../errors.js'
import type { Embeddings } from '../models/embeddings.js'
import { pairwiseSimilarity } from '../models/similarity.js'
import { checkInteger, checkOneOf, checkOptions, checkType } from '../options.js'
import { pearson, spearman } from './correlation.js'
import { appendCsv, pythonFloat } from './csv.js'
import type { EvaluatedModel, EvaluationContext, EvaluationResult, Evaluator } from './evaluator.js'

const SIMILARITY_NAMES = ['cosine', 'dot', 'euclidean', 'manhattan'] as const
export type SimilarityName = (typeof SIMILARITY_NAMES)[number]
type Rows = Pick<Embeddings, 'data' | 'shape'>

export interface EmbeddingSimilarityEvaluatorOptions {
  sentences1: readonly string[]
  sentences2: readonly string[]
  /** Gold similarity of `sentences1[i]` and `sentences2[i]`, of any range. */
  scores: readonly number[]
  /** Texts per batch of `encode`. Default 16. */
  batchSize?: number
  /** The similarity of the primary metric; also the one that is measured when `similarityFnNames` is absent. */
  mainSimilarity?: SimilarityName
  /** The similarities to measure. Default: the model's own. */
  similarityFnNames?: readonly SimilarityName[]
  /** In front of every metric, and in the name of the CSV file. Default: none. */
  name?: string
  /** Default false. */
  showProgressBar?: boolean
  /** Append to `similarity_evaluation_{name}_results.csv` in the output path. Default true. */
  writeCsv?: boolean
  /** Compare only the first dimensions of the embeddings. */
  truncateDim?: number
}

/**
 * How well the similarities of embedded pairs agree with gold scores: Pearson's and Spearman's correlation (ties at their
 * average rank), in double precision; similarities are rounded to float32 first, as there, so that ties are the same.
 *
 * Metrics: `pearson_{fn}`, `spearman_{fn}` for each similarity, and `pearson_max`, `spearman_max` if there are several.
 * Primary: `spearman_{mainSimilarity}`, else `spearman_max`, or the only Spearman. NaN where one side is constant.
 * Source: sentence-transformers `EmbeddingSimilarityEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (`precision`), ERR_INVALID_DATA (scores)
 */
export class EmbeddingSimilarityEvaluator implements Evaluator {
  readonly name: string
  readonly #options: EmbeddingSimilarityEvaluatorOptions

  constructor(options: EmbeddingSimilarityEvaluatorOptions) {
    const where = 'EmbeddingSimilarityEvaluator'
    const names = ['sentences1', 'sentences2', 'scores', 'batchSize', 'mainSimilarity', 'similarityFnNames', 'name']
    checkOptions(where, options, [...names, 'showProgressBar', 'writeCsv', 'truncateDim'], {
      precision: { harmless: [null, 'float32'] },
    })
    checkPairs(options)
    const { mainSimilarity, similarityFnNames, name } = options
    checkInteger(`${where} batchSize`, options.batchSize, 1)
    checkInteger(`${where} truncateDim`, options.truncateDim, 1)
    checkType(`${where} showProgressBar`, options.showProgressBar, 'boolean')
    checkType(`${where} writeCsv`, options.writeCsv, 'boolean')
    checkOneOf(`${where} mainSimilarity`, mainSimilarity, SIMILARITY_NAMES)
    for (const fn of similarityFnNames ?? []) checkOneOf(`${where} similarityFnNames`, fn, SIMILARITY_NAMES)
    if (mainSimilarity !== undefined && similarityFnNames?.length && !similarityFnNames.includes(mainSimilarity)) {
      throw invalidArgument(
        `${where} mainSimilarity`,
        `one of similarityFnNames (${similarityFnNames.join(', ')})`,
        mainSimilarity,
      )
    }
    if (name !== undefined && (typeof name !== 'string' || /[/\\]/.test(name))) {
      throw invalidArgument(`${where} name`, 'a text without slashes', name)
    }
    this.name = name ?? ''
    this.#options = { ...options }
  }

  /** Embeds all pairs and compares; see the class for the metrics. */
  async evaluate(model: EvaluatedModel, context: EvaluationContext = {}): Promise<EvaluationResult> {
    const { scores, mainSimilarity, similarityFnNames, writeCsv = true } = this.#options
    const first = await this.#embed(model, this.#options.sentences1, context)
    const second = await this.#embed(model, this.#options.sentences2, context)
    const functions = similarityFnNames?.length ? similarityFnNames : [mainSimilarity ?? model.similarityFnName]

    const metrics: Record<string, number> = {}
    for (const fn of functions) {
      const similarities = await similaritiesOfPairs(fn, first, second)
      metrics[`pearson_${fn}`] = pearson(scores, similarities)
      metrics[`spearman_${fn}`] = spearman(scores, similarities)
    }
    if (context.outputPath !== undefined && writeCsv) await this.#write(context.outputPath, context, functions, metrics)

    let primary = `spearman_${mainSimilarity ?? functions[0]!}`
    if (functions.length > 1) {
      for (const kind of ['pearson', 'spearman']) {
        metrics[`${kind}_max`] = Math.max(...functions.map((fn) => metrics[`${kind}_${fn}`]!))
      }
      if (mainSimilarity === undefined) primary = 'spearman_max'
    }
    const prefix = this.name === '' ? '' : `${this.name}_`
    return {
      metrics: Object.fromEntries(Object.entries(metrics).map(([key, value]) => [prefix + key, value])),
      primaryMetric: prefix + primary,
    }
  }

  #embed(model: EvaluatedModel, texts: readonly string[], { signal }: EvaluationContext) {
    const { batchSize = 16, showProgressBar = false, truncateDim } = this.#options
    return model.encode([...texts], { batchSize, showProgressBar, truncateDim, signal })
  }

  async #write(
    folder: string,
    { epoch = -1, steps = -1 }: EvaluationContext,
    functions: readonly SimilarityName[],
    metrics: Record<string, number>,
  ): Promise<void> {
    const headers = functions.flatMap((fn) => [`${fn}_pearson`, `${fn}_spearman`])
    const values = functions.flatMap((fn) => [metrics[`pearson_${fn}`]!, metrics[`spearman_${fn}`]!])
    await appendCsv(
      folder,
      `similarity_evaluation${this.name === '' ? '' : `_${this.name}`}_results.csv`,
      ['epoch', 'steps', ...headers],
      [epoch === -1 ? '-1' : pythonFloat(epoch), String(steps), ...values.map(pythonFloat)],
    )
  }
}

/** Rows compared at once: about a millisecond. */
const CHUNK_ROWS = 256

/** `pairwiseSimilarity` in slices, so that many pairs do not keep the event loop. */
async function similaritiesOfPairs(fn: SimilarityName, first: Rows, second: Rows): Promise<Float32Array> {
  const turns = new Turns()
  const rows = first.shape[0]
  const similarities = new Float32Array(rows)
  for (let start = 0; start < rows; start += CHUNK_ROWS) {
    const size = Math.min(CHUNK_ROWS, rows - start)
    const part = ({ data, shape: [, width] }: Rows): Rows => ({
      data: data.subarray(start * width, (start + size) * width),
      shape: [size, width],
    })
    similarities.set(pairwiseSimilarity(fn, part(first), part(second)), start)
    await turns.give()
  }
  return similarities
}

function checkPairs(options: EmbeddingSimilarityEvaluatorOptions): void {
  const { sentences1, sentences2, scores } = options
  for (const [name, value] of Object.entries({ sentences1, sentences2, scores })) {
    if (!Array.isArray(value)) throw invalidArgument(`EmbeddingSimilarityEvaluator ${name}`, 'an array', value)
  }
  if (sentences1.length !== sentences2.length || sentences1.length !== scores.length) {
    throw new SentenceTorchError(
      'ERR_INVALID_DATA',
      `Expected as many sentences1 as sentences2 and scores but received ${sentences1.length}, ${sentences2.length} and ${scores.length}`,
    )
  }
  if (scores.length < 2) {
    throw new SentenceTorchError(
      'ERR_INVALID_DATA',
      `A correlation needs at least 2 pairs but received ${scores.length}`,
    )
  }
  const row = scores.findIndex((score) => typeof score !== 'number' || !Number.isFinite(score))
  if (row !== -1) {
    throw new SentenceTorchError(
      'ERR_INVALID_DATA',
      `Expected a finite number in scores, row ${row}, but found ${describe(scores[row])}`,
    )
  }
}
