import type { Dataset } from '../data/dataset.js'
import { isDataset } from '../data/feed.js'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import type { ClassificationData, ClassLabel } from '../evaluation/class-labels.js'
import { checkColumns } from '../evaluation/common.js'
import { embed } from '../evaluation/embed.js'
import { namedTexts } from '../evaluation/labelled-texts.js'
import { CosineSimilarityLoss } from '../losses/cosine-similarity.js'
import { type Embeddings, embeddings } from '../models/embeddings.js'
import { resolveModel } from '../models/hub.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import { type LoadOptions, SOURCE_OPTIONS } from '../models/types.js'
import { flag, integer, type OptionTable, optionValues, positive } from '../options/kinds.js'
import { checkOptions } from '../options.js'
import {
  type PartialTrainingArguments,
  type ProgressOutput,
  SentenceTransformerTrainer,
  type TrainResult,
} from '../training/index.js'
import { type ContrastivePairsOptions, contrastivePairs } from './contrastive-pairs.js'
import {
  fitHead,
  HEAD_FILES,
  type LogisticHead,
  type LogisticHeadOptions,
  probabilitiesOf,
  readHead,
  saveHead,
} from './logistic-head.js'

export interface TextClassifierOptions extends LogisticHeadOptions {
  /** Divide embeddings by their lengths before the head. Default false. */
  normalizeEmbeddings?: boolean
}

export interface ClassifierFitOptions extends ContrastivePairsOptions {
  /** Training arguments, laid over {@link FEW_SHOT_ARGUMENTS}. */
  args?: PartialTrainingArguments
  /** Where training shows its progress. Default: nowhere. */
  progress?: ProgressOutput | false
  signal?: AbortSignal
}

export interface PredictTextsOptions {
  /** Texts that are computed together. Default 32. */
  batchSize?: number
  signal?: AbortSignal
}

/** Texts with their classes: arrays, or a data set, as {@link namedTexts} reads it. */
export type LabelledTextsData = Dataset | ClassificationData

const OPTIONS = {
  c: positive(1),
  maxIterations: integer(100, { least: 1 }),
  normalizeEmbeddings: flag(false),
} satisfies OptionTable<TextClassifierOptions>

/** SetFit's arguments of the contrastive training: one epoch over the pairs. */
export const FEW_SHOT_ARGUMENTS = {
  ...{ numTrainEpochs: 1, perDeviceTrainBatchSize: 16, learningRate: 2e-5, warmupSteps: 0.1, weightDecay: 0.01 },
} satisfies PartialTrainingArguments

/** The pairs of a training that may be limited to `maxSteps`. Source: SetFit `Trainer.train_embeddings`. */
export function trainingPairs(
  data: ClassificationData,
  options: ContrastivePairsOptions,
  { maxSteps = -1, perDeviceTrainBatchSize = FEW_SHOT_ARGUMENTS.perDeviceTrainBatchSize }: PartialTrainingArguments,
): Promise<Dataset> {
  return contrastivePairs(data, {
    ...(maxSteps > 0 && { maxPairs: Math.max(2, maxSteps * perDeviceTrainBatchSize) }),
    ...options,
  })
}

let create: (model: SentenceTransformer, options: TextClassifierOptions, head?: LogisticHead) => TextClassifier

/**
 * A classifier of texts that learns from few examples, SetFit's way: the model is trained on pairs of the texts, which belong to one
 * class or do not, and a logistic regression over its embeddings tells the classes.
 *
 * ```ts
 * const classifier = await TextClassifier.create('sentence-transformers/all-MiniLM-L6-v2')
 * await classifier.fit({ texts: ['so good', 'great', 'awful', 'bad'], labels: ['good', 'good', 'bad', 'bad'] })
 * const labels = await classifier.predict(['not my taste'])   // [ 'bad' ]
 * await classifier.save('models/taste')
 * ```
 * Source: SetFit `SetFitModel` and `Trainer`. Paper: Tunstall et al. 2022, https://arxiv.org/abs/2209.11055.
 */
export class TextClassifier {
  /** What embeds the texts. */
  readonly model: SentenceTransformer
  readonly #options: Required<TextClassifierOptions>
  #head: LogisticHead | undefined

  static {
    create = (model, options, head) => new TextClassifier(model, options, head)
  }

  private constructor(model: SentenceTransformer, options: TextClassifierOptions, head?: LogisticHead) {
    this.model = model
    this.#options = optionValues('TextClassifier', options, OPTIONS)
    this.#head = head
  }

  /**
   * A classifier that has not been fitted.
   * @param model a loaded model, which `fit` changes, or a folder or hub id
   * @throws as `SentenceTransformer.load`
   */
  static async create(
    model: string | SentenceTransformer,
    options: TextClassifierOptions = {},
  ): Promise<TextClassifier> {
    const checked = optionValues('TextClassifier.create', options, OPTIONS)
    if (typeof model !== 'string' && !(model instanceof SentenceTransformer)) {
      throw invalidArgument('model', 'a SentenceTransformer, a folder or a hub id', model)
    }
    return create(typeof model === 'string' ? await SentenceTransformer.load(model) : model, checked)
  }

