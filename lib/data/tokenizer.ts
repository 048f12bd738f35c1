import { describe, invalidArgument, SentenceTorchError } from '../errors.js'
import { bertClasses, ownNormalizer } from './bert-config.js'
import { hashJson } from './hash-json.js'
import { IdBuffer } from './id-buffer.js'
import { concatTokenized, type Tokenized } from './pack.js'
import { specialTokens } from './special-tokens.js'
import { LibraryTokenizer, type TokenizerJson } from './tokenizer-library.js'
import { TokenizerPool } from './tokenizer-pool.js'
import { Turns } from './turns.js'
import { WordPieceEncoder } from './word-piece.js'

export type { Tokenized } from './pack.js'

export interface TokenizerOptions {
  /** `do_lower_case` of sentence_bert_config.json: lower-case every text first. Default false. */
  doLowerCase?: boolean
  /** Tokens per text at most, special tokens included; longer texts are cut. */
  maxSeqLength: number
}

export interface EncodeAllOptions {
  /** Rejects with ERR_ABORTED when it fires. */
  signal?: AbortSignal
  /** Threads for the work, however small it is. Default: two for big jobs, none for small ones. */
  workers?: number
}

/** To be raised when the same files come to give other ids. */
const FINGERPRINT_VERSION = 1

/** Jobs with fewer texts stay on this thread: a worker first has to build its tokenizer (about 0.1 s). */
const workerThreshold = 2000

/**
 * Texts to token ids, equal to those of Python's tokenizers: WordPiece of our own where the tokenizer is BERT's, else
 * @huggingface/tokenizers with BERT's text clean-up replaced (see bert-text.ts); and truncation. The truncation and padding
 * blocks of tokenizer.json are ignored: they hold whatever the last Python process used.
 */
export class Tokenizer {
  /** Whether texts that are too long lose their beginning. */
  readonly truncatesLeft: boolean
  private readonly prefix: readonly number[]
  private readonly suffix: readonly number[]
  private readonly specialIds: ReadonlySet<number>
  private readonly normalize: ((text: string) => string) | undefined
  private readonly wordPiece: WordPieceEncoder | undefined
  private madeLibrary: LibraryTokenizer | undefined
  private madeVocabulary: ReadonlyMap<string, number> | undefined
  private currentMaxSeqLength: number
  private pool: TokenizerPool | undefined

  private constructor(
    private readonly json: TokenizerJson,
    private readonly tokenizerConfig: object,
    private readonly options: TokenizerOptions,
  ) {
    const { prefix, suffix } = specialTokens(json.post_processor)
    this.prefix = prefix
    this.suffix = suffix
    this.truncatesLeft = (tokenizerConfig as { truncation_side?: string }).truncation_side === 'left'
    this.specialIds = new Set(json.added_tokens.filter((token) => token.special).map((token) => token.id))
    this.normalize = ownNormalizer(json.normalizer, tokenizerConfig, options.doLowerCase ?? false)
    this.wordPiece = this.normalize && WordPieceEncoder.for(json, this.normalize)
    // What is wrong with a tokenizer.json shall be said when it is loaded.
    if (!this.wordPiece) this.library()
    this.currentMaxSeqLength = this.checkLength(options.maxSeqLength)
  }

  /**
   * @param tokenizerJson parsed tokenizer.json.
   * @param tokenizerConfig parsed tokenizer_config.json, `{}` when there is none.
   * @throws SentenceTorchError ERR_INVALID_MODEL when they cannot be understood.
   */
  static fromFiles(tokenizerJson: object, tokenizerConfig: object, options: TokenizerOptions): Tokenizer {
    return new Tokenizer({ ...emptyBlocks, ...tokenizerJson }, tokenizerConfig, options)
  }

  /** Number of rows that the model's token embedding needs: the largest id + 1. */
  get vocabSize(): number {
    let largest = -1
    for (const id of this.vocabulary().values()) largest = Math.max(largest, id)
    return largest + 1
  }

  /** The `post_processor` block of tokenizer.json: what is put around texts and pairs. */
  get postProcessor(): unknown {
    return this.json.post_processor
  }

  /** Special tokens in front of a single text and after it. */
  get specialCounts(): { before: number; after: number } {
    return { before: this.prefix.length, after: this.suffix.length }
  }

  /** Tokens per text at most, special tokens included. Settable. */
  get maxSeqLength(): number {
    return this.currentMaxSeqLength
  }

  set maxSeqLength(value: number) {
    this.currentMaxSeqLength = this.checkLength(value)
  }

  /**
   * Token ids of every text, special tokens included, cut to `maxSeqLength` the way Python's tokenizers cut: the content
   * gives way, special tokens stay. Lone surrogates become U+FFFD first. Blocks until done: see `encodeAll`.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT naming the text that is not a string.
   */
  encode(texts: readonly string[], maxSeqLength: number = this.maxSeqLength): Tokenized {
    this.checkLength(maxSeqLength)
    const ids = new IdBuffer(texts.length)
    texts.forEach((text, i) => {
      this.encodeOne(text, i, maxSeqLength, ids)
    })
    return ids.take()
  }

