import type { Tokenizer } from '../../data/tokenizer.js'
import { Seq2SeqModel } from '../../models/seq2seq-model.js'
import { modelKey } from '../fingerprint.js'
import type { GenerateQueriesRequest, QueryGenerator } from './generator.js'

/** As in docTTTTTquery and GenQ: passages of 300 tokens, queries of 64, drawn from the 95 % of the probability. */
const PASSAGE_TOKENS = 300
const SAMPLING = { doSample: true, topP: 0.95, maxNewTokens: 64 } as const

/** A T5 that was trained to write queries, such as `doc2query/msmarco-t5-base-v1`. It is loaded when the first query is wanted. */
export class T5Generator implements QueryGenerator {
  readonly key: unknown
  readonly #source: string
  readonly #signal: AbortSignal | undefined
  #model: Promise<Seq2SeqModel> | undefined

  private constructor(source: string, key: string, signal: AbortSignal | undefined) {
    this.key = { model: key, ...SAMPLING, passageTokens: PASSAGE_TOKENS }
    this.#source = source
    this.#signal = signal
  }

  /** @param source a folder or a hub id */
  static async of(source: string, signal?: AbortSignal): Promise<T5Generator> {
    return new T5Generator(source, await modelKey(source), signal)
  }

  async generate(
    passages: readonly string[],
    { perPassage, seed, signal }: GenerateQueriesRequest,
  ): Promise<string[][]> {
    const model = await this.#loaded()
    const options = { ...SAMPLING, numReturnSequences: perPassage, seed, ...(signal && { signal }) }
    const texts = await model.generate(passages, options)
    return passages.map((_, i) => texts.slice(i * perPassage, (i + 1) * perPassage))
  }

  /** Counts tokens as the model reads them, of which it reads 300 at most. */
  async tokenizer(): Promise<Tokenizer> {
    return (await this.#loaded()).tokenizer
  }

  async dispose(): Promise<void> {
    await (await this.#model)?.dispose()
  }

  #loaded(): Promise<Seq2SeqModel> {
    this.#model ??= this.#load()
    return this.#model
  }

  async #load(): Promise<Seq2SeqModel> {
    const model = await Seq2SeqModel.load(this.#source, this.#signal && { signal: this.#signal })
    model.maxSeqLength = Math.min(model.maxSeqLength, PASSAGE_TOKENS)
    return model
  }
}
