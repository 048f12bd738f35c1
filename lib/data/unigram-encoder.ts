import type { IdBuffer } from './id-buffer.js'
import { KeptIds } from './kept-ids.js'
import { tokenFinder } from './tokenizer/added-finder.js'
import type { AddedToken, Block, TokenizerJson } from './tokenizer/blocks.js'
import type { FastEncoder } from './tokenizer/fast-encoder.js'
import { kindOf } from './tokenizer/models.js'
import { keepsStart } from './tokenizer/normalizers.js'
import { makePreTokenizer, metaspaceOf } from './tokenizer/pre-tokenizers.js'
import { safeCuts } from './tokenizer/safe-cuts.js'
import { Unigram } from './tokenizer/unigram.js'
import { EMPTY_HASH, hashOfMore } from './unit-hash.js'

/** Kinds of UTF-16 units that separate words. */
const SPACE = 1
const MARK = 2

/**
 * Unigram as in XLM-RoBERTa, multilingual E5 and T5. It splits texts into words at spaces and marks (▁) without a regular
 * expression, and keeps the ids of words.
 *
 * `Pipeline` does the rest: other kinds of tokenizers, and texts with added tokens. Of those, this class encodes the parts
 * between the tokens.
 */
export class UnigramEncoder implements FastEncoder {
  private readonly kinds = new Uint8Array(0x10000)
  /** Ids of words after a mark, and of words without one. */
  private readonly marked = new KeptIds()
  private readonly bare = new KeptIds()

  private constructor(
    private readonly model: Unigram,
    private readonly words: Words,
    readonly cuts: RegExp | undefined,
    private readonly normalize: (text: string) => string,
    private readonly startIsKept: (text: string) => boolean,
    private readonly holdsAdded: (text: string) => boolean,
    private readonly holdsNormalized: (text: string) => boolean,
  ) {
    if (!words.dropsSpaces) this.kinds[0x20] = MARK
    else
      for (let unit = 0; unit < 0x3001; unit++)
        if (/\p{White_Space}/u.test(String.fromCharCode(unit))) this.kinds[unit] = SPACE
    this.kinds[words.mark.charCodeAt(0)] = MARK
  }

  /**
   * @param normalize the normaliser of the texts
   * @returns undefined when the tokenizer is of another kind
   * @throws SentenceTorchError ERR_INVALID_MODEL, ERR_NOT_IMPLEMENTED
   */
  static for(json: TokenizerJson, normalize: (text: string) => string): UnigramEncoder | undefined {
    const { model, pre_tokenizer, normalizer, added_tokens } = json
    if (!model || kindOf(model) !== 'Unigram') return undefined
    // Throws for a pre-tokenizer that cannot be built, and names the fault.
    makePreTokenizer(pre_tokenizer)
    const words = wordsOf(pre_tokenizer)
    if (!words) return undefined
    const tokens = added_tokens as readonly AddedToken[]
    const finder = (all: readonly string[]) => tokenFinder(all) ?? (() => true)
    return new UnigramEncoder(
      new Unigram(model),
      words,
      safeCuts(json, tokens),
      normalize,
      keepsStart(normalizer),
      finder(tokens.filter((token) => !token.normalized).map(({ content }) => content)),
      finder(tokens.filter((token) => token.normalized).map(({ content }) => normalize(content))),
    )
  }

  takes(text: string): boolean {
    const wellFormed = toWellFormed(text)
    return !this.holdsAdded(wellFormed) && !this.holdsNormalized(this.normalize(wellFormed))
  }

  append(text: string, ids: IdBuffer, most: number): boolean {
    const wellFormed = toWellFormed(text)
    if (this.holdsAdded(wellFormed)) return false
    const normalized = this.normalize(wellFormed)
    if (this.holdsNormalized(normalized)) return false
    const starts = this.words.scheme === 'first' && this.startIsKept(wellFormed)
    this.appendWords(normalized, starts, ids, ids.length + most)
    return true
  }

  appendSection(section: string, ids: IdBuffer, isStart: boolean): void {
    this.appendWords(section, isStart, ids, Number.POSITIVE_INFINITY)
  }

  private appendWords(text: string, isStart: boolean, ids: IdBuffer, end: number): void {
    const { kinds, words } = this
    const { length } = text
    const prepends = words.scheme === 'always' || (words.scheme === 'first' && isStart)
    // A mark is put before a text, or, where spaces are dropped, before each part between spaces, unless it begins with
    // one.
    let isMarked = prepends
    for (let at = 0; at < length && ids.length < end; ) {
      const kind = kinds[text.charCodeAt(at)]
      if (kind === SPACE) {
        isMarked = words.scheme === 'always'
        at++
        continue
      }
      if (kind === MARK) {
        isMarked = true
        at++
      }
      const start = at
      let hash = EMPTY_HASH
      for (; at < length; at++) {
        const unit = text.charCodeAt(at)
        if (kinds[unit] !== 0) break
        hash = hashOfMore(hash, unit)
      }
      const kept = isMarked ? this.marked : this.bare
      if (kept.append(ids, text, start, at, hash)) continue
      const first = ids.length
      const word = text.slice(start, at)
      this.model.appendNew(isMarked ? words.mark + word : word, ids)
      kept.keep(ids, first, text, start, at, hash)
    }
  }
}

interface Words {
  mark: string
  scheme: 'always' | 'first' | 'never'
  /** Whether words end at white space, which is dropped. Otherwise a space is a mark. */
  dropsSpaces: boolean
}

/** How a pre-tokenizer splits words; undefined for one that does more than to split at white space and marks. */
function wordsOf(block: Block | null): Words | undefined {
  const blocks = flat(block)
  const dropsSpaces = blocks[0]?.type === 'WhitespaceSplit'
  const [last, ...more] = dropsSpaces ? blocks.slice(1) : blocks
  if (last?.type !== 'Metaspace' || more.length > 0) return undefined
  const { mark, scheme, splits } = metaspaceOf(last)
  return splits && mark.length === 1 && !/\s/.test(mark) ? { mark, scheme, dropsSpaces } : undefined
}

function flat(block: Block | null): Block[] {
  if (block?.type === 'Sequence') return (block.pretokenizers as Block[]).flatMap(flat)
  return block === null ? [] : [block]
}

/** Lone surrogates become U+FFFD, because Python passes strings to the tokenizer as UTF-8. */
function toWellFormed(text: string): string {
  return (text as string & { toWellFormed(): string }).toWellFormed()
}
