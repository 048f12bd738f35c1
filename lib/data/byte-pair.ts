import type { IdBuffer } from './id-buffer.js'
import { KeptIds } from './kept-ids.js'
import { tokenFinder } from './tokenizer/added-finder.js'
import type { AddedToken, Block, TokenizerJson } from './tokenizer/blocks.js'
import { byteCharacters, byteSymbols, characters } from './tokenizer/byte-level.js'
import { BytePairs } from './tokenizer/byte-pairs.js'
import type { FastEncoder } from './tokenizer/fast-encoder.js'
import { kindOf } from './tokenizer/models.js'
import { makePreTokenizer } from './tokenizer/pre-tokenizers.js'
import { safeCuts } from './tokenizer/safe-cuts.js'
import { gpt2Words, type WordScanner, wordScanner } from './tokenizer/word-scanners.js'
import { hashOfPart } from './unit-hash.js'

/** Normalisers that treat the text on both sides of a space separately. */
const localNormalizers = ['NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'StripAccents']
/** Of those, the ones that never leave white space, or nothing, of another character: ´ becomes a space and a mark in NFKC. */
const plainNormalizers = ['NFC', 'NFD', 'Lowercase']
/** Matches a space after a character that is not white space: a word ends there. */
const wordEnds = /(?<=\P{White_Space}) /gu
/** Limit of symbols in a word for which memory is reused. */
const USUAL = 256

/**
 * Byte-level BPE as in GPT-2, RoBERTa, ModernBERT, Qwen and Llama 3. It splits texts into words without a regular
 * expression and keeps the ids of words. The bytes of a new word are its first symbols.
 *
 * `Pipeline` does the rest: other kinds of tokenizers, and texts with added tokens. Of those, this class encodes the parts
 * between the tokens.
 */
export class BytePairEncoder implements FastEncoder {
  private readonly kept = new KeptIds()
  /** For each byte, the id of its character; undefined where the vocabulary lacks one. */
  private readonly byteIds: Int32Array | undefined
  private readonly symbols = new Int32Array(USUAL)

  private constructor(
    private readonly model: BytePairs,
    private readonly wordEnd: WordScanner,
    private readonly addsSpace: boolean,
    readonly cuts: RegExp | undefined,
    private readonly normalize: (text: string) => string,
    private readonly holdsAdded: (text: string) => boolean,
    private readonly holdsNormalized: (text: string) => boolean,
  ) {
    const ids = characters.map((character) => model.find(character))
    if (model.isPlain && !ids.includes(undefined)) this.byteIds = Int32Array.from(ids as number[])
  }

  /**
   * @param normalize the normaliser of the texts
   * @returns undefined when the tokenizer is of another kind
   * @throws SentenceTorchError ERR_INVALID_MODEL, ERR_NOT_IMPLEMENTED
   */
  static for(json: TokenizerJson, normalize: (text: string) => string): BytePairEncoder | undefined {
    const { model, normalizer, pre_tokenizer, added_tokens } = json
    if (!model || kindOf(model) !== 'BPE' || !consistsOf(localNormalizers, normalizer)) return undefined
    // Throws for a pre-tokenizer that cannot be built, and names the fault.
    makePreTokenizer(pre_tokenizer)
    const words = wordsOf(pre_tokenizer)
    if (!words) return undefined
    const tokens = added_tokens as readonly AddedToken[]
    const finder = (all: readonly string[]) => tokenFinder(all) ?? (() => true)
    return new BytePairEncoder(
      new BytePairs(model),
      words.end,
      words.addsSpace,
      consistsOf(plainNormalizers, normalizer) ? wordEnds : safeCuts(json, tokens),
      normalize,
      finder(tokens.filter((token) => !token.normalized).map(({ content }) => content)),
      finder(tokens.filter((token) => token.normalized).map(({ content }) => normalize(content))),
    )
  }

  takes(text: string): boolean {
    return this.prepared(text) !== undefined
  }

  append(text: string, ids: IdBuffer, most: number): boolean {
    const normalized = this.prepared(text)
    if (normalized === undefined) return false
    this.appendWords(normalized, ids, ids.length + most)
    return true
  }

  appendSection(section: string, ids: IdBuffer): void {
    this.appendWords(section, ids, Number.POSITIVE_INFINITY)
  }

  /** The normalised text; undefined when it contains an added token. */
  private prepared(text: string): string | undefined {
    // Lone surrogates become U+FFFD, because Python passes strings to the tokenizer as UTF-8.
    const wellFormed = (text as string & { toWellFormed(): string }).toWellFormed()
    if (this.holdsAdded(wellFormed)) return undefined
    const normalized = this.normalize(wellFormed)
    return this.holdsNormalized(normalized) ? undefined : normalized
  }

  private appendWords(text: string, ids: IdBuffer, end: number): void {
    const { wordEnd, kept } = this
    const whole = this.addsSpace && text !== '' && !text.startsWith(' ') ? ` ${text}` : text
    const { length } = whole
    for (let at = 0; at < length && ids.length < end; ) {
      const stop = wordEnd(whole, at)
      const hash = hashOfPart(whole, at, stop)
      if (!kept.append(ids, whole, at, stop, hash)) {
        const start = ids.length
        this.appendNew(whole, at, stop, ids)
        kept.keep(ids, start, whole, at, stop, hash)
      }
      at = stop
    }
  }

  private appendNew(text: string, start: number, end: number, ids: IdBuffer): void {
    const { model, byteIds } = this
    if (!byteIds) {
      model.appendNew(byteCharacters(text.slice(start, end)), ids)
      return
    }
    const id = model.keepsTokens ? model.find(byteCharacters(text.slice(start, end))) : undefined
    if (id !== undefined) {
      ids.push(id)
      return
    }
    const room = 3 * (end - start)
    const symbols = room <= USUAL ? this.symbols : new Int32Array(room)
    model.appendMerged(symbols, byteSymbols(text, start, end, byteIds, symbols), ids)
  }
}

function consistsOf(types: readonly string[], block: Block | null): boolean {
  if (block?.type === 'Sequence') return (block.normalizers as Block[]).every((one) => consistsOf(types, one))
  return block === null || types.includes(block.type)
}

/** Whether pre-tokenization is one split into words and one into bytes; and where words end. */
function wordsOf(block: Block | null): { end: WordScanner; addsSpace: boolean } | undefined {
  const [first, second, ...more] = flat(block)
  if (more.length > 0) return undefined
  const addsSpace = (bytes: Block) => bytes.add_prefix_space === true
  if (first?.type === 'ByteLevel' && first.use_regex !== false && !second) {
    return { end: gpt2Words(), addsSpace: addsSpace(first) }
  }
  const { Regex: regex } = (first?.pattern ?? {}) as { Regex?: unknown }
  const isSplit = first?.type === 'Split' && first.behavior === 'Isolated' && first.invert !== true
  const isBytes = second?.type === 'ByteLevel' && second.use_regex === false && !addsSpace(second)
  const end = isSplit && isBytes && typeof regex === 'string' ? wordScanner(regex) : undefined
  return end && { end, addsSpace: false }
}

function flat(block: Block | null): Block[] {
  if (block?.type === 'Sequence') return (block.pretokenizers as Block[]).flatMap(flat)
  return block === null ? [] : [block]
}
