import { checkInteger } from '../options.js'
import type { ChatTemplate } from './chat-template.js'
import { checkEqualLengths, ownTokens, type PairEncoder, type PairOptions, type TokenizedPairs } from './pairs.js'
import { checkStrings } from './text-errors.js'
import { TimeSlice } from './time-slice.js'
import type { Tokenizer } from './tokenizer.js'

/** How pairs become texts. */
export interface ChatFormat {
  template: ChatTemplate
  /** Whether the content of a message is a list of parts; otherwise it is the text itself. */
  structured: boolean
  /** What the template may read beside the messages. */
  values: Readonly<Record<string, unknown>>
  /** Whether rows that are cut get the template's last tokens back. */
  restoreSuffix: boolean
}

/** Pairs that show whether the content of both messages comes into the text. */
const PROBES = [
  ['alpha', 'bravo'],
  ['charlie', 'bravo'],
  ['alpha', 'foxtrot'],
] as const
/** Contents that share no token, so that what texts of both have at the end comes from the template. */
const FILLERS = ['0', '1 2 3 4'] as const
/** Of prompts, whose suffixes are kept. */
const MOST_PROMPTS = 256

/**
 * Makes rows of pairs by a model's chat template: a message of the role `query` and one of the role `document`, behind a prompt as
 * a message of the role `system`. The template writes all special tokens. A row that is cut ends as one that is not: with what
 * the template writes behind the contents, since such models read their last token.
 * Source: sentence-transformers 6.2, base/modality.py `pair_to_messages` and base/modules/transformer.py `_process_chat_messages`.
 */
export class ChatPairTokenizer implements PairEncoder {
  readonly specialTokens = 1
  readonly #tokenizer: Tokenizer
  readonly #format: ChatFormat
  readonly #suffixes = new Map<string, Int32Array>()

  constructor(tokenizer: Tokenizer, format: ChatFormat) {
    this.#tokenizer = tokenizer
    this.#format = format
  }

  /**
   * Why the template cannot carry a pair; undefined where it can. As in Python it has to show in what the template writes: what it
   * reads, it may leave out.
   * @throws SentenceTorchError ERR_INVALID_MODEL where the template fails
   */
  failure(): string | undefined {
    const [base, ...others] = PROBES.map(([first, second]) => this.text(first, second))
    const lost = ['"query"', '"document"'].filter((_, i) => others[i] === base)
    return lost.length === 0 ? undefined : `the content of the role ${lost.join(' and ')} is not in the text it gives`
  }

  /** The text of a pair. @throws SentenceTorchError ERR_INVALID_MODEL where the template fails */
  text(first: string, second: string, prompt = ''): string {
    return this.#format.template.render(this.#values(first, second, prompt))
  }

  async encode(
    first: readonly string[],
    second: readonly string[],
    maxSeqLength: number = this.#tokenizer.maxSeqLength,
    { cache, prompt = '', ...options }: PairOptions = {},
  ): Promise<TokenizedPairs> {
    checkEqualLengths(first, second)
    checkInteger('maxSeqLength', maxSeqLength, this.specialTokens)
    checkStrings(first, (row) => `the first text of pair ${row}`)
    checkStrings(second, (row) => `the second text of pair ${row}`)
    const slice = new TimeSlice()
    const texts: string[] = []
    for (let row = 0; row < first.length; row++) {
      texts.push(this.text(first[row]!, second[row]!, prompt))
      await slice.yield()
    }
    const nameOf = (text: string) => `pair ${texts.indexOf(text)}`
    const contents = await ownTokens(this.#tokenizer, new Set(texts), nameOf, cache, options)
    const offsets = new Int32Array(texts.length + 1)
    texts.forEach((text, row) => {
      offsets[row + 1] = offsets[row]! + Math.min(contents.get(text)!.length, maxSeqLength)
    })
    const ids = new Int32Array(offsets[texts.length]!)
    for (const [row, text] of texts.entries()) {
      const all = contents.get(text)!
      const end = offsets[row + 1]!
      const length = end - offsets[row]!
      const from = this.#tokenizer.truncatesLeft ? all.length - length : 0
      ids.set(all.subarray(from, from + length), offsets[row]!)
      // As in Python, of rows that just fit, too.
      if (all.length < maxSeqLength || !this.#format.restoreSuffix) continue
      const suffix = this.#suffix(prompt)
      const kept = suffix.subarray(Math.max(0, suffix.length - maxSeqLength))
      ids.set(kept, end - kept.length)
    }
    return { ids, offsets }
  }

  #values(first: string, second: string, prompt: string): Record<string, unknown> {
    const message = (role: string, text: string) => {
      return { role, content: this.#format.structured ? [{ type: 'text', text }] : text }
    }
    const pair = [message('query', first), message('document', second)]
    const messages = prompt === '' ? pair : [message('system', prompt), ...pair]
    return { tools: null, documents: null, add_generation_prompt: false, ...this.#format.values, messages }
  }

  /** The tokens that the template writes behind the contents. */
  #suffix(prompt: string): Int32Array {
    const known = this.#suffixes.get(prompt)
    if (known) return known
    const found = this.#commonEnd(prompt)
    if (this.#suffixes.size >= MOST_PROMPTS) this.#suffixes.clear()
    this.#suffixes.set(prompt, found)
    return found
  }

  #commonEnd(prompt: string): Int32Array {
    const none = new Int32Array(0)
    let rows: Int32Array[]
    try {
      rows = FILLERS.map((filler) => this.#tokens(this.text(filler, filler, prompt)))
    } catch {
      // A template may refuse such contents. As in Python, rows then end where they were cut.
      return none
    }
    const [one, other] = rows as [Int32Array, Int32Array]
    const most = Math.min(one.length, other.length)
    let count = 0
    while (count < most && one[one.length - 1 - count] === other[other.length - 1 - count]) count++
    // Where one is all of the other, nothing tells template and content apart.
    return count < most ? one.slice(one.length - count) : none
  }

  #tokens(text: string): Int32Array {
    const { before, after } = this.#tokenizer.specialCounts
    const { ids } = this.#tokenizer.encode([text], 2 ** 31 - 1)
    return ids.subarray(before, ids.length - after)
  }
}
