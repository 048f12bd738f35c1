import type { PairEncoder } from '../data/pairs.js'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import { loadAddon } from '../native/load.js'
import { checkInteger, checkOneOf } from '../options.js'
import { ACTIVATION_NAMES, type ActivationName, applyActivation, softmaxRows } from './activations.js'
import type { SavedAdapter } from './adapters/config.js'
import type { AdapterOptions } from './adapters/options.js'
import { BaseModel } from './base-model.js'
import { crossEncoderKind } from './card/cross-encoder-card.js'
import type { FullCard } from './card/full-card.js'
import { type CrossEncoderParts, loadCrossEncoderParts, openWeights } from './cross-encoder-load.js'
import {
  type CrossEncoderLoadOptions,
  checkPredictOptions,
  checkRankOptions,
  type PredictOptions,
  type RankOptions,
} from './cross-encoder-options.js'
import { encodeRows, throwIfAborted } from './encode.js'
import { evaluateModel, type ModelEvaluator } from './evaluate-model.js'
import type { MergeMethodName } from './merging/methods.js'
import type { MergeOptions } from './merging/options.js'
import { fullModelCard } from './model-card.js'
import { crossEncoderText } from './model-text.js'
import { EncodeProgress } from './progress.js'
import { writeCrossEncoderFolder } from './save-cross-encoder.js'
import { copyPairs, isPair, type Pair, type Scores, scores } from './scores.js'
import type { WeightFiles } from './weights.js'

export type { Pair, Scores } from './scores.js'

let warnedOfSoftmax = false

function warnOfSoftmax(): void {
  if (warnedOfSoftmax) return
  warnedOfSoftmax = true
  process.emitWarning(
    'CrossEncoder.rank ignores applySoftmax: it ranks by one label, over which a softmax would make every score 1',
    { type: 'SentenceTorchWarning', code: 'WARN_RANK_SOFTMAX', detail: 'Leave applySoftmax out' },
  )
}

/** A document and its score. */
export interface RankedDocument {
  /** Its place among the documents that were given. */
  corpusId: number
  score: number
  /** With `returnDocuments`. */
  text?: string
}

/**
 * A model that reads two texts together and gives them a score, or a score for each of several labels: more accurate than
 * comparing embeddings, but every pair has to pass the model.
 *
 * ```ts
 * const model = await CrossEncoder.load('cross-encoder/ms-marco-MiniLM-L6-v2')
 * const { data } = await model.predict([['a question', 'an answer'], ['a question', 'something else']])
 * const best = await model.rank('a question', documents, { topK: 10 })   // [{ corpusId, score }, …]
 * await model.dispose()
 * ```
 * Source: sentence-transformers `CrossEncoder`.
 */
export class CrossEncoder extends BaseModel<CrossEncoderParts> {
  private constructor(parts: CrossEncoderParts) {
    super('CrossEncoder', parts)
  }

  /**
   * Loads a model from a local folder, the Hugging Face cache, or the Hugging Face hub, in this order: what CrossEncoder of
   * sentence-transformers 2.x to 6.x saves, any …ForSequenceClassification, any …ForCausalLM (its score: the logit of `yes` less
   * that of `no`), or a bare transformer, which gets a new classifier and a warning.
   * @param idOrPath a folder, or a hub id; a bare name means one of `cross-encoder/`.
   * @throws SentenceTorchError ERR_NOT_FOUND, ERR_INVALID_MODEL, ERR_INVALID_TENSORS, ERR_NOT_IMPLEMENTED, ERR_UNSUPPORTED,
   * ERR_NETWORK, ERR_ADDON_LOAD, ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
   */
  static async load(idOrPath: string, options: CrossEncoderLoadOptions = {}): Promise<CrossEncoder> {
    return new CrossEncoder(await loadCrossEncoderParts(loadAddon, idOrPath, options))
  }

