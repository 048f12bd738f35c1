import { PairTokenizer } from '../data/pairs.js'
import type { Tokenizer } from '../data/tokenizer.js'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import { loadAddon } from '../native/load.js'
import type { ConfigObject, NativeEncoder } from '../native/types.js'
import { checkInteger, checkOneOf } from '../options.js'
import { ACTIVATION_NAMES, type ActivationName, applyActivation, softmaxRows } from './activations.js'
import { type CrossEncoderParts, loadCrossEncoderParts } from './cross-encoder-load.js'
import {
  type CrossEncoderLoadOptions,
  checkPredictOptions,
  checkRankOptions,
  type PredictOptions,
  type RankOptions,
} from './cross-encoder-options.js'
import { encodeRows, throwIfAborted } from './encode.js'
import { noSuchPrompt } from './load-parts.js'
import { EncodeProgress } from './progress.js'
import { saveCrossEncoderFolder } from './save-cross-encoder.js'
import { checkPairs, isPair, type Pair, type Scores, scores } from './scores.js'
import { WeightFiles } from './weights.js'

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
export class CrossEncoder {
  readonly #parts: CrossEncoderParts
  readonly #pairs: PairTokenizer
  #disposed: Promise<void> | undefined

  private constructor(parts: CrossEncoderParts) {
    this.#parts = parts
    this.#pairs = new PairTokenizer(parts.tokenizer)
  }

  /**
   * Loads a model from a local folder, the Hugging Face cache, or the Hugging Face hub, in this order: what CrossEncoder of
   * sentence-transformers 2.x to 6.x saves, any BertForSequenceClassification, or a bare BERT, which gets a new classifier
   * and a warning.
   * @param idOrPath a folder, or a hub id; a bare name means one of `cross-encoder/`.
   * @throws SentenceTorchError ERR_NOT_FOUND, ERR_INVALID_MODEL, ERR_INVALID_TENSORS, ERR_NOT_IMPLEMENTED, ERR_UNSUPPORTED,
   * ERR_NETWORK, ERR_ADDON_LOAD, ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
   */
  static async load(idOrPath: string, options: CrossEncoderLoadOptions = {}): Promise<CrossEncoder> {
    return new CrossEncoder(await loadCrossEncoderParts(loadAddon, idOrPath, options))
  }

  /** Device that computes: `cpu`, `cuda:0`, … */
  get device(): string {
    return this.#parts.device
  }

  /** Number type of the computation. */
  get dtype(): 'float32' | 'bfloat16' | 'int8' {
    return this.#parts.dtype
  }

  /** Scores per pair. */
  get numLabels(): number {
    return this.#parts.folder.numLabels
  }

  /** What `predict` applies to the logits. Settable; saved with the model. */
  get activationFn(): ActivationName {
    return this.#parts.folder.activationFn
  }

  set activationFn(value: ActivationName) {
    checkOneOf('activationFn', value ?? null, ACTIVATION_NAMES)
    this.#parts.folder.activationFn = value
  }

  /** Tokens to which pairs are cut, special tokens included. Settable, up to the number of position embeddings. */
  get maxLength(): number {
    return this.#parts.tokenizer.maxSeqLength
  }

