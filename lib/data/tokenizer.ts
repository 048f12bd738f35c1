import { describe, invalidArgument, SentenceTorchError } from '../errors.js'
import { checkOptions, checkType } from '../options.js'
import { lowerByCharacter } from './bert-text.js'
import { hashJson } from './hash-json.js'
import { IdBuffer } from './id-buffer.js'
import { concatTokenized, type Tokenized } from './pack.js'
import { checkPostProcessor, specialTokens } from './special-tokens.js'
import { checkNotEmpty, checkStrings, nameOfText, TextError, withNames } from './text-errors.js'
import { TimeSlice } from './time-slice.js'
import { checkAddedTokens } from './tokenizer/added-tokens.js'
import type { AddedToken, TokenizerJson } from './tokenizer/blocks.js'
import { cleanUp, type Decoder, makeDecoder } from './tokenizer/decoders.js'
import { appendParts, type FastEncoder, fastEncoder } from './tokenizer/fast.js'
import type { TokenizerFiles } from './tokenizer/files.js'
import { lowers, makeNormalizer } from './tokenizer/normalizers.js'
import type { TokenizerOptions } from './tokenizer/options.js'
import { Pieces } from './tokenizer/pieces.js'
import { Pipeline } from './tokenizer/pipeline.js'
import { asPythonLoads } from './tokenizer/python-classes.js'
import { longestPart, PART_LENGTH, partsOf } from './tokenizer/safe-cuts.js'
import { TokenNames } from './tokenizer/token-names.js'
import { Vocabulary } from './tokenizer/vocabulary.js'
import { TokenizerPool } from './tokenizer-pool.js'

export type { Tokenized } from './pack.js'
export type { TokenizerOptions } from './tokenizer/options.js'

export interface EncodeAllOptions {
  /** Rejects with ERR_ABORTED when it fires. */
  signal?: AbortSignal
  /** Number of threads, also for small work. Default: two for big jobs, none for small ones. */
  workers?: number
  /** The name of the text `index` in errors. Default: `texts[index]`. */
  nameOf?: (index: number) => string
  /** Accepts texts without tokens, which occur only without special tokens. Default: they are an error. */
  allowEmpty?: boolean
}

export interface DecodeOptions {
  /** Leaves out special tokens, such as `[CLS]` and `</s>`. Default false. */
  skipSpecialTokens?: boolean
  /**
   * Drops spaces in front of punctuation and English contractions. Default: what the tokenizer's files say, else false. It has no
   * effect on byte pairs (BPE), as in transformers.
   */
  cleanUpTokenizationSpaces?: boolean
}

/** Increase it when a change gives other ids for the same files. */
const FINGERPRINT_VERSION = 4

/** Jobs with fewer texts stay on this thread, because a worker first has to build its tokenizer (about 0.1 s). */
const workerThreshold = 2000
/** A text goes to a thread if a part of it is longer than this (UTF-16 units) and cannot be cut. */
const LONGEST_PART = 4 * PART_LENGTH
/** UTF-16 units between two looks at the clock, which takes as long as some words. */
const UNTIMED_LENGTH = 512

/**
 * Turns texts into the token ids of Python's tokenizers, and truncates them. Frequent kinds of tokenizers have fast paths;
 * `Pipeline` does all others. Of the truncation and padding blocks of tokenizer.json only the side is used, because they
 * hold the settings of the last Python process.
 */
export class Tokenizer {
  /** Whether long texts lose their beginning. */
  readonly truncatesLeft: boolean
  /** Whether the model gets token types, which tell the two texts of a pair apart. */
  readonly hasTokenTypes: boolean
  private readonly prefix: readonly number[]
  private readonly suffix: readonly number[]
  private readonly specialIds: ReadonlySet<number>
  private readonly json: TokenizerJson
  private readonly named: ReadonlyMap<string, string>
  private readonly plain: ReadonlySet<string>
  private readonly normalize: (text: string) => string
  private readonly fast: FastEncoder | undefined
  private madePipeline: Pipeline | undefined
  private madeNames: TokenNames | undefined
  private madeDecoder: Decoder | undefined
  private readonly vocabulary: Vocabulary
  private madeVocabSize: number | undefined
  private currentMaxSeqLength: number
  private pool: TokenizerPool | undefined