  /**
   * Merges cross-encoders of one architecture, as `SentenceTransformer.merge`, their classifiers with the rest.
   * Source: sentence-transformers `CrossEncoder.merge`.
   * @throws SentenceTorchError as there
   */
  static async merge(
    models: readonly (string | CrossEncoder)[],
    method: MergeMethodName = 'linear',
    options: MergeOptions<CrossEncoder> = {},
  ): Promise<CrossEncoder> {
    const { mergeModels, crossEncoders } = await import('./merging/index.js')
    const kind = {
      kind: crossEncoders,
      getAddon: loadAddon,
      partsOf: (value: unknown) => (value instanceof CrossEncoder ? value.use() : undefined),
      load: (path: string) => loadCrossEncoderParts(loadAddon, path, {}),
      create: (parts: CrossEncoderParts) => new CrossEncoder(parts),
    }
    return mergeModels(kind, models, method, options)
  }

  /** Scores per pair. */
  get numLabels(): number {
    return this.parts.folder.numLabels
  }

  /** What `predict` applies to the logits. Settable; saved with the model. */
  get activationFn(): ActivationName {
    return this.parts.folder.activationFn
  }

  set activationFn(value: ActivationName) {
    checkOneOf('activationFn', value ?? null, ACTIVATION_NAMES)
    this.parts.folder.activationFn = value
  }

  /** Tokens to which pairs are cut, special tokens included. Settable, up to the number of position embeddings. */
  get maxLength(): number {
    return this.parts.tokenizer.maxSeqLength
  }

  set maxLength(value: number) {
    const { tokenizer, folder, pairs } = this.use()
    checkInteger('maxLength', value ?? null, pairs.specialTokens, folder.description.positions ?? undefined)
    tokenizer.maxSeqLength = value
  }

  /**
   * Scores of pairs, in their order: `{ data, shape: [n] }` for one label, `[n, numLabels]` for several; of a single pair its
   * scores, a Float32Array [numLabels]. Computed in batches sorted by length, off the JavaScript thread.
   * Pairs, options and settings are those at the call, whatever happens to them later.
   * Beside a training the scores of many pairs may come from several of its steps; inside of `hold` they come from one.
   * Source: sentence-transformers `CrossEncoder.predict`.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT (what is no pair of strings, by its index), ERR_UNKNOWN_OPTION,
   * ERR_NOT_IMPLEMENTED, ERR_ABORTED, ERR_DISPOSED
   */
  predict(pair: Pair, options?: PredictOptions): Promise<Float32Array>
  predict(pairs: readonly Pair[], options?: PredictOptions): Promise<Scores>
  async predict(input: Pair | readonly Pair[], given: PredictOptions = {}): Promise<Float32Array | Scores> {
    if (isPair(input)) return (await this.predict([input], given)).data
    // Copies, and settings that are read before the first wait: what happens to either later is for later calls.
    const pairs = copyPairs(input)
    checkPredictOptions('predict', given)
    const options = { ...given }
    const activation = options.activation ?? options.activationFn ?? this.activationFn
    const width = this.use().encoder.embeddingDimension
    const data = await this.#logits(pairs, options)
    applyActivation(activation, data, width)
    // Over a single label it would make every score 1.
    if (options.applySoftmax && width > 1) softmaxRows(data, width)
    return scores(data, pairs.length, width)
  }

