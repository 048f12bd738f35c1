import { join } from 'node:path'
import { invalidArgument } from '../../errors.js'
import { writeFileAtomic } from '../../io/atomic.js'
import { makeFolder } from '../../io/files.js'
import { unlessRefused } from '../../io/unwritten.js'
import { checkInteger, checkOptions, ownCopy } from '../../options.js'
import { type ClassificationData, type ClassLabel, classesOf, classNumbers } from '../class-labels.js'
import { COMMON_OPTIONS, type CommonOptions, checkColumns, checkCommon, mean, named } from '../common.js'
import { embed } from '../embed.js'
import type { EvaluatedModel, EvaluationContext, EvaluationResult } from '../evaluator.js'
import { SentenceEvaluator } from '../sentence-evaluator.js'
import { type ClassificationScores, classificationScores } from './classification-scores.js'
import type { Experiment } from './experiments.js'
import type { MtebTaskResult } from './task-result.js'

/** `batchSize` is 32 unless given. `writeCsv` controls MTEB's `Banking77Classification.json` instead of a CSV file. */
export interface Banking77ClassificationOptions extends CommonOptions {
  /** The 10,003 rows from which training samples are drawn, in the order of the published file, on which the samples depend. */
  train: ClassificationData
  /** The 3,080 rows to classify. */
  test: ClassificationData
  /** Default 10. */
  experiments?: number
  /** Default 8. */
  samplesPerLabel?: number
  /** Default 42. */
  seed?: number
}

/**
 * MTEB's task Banking77Classification (https://arxiv.org/abs/2210.07316, version 2). Ten times, a logistic regression is
 * trained on the embeddings of eight texts per intent and predicts the intents of the test texts. Samples and classifier
 * are those of MTEB (numpy's shuffle, scikit-learn's L-BFGS), so the numbers are comparable with published ones.
 *
 * Metrics, as means of the experiments: `accuracy` (the primary one), `f1`, `f1_weighted`, `precision`,
 * `precision_weighted`, `recall`, `recall_weighted`. They are macro means over the classes, unless weighted. The output
 * path, if there is one, gets MTEB's result file with the scores of every experiment.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_INVALID_DATA (fewer than three labels, unknown test labels)
 */
export class Banking77Classification extends SentenceEvaluator {
  override readonly name: string
  readonly #options: Banking77ClassificationOptions
  readonly #classes: readonly ClassLabel[]

  constructor(options: Banking77ClassificationOptions) {
    super()
    const where = 'Banking77Classification'
    checkOptions(where, options, ['train', 'test', 'experiments', 'samplesPerLabel', 'seed', ...COMMON_OPTIONS])
    checkCommon(where, options)
    for (const name of ['train', 'test'] as const) {
      if (typeof options[name] !== 'object' || options[name] === null) {
        throw invalidArgument(`${where} ${name}`, '{ texts, labels }', options[name])
      }
      const { texts, labels } = options[name]
      checkColumns(`${where} ${name}`, { texts, labels }, ['texts'])
    }
    checkInteger(`${where} experiments`, options.experiments, 1)
    checkInteger(`${where} samplesPerLabel`, options.samplesPerLabel, 1)
    checkInteger(`${where} seed`, options.seed, 0, 2 ** 32 - 1)
    this.#classes = classesOf(options.train.labels, where, 3)
    classNumbers(options.test.labels, this.#classes, `${where} test`)
    this.name = options.name ?? ''
    this.#options = { batchSize: 32, ...ownCopy(options) }
  }

  async evaluate(model: EvaluatedModel, context: EvaluationContext = {}): Promise<EvaluationResult> {
    const { metrics } = await this.run(model, context)
    return named(this.name, { ...metrics }, 'accuracy')
  }

  /** `evaluate`, with the scores of every experiment as MTEB reports them. */
  async run(
    model: EvaluatedModel,
    context: EvaluationContext = {},
  ): Promise<{ metrics: ClassificationScores; result: MtebTaskResult }> {
    const started = performance.now()
    // Loaded on first use, so encode-only processes skip it.
    const [{ runExperiments }, { taskResult }, { undersample }] = await Promise.all([
      import('./experiments.js'),
      import('./task-result.js'),
      import('./undersample.js'),
    ])
    const { train, test, writeCsv = true } = this.#options
    const { experiments = 10, samplesPerLabel = 8, seed = 42 } = this.#options
    const samples = undersample(train.labels, experiments, samplesPerLabel, seed)
    const classes = this.#classes.length
    const testRows = await embed(model, 'encode', test.texts, this.#options, context)
    const data = await this.#experiments(model, samples, context)
    const replies = await runExperiments(data, { test: testRows.data, classes }, context.signal)
    const expected = classNumbers(test.labels, this.#classes, 'test')
    const scores = replies.map(({ predicted }) => classificationScores(expected, predicted, classes))
    const keys = Object.keys(scores[0]!) as (keyof ClassificationScores)[]
    const metrics = Object.fromEntries(
      keys.map((key) => [key, mean(scores.map((score) => score[key]))]),
    ) as unknown as ClassificationScores
    const result = taskResult(scores, metrics, (performance.now() - started) / 1000)
    if (context.outputPath !== undefined && writeCsv) {
      const folder = context.outputPath
      const path = join(folder, 'Banking77Classification.json')
      await unlessRefused(path, async () => {
        await makeFolder(folder)
        await writeFileAtomic(path, `${JSON.stringify(result, null, 4)}\n`)
      })
    }
    return { metrics, result }
  }

  /** Embeds every sampled text once. */
  async #experiments(
    model: EvaluatedModel,
    samples: readonly number[][],
    context: EvaluationContext,
  ): Promise<Experiment[]> {
    const { texts, labels } = this.#options.train
    const rows = [...new Set(samples.flat())]
    const places = new Map(rows.map((row, i) => [row, i]))
    const wanted = rows.map((row) => texts[row]!)
    const all = await embed(model, 'encode', wanted, this.#options, context)
    const width = all.shape[1]
    const classes = classNumbers(labels, this.#classes, 'train')
    return samples.map((sample) => {
      const x = new Float32Array(sample.length * width)
      sample.forEach((row, i) => {
        x.set(all.row(places.get(row)!), i * width)
      })
      return { x, y: Int32Array.from(sample, (row) => classes[row]!) }
    })
  }
}