  private constructor(
    private readonly files: TokenizerFiles,
    private readonly options: TokenizerOptions,
  ) {
    const { json, named, plain, hasTokenTypes } = asPythonLoads(files)
    this.json = json
    this.named = named
    this.plain = plain
    this.vocabulary = new Vocabulary(json)
    this.hasTokenTypes = hasTokenTypes
    checkPostProcessor(json.post_processor)
    const { prefix, suffix } = specialTokens(json.post_processor)
    this.prefix = prefix
    this.suffix = suffix
    const side = (files.config as { truncation_side?: string })?.truncation_side ?? json.truncation?.direction
    this.truncatesLeft = side?.toLowerCase() === 'left'
    this.specialIds = new Set(json.added_tokens.filter((token) => token.special).map((token) => token.id))
    const normalize = makeNormalizer(json.normalizer)
    const lowersFirst = options.doLowerCase === true && !lowers(json.normalizer)
    this.normalize = lowersFirst ? (text) => normalize(lowerByCharacter(text)) : normalize
    checkAddedTokens(json.added_tokens as readonly AddedToken[], this.normalize)
    this.fast = fastEncoder(json, this.normalize)
    // Built here, so that faults of tokenizer.json are reported when it is loaded.
    if (!this.fast) this.pipeline()
    this.currentMaxSeqLength = this.checkLength(options.maxSeqLength)
  }

  /**
   * @param files the parsed tokenizer files of the folder
   * @throws SentenceTorchError ERR_INVALID_MODEL when it cannot be understood, ERR_NOT_IMPLEMENTED for a part whose ids
   * would differ from Python's
   */
  static from(files: TokenizerFiles, options: TokenizerOptions): Tokenizer {
    return new Tokenizer(files, options)
  }

  /** {@link Tokenizer.from} with the two usual files; `{}` for a missing tokenizer_config.json. */
  static fromFiles(tokenizerJson: object, tokenizerConfig: object, options: TokenizerOptions): Tokenizer {
    return new Tokenizer({ json: tokenizerJson, config: tokenizerConfig }, options)
  }

  /** Number of rows that the token embedding needs: the largest id + 1. */
  get vocabSize(): number {
    this.madeVocabSize ??= this.vocabulary.size
    return this.madeVocabSize
  }

  /** The `post_processor` block of tokenizer.json: special tokens around texts and pairs. */
  get postProcessor(): unknown {
    return this.json.post_processor
  }

  /** How words become tokens: `WordPiece`, `BPE`, `Unigram`, …; undefined where tokenizer.json does not say. */
  get modelType(): string | undefined {
    return this.json.model?.type
  }

  /** Special tokens before and after a single text. */
  get specialCounts(): { before: number; after: number } {
    return { before: this.prefix.length, after: this.suffix.length }
  }

  /** Limit of tokens in a text, special tokens included. Can be set. */
  get maxSeqLength(): number {
    return this.currentMaxSeqLength
  }

  set maxSeqLength(value: number) {
    this.currentMaxSeqLength = this.checkLength(value)
  }

  /**
   * Token ids of every text, special tokens included, cut to `maxSeqLength` as Python's tokenizers cut: the content is cut
   * and special tokens stay. Lone surrogates become U+FFFD first. Blocks until done; `encodeAll` does not.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT naming the text that is not a string, ERR_INVALID_DATA one without ids
   */
  encode(texts: readonly string[], maxSeqLength: number = this.maxSeqLength): Tokenized {
    this.checkLength(maxSeqLength)
    checkStrings(texts, nameOfText)
    return withNames(texts, nameOfText, () => this.rows(texts, maxSeqLength))
  }