  /**
   * The documents by falling score with `query`; equal scores keep the documents' order, NaN comes last. For models with one
   * label.
   * Source: sentence-transformers `CrossEncoder.rank`.
   * @throws SentenceTorchError as `predict`, and ERR_INVALID_ARGUMENT for a model with several labels
   */
  async rank(query: string, documents: readonly string[], options: RankOptions = {}): Promise<RankedDocument[]> {
    checkRankOptions(options)
    if (this.numLabels !== 1) {
      const message = `rank needs a model with one label, this one has ${this.numLabels}: use predict`
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
    if (typeof query !== 'string') throw invalidArgument('query', 'a string', query)
    if (!Array.isArray(documents)) throw invalidArgument('documents', 'an array of strings', documents)
    if (options.applySoftmax) warnOfSoftmax()
    const pairs = documents.map((document: string): Pair => [query, document])
    const { topK = pairs.length, returnDocuments = false, ...predict } = options
    const { data } = await this.predict(pairs, predict)
    return Array.from(data, (score, corpusId) => ({ corpusId, score }))
      .sort((a, b) => Number(Number.isNaN(a.score)) - Number(Number.isNaN(b.score)) || b.score - a.score)
      .slice(0, topK)
      .map((hit) => (returnDocuments ? { ...hit, text: pairs[hit.corpusId]![1] } : hit))
  }

  protected savedModules(): [] {
    return []
  }

  /** @internal */
  get cardKind(): 'pairs' {
    return 'pairs'
  }

  /** @internal README.md of the model in the folder `target`; undefined where no training has told what to say. */
  async cardText(target: string): Promise<string | undefined> {
    const card = this.#fullCard(target)
    return card && fullModelCard(card)
  }

  #fullCard(target: string): FullCard | undefined {
    const { folder, tokenizer, id: baseModel } = this.parts
    const training = this.trainingFacts?.()
    const kind = crossEncoderKind(this.numLabels, target)
    const text = crossEncoderText(folder)
    return training && { kind, baseModel, maxSeqLength: tokenizer.maxSeqLength, modelText: text, training }
  }

  protected writer(target: string, adapter: SavedAdapter | undefined): (folder: string) => Promise<void> {
    const { folder, encoder, names, tokenizer, addon, id } = this.use()
    const settings = { ...folder, prompts: { ...folder.prompts }, maxSeqLength: tokenizer.maxSeqLength }
    const card = {
      target,
      ...(id !== undefined && { baseModel: id }),
      version: addon.runtime().addonVersion,
      full: this.#fullCard(target),
    }
    return (path) => writeCrossEncoderFolder(path, settings, { encoder, names }, card, adapter)
  }

  /**
   * The metrics of an evaluator; `evaluator.evaluate(model)` also says which is the primary one.
   * @param outputPath folder for the evaluator's CSV file; none is written without it
   * Source: sentence-transformers `CrossEncoder.evaluate`.
   */
  async evaluate(evaluator: ModelEvaluator<CrossEncoder>, outputPath?: string): Promise<Record<string, number>> {
    return evaluateModel(this, evaluator, outputPath)
  }

  override async addAdapter(options: AdapterOptions = {}): Promise<void> {
    await super.addAdapter(options)
    if (this.parts.folder.isClassifier) return
    process.emitWarning(
      'The classifier of this cross-encoder is new, and an adapter neither trains nor saves it: save the model first, load it ' +
        'and add the adapter to that, or the scores cannot be had again',
      'SentenceTorchWarning',
    )
  }

  protected async openWeights(path: string): Promise<WeightFiles> {
    return (await openWeights({ path, transformerPath: path }, this.parts.folder)).weights
  }

  /** @internal Pairs to token ids, for the trainer. */
  get pairTokenizer(): PairEncoder {
    return this.use().pairs
  }

  async #logits(pairs: readonly Pair[], options: PredictOptions): Promise<Float32Array> {
    const { encoder } = this.use()
    const { batchSize = 32, signal, priority, maxBatchTokens } = options
    const prompt = this.promptOf(options)
    const { maxLength } = this
    throwIfAborted(signal)
    const width = encoder.embeddingDimension
    const data = new Float32Array(pairs.length * width)
    const progress = options.showProgressBar && pairs.length > 0 ? new EncodeProgress(pairs.length) : undefined
    await encodeRows({
      encoder,
      count: pairs.length,
      tokenize: (start, end) => {
        const slice = pairs.slice(start, end)
        return this.parts.pairs.encode(
          slice.map(([first]) => first),
          slice.map(([, second]) => second),
          maxLength,
          { prompt, ...(signal && { signal }) },
        )
      },
      output: 'sentence_embedding',
      batchSize,
      priority,
      maxBatchTokens,
      ...(signal ? { signal } : {}),
      ...(progress ? { onDone: (done: number) => progress.update(done) } : {}),
      put: (i, values) => data.set(values, i * width),
    })
    return data
  }
}