  /**
   * Loads what `save` or the recipe `fewShot` wrote.
   * @throws as `SentenceTransformer.load`; ERR_NOT_FOUND for a model without a head; ERR_INVALID_MODEL for a head that does not fit
   */
  static async load(idOrPath: string, options: LoadOptions = {}): Promise<TextClassifier> {
    const source = Object.fromEntries(Object.entries(options).filter(([name]) => SOURCE_OPTIONS.includes(name)))
    const { path } = await resolveModel(idOrPath, { ...source, files: HEAD_FILES })
    const head = await readHead(path)
    const model = await SentenceTransformer.load(idOrPath, options)
    return create(model, { normalizeEmbeddings: head.normalizeEmbeddings }, head)
  }

  /** The classes in the order of the probabilities; empty before the first fit. */
  get labels(): readonly ClassLabel[] {
    return this.#head?.labels ?? []
  }

  /**
   * Trains the model on pairs of the texts, then fits the head.
   * @throws ERR_INVALID_DATA for fewer than two classes; ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION; what training throws
   */
  async fit(data: LabelledTextsData, options: ClassifierFitOptions = {}): Promise<TrainResult> {
    const { args = {}, progress = false, signal, ...pairing } = options
    const labelled = checkedData(data, 'TextClassifier.fit')
    const trainer = new SentenceTransformerTrainer({
      model: this.model,
      trainDataset: await trainingPairs(labelled, pairing, args),
      loss: new CosineSimilarityLoss(),
      args: { saveStrategy: 'no', ...FEW_SHOT_ARGUMENTS, ...args },
      progress,
    })
    const result = await trainer.train(signal ? { signal } : {})
    await this.fitHead(labelled, signal ? { signal } : {})
    return result
  }

  /** Fits the head alone, on the model as it is. @throws as `fit` */
  async fitHead(data: LabelledTextsData, options: PredictTextsOptions = {}): Promise<void> {
    checkOptions('TextClassifier.fitHead', options, ['batchSize', 'signal'])
    const labelled = checkedData(data, 'TextClassifier.fitHead')
    const { signal } = options
    const x = await this.#embed(labelled.texts, options)
    this.#head = await fitHead(labelled, x, { ...this.#options, ...(signal && { signal }) })
  }

  /**
   * The label of each text.
   * @throws ERR_INVALID_ARGUMENT for what is no text, and before the first fit; what `encode` throws
   */
  predict(text: string, options?: PredictTextsOptions): Promise<ClassLabel>
  predict(texts: readonly string[], options?: PredictTextsOptions): Promise<ClassLabel[]>
  async predict(
    input: string | readonly string[],
    options: PredictTextsOptions = {},
  ): Promise<ClassLabel | ClassLabel[]> {
    if (typeof input === 'string') return (await this.predict([input], options))[0]!
    const { data, shape } = await this.predictProba(input, options)
    const { labels } = this
    return Array.from({ length: shape[0] }, (_, row) => {
      let best = 0
      for (let k = 1; k < labels.length; k++) {
        if (data[row * labels.length + k]! > data[row * labels.length + best]!) best = k
      }
      return labels[best]!
    })
  }

  /**
   * The probability of each label, in the order of `labels`: [labels] for one text, [texts, labels] for several.
   * @throws as `predict`
   */
  predictProba(text: string, options?: PredictTextsOptions): Promise<Float32Array>
  predictProba(texts: readonly string[], options?: PredictTextsOptions): Promise<Embeddings>
  async predictProba(
    input: string | readonly string[],
    options: PredictTextsOptions = {},
  ): Promise<Float32Array | Embeddings> {
    checkOptions('TextClassifier.predictProba', options, ['batchSize', 'signal'])
    const head = this.#fitted()
    if (typeof input === 'string') return (await this.predictProba([input], options)).data
    const x = await this.#embed(input, options)
    return embeddings(Float32Array.from(probabilitiesOf(head, x)), x.shape[0], head.labels.length)
  }

  /**
   * Saves the model as `SentenceTransformer.save` does, and beside it the head: `config_setfit.json` names the labels,
   * `model_head.safetensors` has scikit-learn's `coef_` and `intercept_`.
   * @throws ERR_INVALID_ARGUMENT before the first fit; as `SentenceTransformer.save`
   */
  async save(path: string): Promise<void> {
    const head = this.#fitted()
    await this.model.save(path)
    await saveHead(path, head)
  }

  /** @internal Writes the head into the folder of a model that is saved already. */
  saveHead(folder: string): Promise<void> {
    return saveHead(folder, this.#fitted())
  }

  /** Frees the model. */
  dispose(): Promise<void> {
    return this.model.dispose()
  }

  #fitted(): LogisticHead {
    if (this.#head) return this.#head
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', 'The classifier has no head yet: call fit or fitHead first')
  }

  #embed(texts: readonly string[], { batchSize, signal }: PredictTextsOptions): Promise<Embeddings> {
    const { normalizeEmbeddings } = this.#options
    const options = { normalizeEmbeddings, ...(batchSize !== undefined && { batchSize }) }
    return embed(this.model, 'encode', texts, options, signal ? { signal } : {})
  }
}

function checkedData(data: LabelledTextsData, where: string): ClassificationData {
  if (typeof data !== 'object' || data === null)
    throw invalidArgument(`${where} data`, 'a Dataset or { texts, labels }', data)
  if (isDataset(data)) return namedTexts(data, where)
  checkColumns(where, { texts: data.texts, labels: data.labels }, ['texts'])
  return data
}