  /**
   * `encode` for a thread, which does not know the names of its texts.
   * @throws TextError
   */
  rows(texts: readonly string[], maxSeqLength: number): Tokenized {
    const ids = new IdBuffer(texts.length)
    texts.forEach((text, i) => {
      this.encodeOne(text, i, maxSeqLength, ids)
    })
    return ids.take()
  }

  /**
   * `encode` without blocking. Fast kinds of tokenizers and small jobs run here in short slices, so that timers are at most
   * a few milliseconds late. Other big jobs, and texts that cannot be cut into slices, run in worker threads.
   * @throws SentenceTorchError ERR_ABORTED when the signal fires; ERR_INVALID_ARGUMENT or ERR_INVALID_DATA naming the text that
   * is not a string, has no ids, or no tokens at all (see `allowEmpty`)
   */
  async encodeAll(
    texts: readonly string[],
    maxSeqLength: number = this.maxSeqLength,
    { nameOf = nameOfText, allowEmpty = false, ...options }: EncodeAllOptions = {},
  ): Promise<Tokenized> {
    this.checkLength(maxSeqLength)
    throwIfAborted(options.signal)
    checkStrings(texts, nameOf)
    return withNames(texts, nameOf, async () => {
      const tokens = await this.tokenized(texts, maxSeqLength, options)
      if (!allowEmpty && this.prefix.length + this.suffix.length === 0) checkNotEmpty(tokens)
      return tokens
    })
  }

  private async tokenized(
    texts: readonly string[],
    maxSeqLength: number,
    { signal, workers }: EncodeAllOptions,
  ): Promise<Tokenized> {
    if (workers === undefined && (this.fast || texts.length <= workerThreshold)) {
      return this.encodeInSlices(texts, maxSeqLength, signal)
    }
    return concatTokenized(await this.threads(workers).encode(texts, maxSeqLength, signal))
  }

  /**
   * Number of leading tokens that belong to the prompt in every text under `prompt`: the opening special token and the
   * prompt's own tokens.
   */
  promptLength(prompt: string): number {
    const { ids } = this.encode([prompt])
    const last = ids[ids.length - 1]
    // The closing special token follows the text, not the prompt.
    return last !== undefined && this.specialIds.has(last) ? ids.length - 1 : ids.length
  }

