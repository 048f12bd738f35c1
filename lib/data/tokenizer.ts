import { Tokenizer as HubTokenizer } from '@huggingface/tokenizers'
import { describe, invalidArgument, SentenceTorchError } from '../errors.js'
import { type BertNormalizerConfig, bertNormalizer, bertWords, lowerByCharacter } from './bert-text.js'
import { hashJson } from './hash-json.js'
import { concatTokenized, type Tokenized } from './pack.js'
import { specialTokens } from './special-tokens.js'
import { TokenizerPool } from './tokenizer-pool.js'
import { Turns } from './turns.js'

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
 * Texts to token ids, equal to those of Python's tokenizers: @huggingface/tokenizers behind an interface of our own, with
 * BERT's text clean-up replaced (see bert-text.ts) and truncation added. The truncation and padding blocks of tokenizer.json
 * are ignored: they hold whatever the last Python process used.
 */
export class Tokenizer {
  /** Number of rows that the model's token embedding needs: the largest id + 1. */
  readonly vocabSize: number
  /** Whether texts that are too long lose their beginning. */
  readonly truncatesLeft: boolean
  private readonly prefix: readonly number[]
  private readonly suffix: readonly number[]
  private readonly specialIds: ReadonlySet<number>
  private currentMaxSeqLength: number
  private pool: TokenizerPool | undefined

  private constructor(
    private readonly inner: InnerTokenizer,
    private readonly source: { tokenizerJson: object; tokenizerConfig: object; options: TokenizerOptions },
  ) {
    const { prefix, suffix } = specialTokens((source.tokenizerJson as TokenizerJson).post_processor)
    this.prefix = prefix
    this.suffix = suffix
    this.truncatesLeft = (source.tokenizerConfig as { truncation_side?: string }).truncation_side === 'left'
    let largest = -1
    for (const id of inner.get_vocab().values()) largest = Math.max(largest, id)
    this.vocabSize = largest + 1
    const added = (source.tokenizerJson as TokenizerJson).added_tokens
    this.specialIds = new Set(added.filter((token) => token.special).map((token) => token.id))
    this.currentMaxSeqLength = this.checkLength(source.options.maxSeqLength)
  }

  /**
   * @param tokenizerJson parsed tokenizer.json.
   * @param tokenizerConfig parsed tokenizer_config.json, `{}` when there is none.
   * @throws SentenceTorchError ERR_INVALID_MODEL when they cannot be understood.
   */
  static fromFiles(tokenizerJson: object, tokenizerConfig: object, options: TokenizerOptions): Tokenizer {
    const json: TokenizerJson = { ...emptyBlocks, ...tokenizerJson }
    let inner: InnerTokenizer
    try {
      inner = new InnerTokenizer(json, tokenizerConfig)
    } catch (cause) {
      const message = `tokenizer.json cannot be understood: ${(cause as Error).message}`
      throw new SentenceTorchError('ERR_INVALID_MODEL', message, { cause })
    }
    useRustText(inner, json, tokenizerConfig, options.doLowerCase ?? false)
    return new Tokenizer(inner, { tokenizerJson: json, tokenizerConfig, options })
  }

  /** The `post_processor` block of tokenizer.json: what is put around texts and pairs. */
  get postProcessor(): unknown {
    return (this.source.tokenizerJson as TokenizerJson).post_processor
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
    const rows = texts.map((text, i) => this.encodeOne(text, i, maxSeqLength))
    return join(rows)
  }

  /**
   * `encode` without blocking: small jobs run here in short slices, so that timers are at most a few milliseconds late, big
   * ones in worker threads.
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
    if (workers === undefined && texts.length <= workerThreshold) {
      return this.encodeInSlices(texts, maxSeqLength, signal)
    }
    this.pool ??= new TokenizerPool(this.source, workers)
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
    return this.inner.get_vocab().get(token)
  }

  /** The token that stands for a masked one; undefined when the tokenizer has none. */
  get maskTokenId(): number | undefined {
    const config = this.source.tokenizerConfig as Record<string, unknown>
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
    const { model } = this.source.tokenizerJson as TokenizerJson
    const prefix = model?.type === 'WordPiece' ? (model.continuing_subword_prefix ?? '##') : undefined
    const flags = new Uint8Array(this.vocabSize)
    for (const [token, id] of this.inner.get_vocab()) {
      const goesOn = prefix === undefined ? !/^[▁Ġ]/.test(token) : token.startsWith(prefix)
      if (goesOn && !this.specialIds.has(id)) flags[id] = 1
    }
    return flags
  }