  /**
   * `encode` without blocking: WordPiece and small jobs run here in short slices, so that timers are at most a few
   * milliseconds late, big ones of the library in worker threads.
   * @throws SentenceTorchError ERR_ABORTED when the signal fires.
   */
  async encodeAll(
    texts: readonly string[],
    maxSeqLength: number = this.maxSeqLength,
    { signal, workers }: EncodeAllOptions = {},
  ): Promise<Tokenized> {
    this.checkLength(maxSeqLength)
    throwIfAborted(signal)
    const wrong = texts.findIndex((text) => typeof text !== 'string')
    if (wrong !== -1) throw invalidArgument(`texts[${wrong}]`, 'a string', texts[wrong])
    if (workers === undefined && (this.wordPiece || texts.length <= workerThreshold)) {
      return this.encodeInSlices(texts, maxSeqLength, signal)
    }
    const { json: tokenizerJson, tokenizerConfig, options } = this
    this.pool ??= new TokenizerPool({ tokenizerJson, tokenizerConfig, options }, workers)
    return concatTokenized(await this.pool.encode(texts, maxSeqLength, signal))
  }

  /** Leading tokens of every text under `prompt` that belong to the prompt: the opening special token and its own tokens. */
  promptLength(prompt: string): number {
    const { ids } = this.encode([prompt])
    const last = ids[ids.length - 1]
    // The closing special token comes after the text, not after the prompt.
    return last !== undefined && this.specialIds.has(last) ? ids.length - 1 : ids.length
  }

  /** The id of a token; undefined when the vocabulary does not have it. */
  tokenId(token: string): number | undefined {
    return this.vocabulary().get(token)
  }

  /** The token that stands for a masked one; undefined when the tokenizer has none. */
  get maskTokenId(): number | undefined {
    const config = this.tokenizerConfig as Record<string, unknown>
    const given = config.mask_token as string | { content?: string } | null | undefined
    // BertTokenizer and its like have a default.
    const usual = typeof config.tokenizer_class === 'string' && bertClasses.test(config.tokenizer_class)
    const name = (typeof given === 'object' ? given?.content : given) ?? (usual ? '[MASK]' : undefined)
    return name === undefined ? undefined : this.tokenId(name)
  }

  /** Ids of the tokens that are no text: [CLS], [PAD], [MASK], … */
  get specialTokenIds(): ReadonlySet<number> {
    return this.specialIds
  }

  /**
   * 1 for every id that goes on with the word of the token before: WordPiece marks those with `##`; SentencePiece and
   * byte-level vocabularies mark the others, with `▁` or `Ġ`.
   */
  continuations(): Uint8Array {
    const { model } = this.json
    const prefix = model?.type === 'WordPiece' ? (model.continuing_subword_prefix ?? '##') : undefined
    const flags = new Uint8Array(this.vocabSize)
    for (const [token, id] of this.vocabulary()) {
      const goesOn = prefix === undefined ? !/^[▁Ġ]/.test(token) : token.startsWith(prefix)
      if (goesOn && !this.specialIds.has(id)) flags[id] = 1
    }
    return flags
  }

  /** A digest of everything that decides about the ids of a text, but for `maxSeqLength`: a key for what is kept of them. */
  async fingerprint(): Promise<string> {
    const { json, tokenizerConfig, options } = this
    return hashJson([FINGERPRINT_VERSION, json, tokenizerConfig, { ...options, maxSeqLength: 0 }])
  }

  /** Ends the worker threads; they also end by themselves when they have had nothing to do for a while. */
  async dispose(): Promise<void> {
    await this.pool?.close()
    this.pool = undefined
  }

  private async encodeInSlices(
    texts: readonly string[],
    maxSeqLength: number,
    signal: AbortSignal | undefined,
  ): Promise<Tokenized> {
    const ids = new IdBuffer(texts.length)
    const turns = new Turns()
    for (let i = 0; i < texts.length; i++) {
      this.encodeOne(texts[i]!, i, maxSeqLength, ids)
      if (turns.isOver) {
        await turns.give()
        throwIfAborted(signal)
      }
    }
    return ids.take()
  }

  private encodeOne(text: string, index: number, maxSeqLength: number, ids: IdBuffer): void {
    if (typeof text !== 'string') throw invalidArgument(`texts[${index}]`, 'a string', text)
    const room = maxSeqLength - this.prefix.length - this.suffix.length
    for (const id of this.prefix) ids.push(id)
    const start = ids.length
    if (!this.wordPiece?.append(text, ids, this.truncatesLeft ? Number.POSITIVE_INFINITY : room)) {
      for (const id of this.library().ids(text)) ids.push(id)
    }
    ids.endText(start, room, this.truncatesLeft, this.suffix)
  }

  private library(): LibraryTokenizer {
    const { json, tokenizerConfig, normalize, options } = this
    this.madeLibrary ??= new LibraryTokenizer(json, tokenizerConfig, normalize, options.doLowerCase ?? false)
    return this.madeLibrary
  }

  private vocabulary(): ReadonlyMap<string, number> {
    this.madeVocabulary ??= this.library().vocabulary()
    return this.madeVocabulary
  }

  private checkLength(value: number): number {
    const least = Math.max(1, this.prefix.length + this.suffix.length)
    if (!Number.isInteger(value) || value < least)
      throw invalidArgument('maxSeqLength', `an integer of at least ${least}`, value)
    return value
  }
}

const emptyBlocks = { added_tokens: [], decoder: null, normalizer: null, pre_tokenizer: null, post_processor: null }

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return
  const reason =
    signal.reason === undefined
      ? ''
      : `: ${signal.reason instanceof Error ? signal.reason.message : describe(signal.reason)}`
  throw new SentenceTorchError('ERR_ABORTED', `Tokenising was stopped${reason}`, { cause: signal.reason })
}