  /**
   * The text of token ids, as transformers' `decode` makes it. Ids without a token are left out, as there.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT naming an id that is no integer; ERR_INVALID_MODEL, ERR_NOT_IMPLEMENTED for a
   * decoder that cannot be understood
   */
  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    checkDecodeOptions(options)
    return this.decodeOne(ids, options, 'ids')
  }

  /**
   * The texts of several rows of token ids.
   * @param rows one array for each text, or the result of `encode`
   */
  batchDecode(rows: readonly ArrayLike<number>[] | Tokenized, options: DecodeOptions = {}): string[] {
    checkDecodeOptions(options)
    if (Array.isArray(rows)) return rows.map((ids, i) => this.decodeOne(ids, options, `rows[${i}]`))
    const { ids, offsets } = rows as Tokenized
    if (!(ids instanceof Int32Array) || !(offsets instanceof Int32Array))
      throw invalidArgument('rows', 'arrays of token ids', rows)
    return Array.from(offsets.subarray(1), (end, i) =>
      this.decodeOne(ids.subarray(offsets[i], end), options, `rows[${i}]`),
    )
  }

  private decodeOne(ids: ArrayLike<number>, options: DecodeOptions, name: string): string {
    if (typeof ids !== 'object' || ids === null || !Number.isInteger(ids.length))
      throw invalidArgument(name, 'an array of token ids', ids)
    for (let i = 0; i < ids.length; i++) {
      if (!Number.isInteger(ids[i]) || ids[i]! < 0) throw invalidArgument(`${name}[${i}]`, 'a token id', ids[i])
    }
    const { skipSpecialTokens = false, cleanUpTokenizationSpaces: cleans = this.cleansUp } = options
    this.madeNames ??= new TokenNames(this.json, this.plain)
    this.madeDecoder ??= makeDecoder(this.json.decoder)
    const text = this.madeDecoder(this.madeNames.of(ids, skipSpecialTokens))
    return cleans && this.mayCleanUp ? cleanUp(text) : text
  }

  /** Whether transformers cleans up: it refuses for byte pairs, where spaces before punctuation are the text's own. */
  private get mayCleanUp(): boolean {
    const { clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output: forced } = this.config
    return !this.isBytePair || forced === true
  }

  private get isBytePair(): boolean {
    const { model } = this.json
    return model !== undefined && (model.type ?? ('merges' in model ? 'BPE' : undefined)) === 'BPE'
  }

  private get cleansUp(): boolean {
    return this.config.clean_up_tokenization_spaces === true
  }

  /** tokenizer_config.json */
  private get config(): Readonly<Record<string, unknown>> {
    return (this.files.config ?? {}) as Record<string, unknown>
  }

  /** The tokens of ids; undefined for an id without one. Source: transformers `convert_ids_to_tokens`. */
  tokensOf(ids: readonly number[]): (string | undefined)[] {
    this.madeNames ??= new TokenNames(this.json, this.plain)
    const names = this.madeNames
    return ids.map((id) => names.at(id))
  }

  /** The id of a token; undefined when the vocabulary does not have it. */
  tokenId(token: string): number | undefined {
    return this.vocabulary.idOf(token)
  }

  /** The mask token; undefined when the tokenizer has none. */
  get maskTokenId(): number | undefined {
    const name = this.named.get('mask')
    return name === undefined ? undefined : this.tokenId(name)
  }

  /** The token that fills a batch up; undefined when the tokenizer has none. */
  get padTokenId(): number | undefined {
    const name = this.named.get('pad')
    return name === undefined ? undefined : this.tokenId(name)
  }

  /** The tokens with names, as chat templates know them: `bos_token`, `eos_token`, … */
  get namedTokens(): Record<string, string> {
    return Object.fromEntries([...this.named].map(([name, token]) => [`${name}_token`, token]))
  }

  /** Ids of the tokens that are not text: [CLS], [PAD], [MASK], … */
  get specialTokenIds(): ReadonlySet<number> {
    return this.specialIds
  }

  /**
   * 1 for every id that continues the word of the token before. WordPiece marks those with `##`. SentencePiece and
   * byte-level vocabularies mark the others, with `▁` or `Ġ`.
   */
  continuations(): Uint8Array {
    const { model } = this.json
    const prefix = model?.type === 'WordPiece' ? (model.continuing_subword_prefix ?? '##') : undefined
    const flags = new Uint8Array(this.vocabSize)
    for (const [token, id] of this.vocabulary) {
      const goesOn = prefix === undefined ? !/^[▁Ġ]/.test(token) : token.startsWith(prefix)
      if (goesOn && !this.specialIds.has(id)) flags[id] = 1
    }
    return flags
  }

  /** A digest of everything that decides the ids of a text, except `maxSeqLength`: a key for caches. */
  async fingerprint(): Promise<string> {
    const { json, truncatesLeft, options } = this
    const parts = { ...json, decoder: null }
    return hashJson([FINGERPRINT_VERSION, parts, truncatesLeft, { ...options, maxSeqLength: 0 }])
  }

  /** Ends the worker threads. They also end by themselves when idle. */
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
    const slice = new TimeSlice()
    let untimed = 0
    for (let i = 0; i < texts.length; i++) {
      const text = texts[i]!
      if (text.length <= PART_LENGTH) this.encodeOne(text, i, maxSeqLength, ids)
      else await this.encodeLong(text, i, maxSeqLength, ids, slice, signal)
      untimed += text.length + 1
      if (untimed < UNTIMED_LENGTH) continue
      untimed = 0
      if (slice.isOver) {
        await slice.yield()
        throwIfAborted(signal)
      }
    }
    return ids.take()
  }

  private encodeOne(text: string, index: number, maxSeqLength: number, ids: IdBuffer): void {
    const { prefix, suffix, truncatesLeft } = this
    const room = maxSeqLength - prefix.length - suffix.length
    for (const id of prefix) ids.push(id)
    const start = ids.length
    try {
      const most = truncatesLeft ? Number.POSITIVE_INFINITY : room
      if (!this.fast?.append(text, ids, most)) for (const _ of this.pipeline().append(text, ids, most));
    } catch (error) {
      throw TextError.at(index, error)
    }
    ids.endText(start, room, truncatesLeft, suffix)
  }

  /** Works part by part where the text can be cut, else in a thread. */
  private async encodeLong(
    text: string,
    index: number,
    maxSeqLength: number,
    ids: IdBuffer,
    slice: TimeSlice,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { prefix, suffix, truncatesLeft } = this
    const fast = this.fast?.takes(text) ? this.fast : undefined
    const cuts = fast ? fast.cuts : this.pipeline().cuts
    const room = maxSeqLength - prefix.length - suffix.length
    for (const id of prefix) ids.push(id)
    const start = ids.length
    if (longestPart(text, cuts) > LONGEST_PART) {
      for (const id of await this.inThread(text, index, maxSeqLength, signal)) ids.push(id)
    } else {
      const most = truncatesLeft ? Number.POSITIVE_INFINITY : room
      const steps = fast ? appendParts(fast, partsOf(text, cuts), ids, most) : this.pipeline().append(text, ids, most)
      const step = () => {
        try {
          return steps.next()
        } catch (error) {
          throw TextError.at(index, error)
        }
      }
      while (!step().done) {
        await slice.yield()
        throwIfAborted(signal)
      }
    }
    ids.endText(start, room, truncatesLeft, suffix)
  }

  /** Ids of a text without special tokens. */
  private async inThread(text: string, index: number, maxSeqLength: number, signal?: AbortSignal): Promise<Int32Array> {
    try {
      const [found] = await this.threads().encode([text], maxSeqLength, signal)
      return found!.ids.subarray(this.prefix.length, found!.ids.length - this.suffix.length)
    } catch (error) {
      throw error instanceof TextError ? error.moved(index) : error
    }
  }

  private threads(workers?: number): TokenizerPool {
    this.pool ??= new TokenizerPool({ files: withPairs(this.files), options: this.options }, workers)
    return this.pool
  }

  private pipeline(): Pipeline {
    this.madePipeline ??= new Pipeline(this.json, this.normalize, this.fast)
    return this.madePipeline
  }

  private checkLength(value: number): number {
    const least = Math.max(1, this.prefix.length + this.suffix.length)
    if (!Number.isInteger(value) || value < least)
      throw invalidArgument('maxSeqLength', `an integer of at least ${least}`, value)
    return value
  }
}

/** Files that can go to a thread: a list of pieces as tokenizer.json has it. */
function withPairs(files: TokenizerFiles): TokenizerFiles {
  const json = files.json as TokenizerJson
  const vocab = json.model?.vocab
  return vocab instanceof Pieces
    ? { ...files, json: { ...json, model: { ...json.model, vocab: vocab.toJSON() } } }
    : files
}

function checkDecodeOptions(options: DecodeOptions): void {
  checkOptions('decode', options, ['skipSpecialTokens', 'cleanUpTokenizationSpaces'])
  for (const [name, value] of Object.entries(options)) checkType(name, value, 'boolean')
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return
  const reason =
    signal.reason === undefined
      ? ''
      : `: ${signal.reason instanceof Error ? signal.reason.message : describe(signal.reason)}`
  throw new SentenceTorchError('ERR_ABORTED', `Tokenising was stopped${reason}`, { cause: signal.reason })
}