  /** A digest of everything that decides about the ids of a text, but for `maxSeqLength`: a key for what is kept of them. */
  async fingerprint(): Promise<string> {
    const { tokenizerJson, tokenizerConfig, options } = this.source
    return hashJson([FINGERPRINT_VERSION, tokenizerJson, tokenizerConfig, { ...options, maxSeqLength: 0 }])
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
    const rows: number[][] = []
    const turns = new Turns()
    for (let i = 0; i < texts.length; i++) {
      rows.push(this.encodeOne(texts[i]!, i, maxSeqLength))
      if (turns.isOver) {
        await turns.give()
        throwIfAborted(signal)
      }
    }
    return join(rows)
  }

  private encodeOne(text: string, index: number, maxSeqLength: number): number[] {
    if (typeof text !== 'string') throw invalidArgument(`texts[${index}]`, 'a string', text)
    const wellFormed = (text as string & { toWellFormed(): string }).toWellFormed()
    const { ids } = this.inner.encode(wellFormed, { add_special_tokens: false })
    const room = maxSeqLength - this.prefix.length - this.suffix.length
    let content = ids
    if (ids.length > room) content = this.truncatesLeft ? ids.slice(ids.length - room) : ids.slice(0, room)
    return [...this.prefix, ...content, ...this.suffix]
  }

  private checkLength(value: number): number {
    const least = Math.max(1, this.prefix.length + this.suffix.length)
    if (!Number.isInteger(value) || value < least)
      throw invalidArgument('maxSeqLength', `an integer of at least ${least}`, value)
    return value
  }
}

interface TokenizerJson {
  added_tokens: { id: number; special: boolean }[]
  normalizer: ({ type: string } & Partial<BertNormalizerConfig>) | null
  pre_tokenizer: { type: string } | null
  post_processor: unknown
  model?: { type?: string; continuing_subword_prefix?: string }
}

const emptyBlocks = { added_tokens: [], decoder: null, normalizer: null, pre_tokenizer: null, post_processor: null }

/** The part of @huggingface/tokenizers in use: its own declarations do not resolve under TypeScript's "nodenext". */
interface InnerTokenizer {
  normalizer: ((text: string) => string) | null
  pre_tokenizer: ((text: string) => string[]) | null
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] }
  get_vocab(): Map<string, number>
}
const InnerTokenizer = HubTokenizer as unknown as new (tokenizerJson: object, tokenizerConfig: object) => InnerTokenizer

/** The tokenizer classes whose normaliser Python builds from tokenizer_config.json, whatever tokenizer.json says. */
const bertClasses = /^(Bert|DistilBert|MPNet|Electra)Tokenizer(Fast)?$/

/** Replaces BERT's text clean-up and puts `do_lower_case` in front, as Python does. */
function useRustText(inner: InnerTokenizer, json: TokenizerJson, tokenizerConfig: object, doLowerCase: boolean): void {
  if (json.pre_tokenizer?.type === 'BertPreTokenizer') inner.pre_tokenizer = bertWords
  let lowers = false
  if (json.normalizer?.type === 'BertNormalizer') {
    const config = bertConfig(json.normalizer, tokenizerConfig as Record<string, unknown>)
    inner.normalizer = bertNormalizer(config)
    lowers = config.lowercase
  }
  if (doLowerCase && !lowers) {
    const next = inner.normalizer
    inner.normalizer = next ? (text) => next(lowerByCharacter(text)) : lowerByCharacter
  }
}

function bertConfig(own: Partial<BertNormalizerConfig>, config: Record<string, unknown>): BertNormalizerConfig {
  const name = config.tokenizer_class ?? 'BertTokenizer'
  const flag = (key: string) => (typeof config[key] === 'boolean' ? config[key] : undefined)
  if (typeof name === 'string' && bertClasses.test(name)) {
    return {
      clean_text: true,
      lowercase: flag('do_lower_case') ?? true,
      handle_chinese_chars: flag('tokenize_chinese_chars') ?? true,
      strip_accents: flag('strip_accents') ?? null,
    }
  }
  return { clean_text: true, lowercase: true, handle_chinese_chars: true, strip_accents: null, ...own }
}

function join(rows: readonly number[][]): Tokenized {
  const offsets = new Int32Array(rows.length + 1)
  rows.forEach((row, i) => {
    offsets[i + 1] = offsets[i]! + row.length
  })
  const ids = new Int32Array(offsets[rows.length]!)
  rows.forEach((row, i) => {
    ids.set(row, offsets[i]!)
  })
  return { ids, offsets }
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return
  const reason =
    signal.reason === undefined
      ? ''
      : `: ${signal.reason instanceof Error ? signal.reason.message : describe(signal.reason)}`
  throw new SentenceTorchError('ERR_ABORTED', `Tokenising was stopped${reason}`, { cause: signal.reason })
}
