import { invalidArgument } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import { loadAddon } from '../native/load.js'
import type { GenerationOptions } from '../native/types.js'
import { checkInteger } from '../options.js'
import type { SavedAdapter } from './adapters/config.js'
import { BaseModel } from './base-model.js'
import { type GeneratedText, generateTexts } from './generate.js'
import { writeSeq2SeqFolder } from './save-seq2seq.js'
import { loadSeq2SeqParts, type Seq2SeqParts } from './seq2seq-load.js'
import { type GenerateOptions, generationOptions, type Seq2SeqLoadOptions } from './seq2seq-options.js'
import { openSeq2SeqWeights } from './seq2seq-weights.js'
import { TextQueue } from './text-queue.js'
import { guardOf } from './weight-guard.js'
import type { WeightFiles } from './weights.js'

/**
 * A model that reads a text and writes another one: queries for passages, translations, summaries.
 *
 * ```ts
 * const model = await Seq2SeqModel.load('BeIR/query-gen-msmarco-t5-base-v1')
 * const queries = await model.generate(passages, { doSample: true, topP: 0.95, maxNewTokens: 64, numReturnSequences: 3 })
 * await model.dispose()
 * ```
 * Source: transformers `T5ForConditionalGeneration` and `MT5ForConditionalGeneration`.
 */
export class Seq2SeqModel extends BaseModel<Seq2SeqParts> {
  private constructor(parts: Seq2SeqParts) {
    super('Seq2SeqModel', parts)
  }

  /**
   * Loads a model from a local folder, the Hugging Face cache, or the Hugging Face hub, in this order.
   * @param idOrPath a folder, or a hub id
   * @throws SentenceTorchError ERR_NOT_FOUND, ERR_INVALID_MODEL, ERR_INVALID_TENSORS, ERR_NOT_IMPLEMENTED, ERR_UNSUPPORTED,
   * ERR_NETWORK, ERR_ADDON_LOAD, ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
   */
  static async load(idOrPath: string, options: Seq2SeqLoadOptions = {}): Promise<Seq2SeqModel> {
    return new Seq2SeqModel(await loadSeq2SeqParts(loadAddon, idOrPath, options))
  }

  /** Tokens to which sources are cut, special tokens included. Settable. */
  get maxSeqLength(): number {
    return this.parts.tokenizer.maxSeqLength
  }

  set maxSeqLength(value: number) {
    checkInteger('maxSeqLength', value ?? null, 1)
    this.use().tokenizer.maxSeqLength = value
  }

  /**
   * The texts that the model writes for sources, in their order; with `numReturnSequences` so many after one another for each
   * source. Computed in short jobs off the JavaScript thread. A training of the model waits meanwhile.
   * Source: transformers `generate` and `batch_decode` with `skip_special_tokens`.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT, also for an empty source, by its index; ERR_UNKNOWN_OPTION,
   * ERR_NOT_IMPLEMENTED, ERR_ABORTED, ERR_DISPOSED, ERR_OUT_OF_MEMORY
   */
  async generate(texts: readonly string[], options: GenerateOptions = {}): Promise<string[]> {
    const engineOptions = this.#options(options)
    const sources = this.#sources(texts, options)
    const { answers = 1 } = engineOptions
    const written = new Array<string>(sources.length * answers)
    await this.#write(sources, engineOptions, { ...options }, ({ index, number, text }) => {
      written[index * answers + number] = text
    })
    return written
  }

  /**
   * Like {@link generate}, and gives each text as soon as it is done: `for await (const { index, text } of …)`. Leaving the loop
   * stops the work.
   */
  generateStream(
    texts: readonly string[],
    options: GenerateOptions = {},
  ): AsyncGenerator<GeneratedText, void, undefined> {
    const engineOptions = this.#options(options)
    return this.#stream(this.#sources(texts, options), engineOptions, { ...options })
  }

  async *#stream(
    sources: readonly string[],
    engineOptions: GenerationOptions,
    options: GenerateOptions,
  ): AsyncGenerator<GeneratedText, void, undefined> {
    const queue = new TextQueue<GeneratedText>()
    const left = new AbortController()
    const signal = options.signal ? AbortSignal.any([options.signal, left.signal]) : left.signal
    const work = this.#write(sources, engineOptions, { ...options, signal }, (text) => queue.put(text)).then(
      () => queue.end(),
      (error: unknown) => queue.end(error),
    )
    try {
      yield* queue
    } finally {
      left.abort()
      await work
    }
  }

  /** @throws SentenceTorchError for options */
  #options(options: GenerateOptions): GenerationOptions {
    const { generation, description } = this.use().folder
    return generationOptions(options, generation, description.vocabulary)
  }

  /** A copy of the sources, with the prompt. @throws SentenceTorchError */
  #sources(texts: unknown, { prompt, promptName }: GenerateOptions): string[] {
    checkSources(texts)
    const front = this.promptOf({
      ...(prompt !== undefined && { prompt }),
      ...(promptName !== undefined && { promptName }),
    })
    return texts.map((text) => front + text)
  }

  async #write(
    texts: readonly string[],
    options: GenerationOptions,
    { signal, batchSize = 32 }: GenerateOptions,
    emit: (text: GeneratedText) => void,
  ): Promise<void> {
    const { addon, encoder, tokenizer } = this.use()
    throwIfAborted(signal, 'generate')
    const sources = await tokenizer.encodeAll(texts, tokenizer.maxSeqLength, signal ? { signal } : {})
    await guardOf(encoder).hold(() =>
      generateTexts({ addon, encoder, tokenizer, sources, options, batchSize, signal, emit }),
    )
  }

  protected savedModules(): [] {
    return []
  }

  protected writer(_target: string, adapter: SavedAdapter | undefined): (folder: string) => Promise<void> {
    const { folder, encoder, names, tokenizer } = this.use()
    const settings = { ...folder, maxSeqLength: tokenizer.maxSeqLength }
    return (path) => writeSeq2SeqFolder(path, settings, { encoder, names }, adapter)
  }

  protected async openWeights(path: string): Promise<WeightFiles> {
    const { description } = this.parts.folder
    const { weights } = await openSeq2SeqWeights({ path, transformerPath: path, description, modules: [] })
    return weights
  }
}

/** @throws ERR_INVALID_ARGUMENT naming what is no text, or has no words */
function checkSources(texts: unknown): asserts texts is readonly string[] {
  if (!Array.isArray(texts)) throw invalidArgument('texts', 'an array of strings', texts)
  texts.forEach((text: unknown, i) => {
    if (typeof text !== 'string') throw invalidArgument(`texts[${i}]`, 'a string', text)
    if (text.trim() === '') throw invalidArgument(`texts[${i}]`, 'a text that is not empty', text)
  })
}