  set maxLength(value: number) {
    const { tokenizer, encoder } = this.#use()
    checkInteger('maxLength', value ?? null, this.#pairs.specialTokens, encoder.maxPositions)
    tokenizer.maxSeqLength = value
  }

  /** Prompts by name, to be put in front of the first texts. May be edited. */
  get prompts(): Record<string, string> {
    return this.#parts.folder.prompts
  }

  /** The prompt that `predict` uses when none is asked for. */
  get defaultPromptName(): string | null {
    return this.#parts.folder.defaultPromptName
  }

  /**
   * Scores of pairs, in their order: `{ data, shape: [n] }` for one label, `[n, numLabels]` for several; of a single pair its
   * scores, a Float32Array [numLabels]. Computed in batches sorted by length, off the JavaScript thread.
   * Source: sentence-transformers `CrossEncoder.predict`.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT (what is no pair of strings, by its index), ERR_UNKNOWN_OPTION,
   * ERR_NOT_IMPLEMENTED, ERR_ABORTED, ERR_DISPOSED
   */
  predict(pair: Pair, options?: PredictOptions): Promise<Float32Array>
  predict(pairs: readonly Pair[], options?: PredictOptions): Promise<Scores>
  async predict(input: Pair | readonly Pair[], options: PredictOptions = {}): Promise<Float32Array | Scores> {
    if (isPair(input)) return (await this.predict([input], options)).data
    checkPairs(input)
    checkPredictOptions('predict', options)
    const width = this.#use().encoder.embeddingDimension
    const data = await this.#logits(input, options)
    applyActivation(options.activation ?? options.activationFn ?? this.activationFn, data, width)
    // Over a single label it would make every score 1.
    if (options.applySoftmax && width > 1) softmaxRows(data, width)
    return scores(data, input.length, width)
  }

  /**
   * The documents by falling score with `query`; equal scores keep the documents' order. For models with one label.
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
    const { topK = documents.length, returnDocuments = false, ...predict } = options
    const { data } = await this.predict(
      documents.map((document: string): Pair => [query, document]),
      predict,
    )
    return Array.from(data, (score, corpusId) => ({ corpusId, score }))
      .sort((a, b) => b.score - a.score)
      .slice(0, topK)
      .map((hit) => (returnDocuments ? { ...hit, text: documents[hit.corpusId]! } : hit))
  }

  /**
   * Saves the model as a folder that `load`, sentence-transformers (4.x to 6.x) and transformers read: weights in float32,
   * tokenizer, settings, a model card. An older folder at `path` is replaced as a whole, or left as it was if anything fails;
   * files in it that belong to no model are kept.
   * @throws SentenceTorchError ERR_DISPOSED, or the file system's error
   */
  async save(path: string): Promise<void> {
    const { folder, encoder, tokenizer, addon, id } = this.#use()
    if (typeof path !== 'string' || path === '') throw invalidArgument('path', 'the path of a folder', path)
    await saveCrossEncoderFolder(path, { ...folder, maxSeqLength: tokenizer.maxSeqLength }, encoder, {
      ...(id === undefined ? {} : { baseModel: id }),
      version: addon.runtime().addonVersion,
    })
  }

  /** Frees the weights once the work that is queued is done; later calls throw ERR_DISPOSED. Idempotent. */
  async dispose(): Promise<void> {
    this.#disposed ??= Promise.all([this.#parts.encoder.dispose(), this.#parts.tokenizer.dispose()]).then(() => {})
    await this.#disposed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose()
  }

  /** The transformer's config.json as it was read. Do not change it. */
  get config(): ConfigObject {
    return this.#parts.folder.config
  }

  /** @internal The engine's encoder, whose embeddings are logits, for the trainer. */
  get encoder(): NativeEncoder {
    return this.#use().encoder
  }

  /** @internal Takes the weights of a folder that `save` wrote, for the trainer. */
  async loadWeights(path: string): Promise<void> {
    const weights = await WeightFiles.open({ path, transformerPath: path, modules: [] })
    try {
      await weights.load(this.#use().encoder)
    } finally {
      await weights.close()
    }
  }

  /** @internal Texts to token ids, for the trainer. */
  get tokenizer(): Tokenizer {
    return this.#use().tokenizer
  }

  /** @internal Pairs to token ids, for the trainer. */
  get pairTokenizer(): PairTokenizer {
    this.#use()
    return this.#pairs
  }

  #use(): CrossEncoderParts {
    if (this.#disposed) throw new SentenceTorchError('ERR_DISPOSED', 'This CrossEncoder has been disposed')
    return this.#parts
  }

  #prompt({ prompt, promptName }: PredictOptions): string {
    if (prompt !== undefined && promptName !== undefined) {
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', 'Expected prompt or promptName, but received both')
    }
    if (prompt !== undefined) return prompt
    const name = promptName ?? this.defaultPromptName
    if (name === null) return ''
    if (Object.hasOwn(this.prompts, name)) return this.prompts[name]!
    throw noSuchPrompt('promptName', name, this.prompts)
  }

  async #logits(pairs: readonly Pair[], options: PredictOptions): Promise<Float32Array> {
    const { encoder } = this.#use()
    const { batchSize = 32, signal } = options
    const prompt = this.#prompt(options)
    throwIfAborted(signal)
    const width = encoder.embeddingDimension
    const data = new Float32Array(pairs.length * width)
    const progress = options.showProgressBar && pairs.length > 0 ? new EncodeProgress(pairs.length) : undefined
    await encodeRows({
      encoder,
      count: pairs.length,
      tokenize: (start, end) => {
        const slice = pairs.slice(start, end)
        return this.#pairs.encode(
          slice.map(([first]) => prompt + first),
          slice.map(([, second]) => second),
          this.maxLength,
          signal ? { signal } : {},
        )
      },
      output: 'sentence_embedding',
      batchSize,
      ...(signal ? { signal } : {}),
      ...(progress ? { onDone: (done: number) => progress.update(done) } : {}),
      put: (i, values) => data.set(values, i * width),
    })
    return data
  }
}
