import { boolean, integer, object, optional, text } from '../../io/schema.js'
import { type Block, checkBlocks, notUnderstood } from './blocks.js'
import { characters } from './byte-level.js'
import { matches, patternOf, patternSchema } from './patterns.js'
import { metaspaceOf } from './pre-tokenizers.js'

/** Makes a text of tokens. */
export type Decoder = (tokens: readonly string[]) => string

/** A step of a decoder. The last step's tokens are joined. */
type Step = (tokens: readonly string[]) => string[]

const flag = optional(boolean)
const short = optional(text(1000))
const schemas = {
  BPEDecoder: object({ suffix: short }),
  WordPiece: object({ prefix: short, cleanup: flag }),
  Metaspace: object({ replacement: short, prepend_scheme: short, add_prefix_space: flag }),
  CTC: object({ pad_token: short, word_delimiter_token: short, cleanup: flag }),
  Replace: object({ pattern: patternSchema, content: short }),
  Strip: object({ content: short, start: optional(integer(0, 1000)), stop: optional(integer(0, 1000)) }),
}

/**
 * The `decoder` block of tokenizer.json, with the results of Hugging Face's Rust tokenizers. Without one, spaces join the
 * tokens.
 * @throws SentenceTorchError ERR_INVALID_MODEL, ERR_NOT_IMPLEMENTED
 */
export function makeDecoder(block: Block | null | undefined): Decoder {
  checkBlocks(block, 'decoder', 'decoders', schemas)
  if (block === null || block === undefined) return (tokens) => tokens.join(' ')
  const step = make(block)
  return (tokens) => checkGrowth(step(tokens), tokens).join('')
}

/** Limit of UTF-16 units of a decoded text, by those of its tokens. Each step might make many of one. */
function checkGrowth(after: string[], before: readonly string[]): string[] {
  const [made, given] = [lengthOf(after), lengthOf(before)]
  if (made > mostOf(given)) throw tooLong(made, given)
  return after
}

const mostOf = (given: number): number => 10_000 + 100 * given
const tooLong = (made: number, given: number) =>
  notUnderstood(`its decoder makes more than ${made - 1} characters of ${given}`)

function lengthOf(tokens: readonly string[]): number {
  let length = 0
  for (const token of tokens) length += token.length
  return length
}

function make(block: Block): Step {
  switch (block.type) {
    case 'Sequence': {
      const steps = (block.decoders as Block[]).map(make)
      return (tokens) => steps.reduce<string[]>((before, step) => checkGrowth(step(before), tokens), [...tokens])
    }
    case 'ByteLevel':
      return byteLevel
    case 'WordPiece':
      return wordPiece(String(block.prefix ?? '##'), block.cleanup !== false)
    case 'BPEDecoder':
      return endsOfWords(String(block.suffix ?? '</w>'))
    case 'Metaspace':
      return metaspace(block)
    case 'ByteFallback':
      return byteFallback
    case 'Fuse':
      return (tokens) => [tokens.join('')]
    case 'Replace':
      return replace(block)
    case 'Strip':
      return strip(String(block.content ?? ' '), Number(block.start ?? 0), Number(block.stop ?? 0))
    case 'CTC':
      return ctc(block)
    default:
      throw notUnderstood(`its decoder is of the type ${JSON.stringify(block.type)}`)
  }
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
const byteOf = new Map(characters.map((character, byte) => [character, byte]))

function byteLevel(tokens: readonly string[]): string[] {
  const bytes: number[] = []
  for (const token of tokens) {
    const own = Array.from(token, (character) => byteOf.get(character))
    // A token with other characters, such as an added one, stands for itself.
    for (const byte of own.includes(undefined) ? Buffer.from(token) : own) bytes.push(byte!)
  }
  return [utf8.decode(Uint8Array.from(bytes))]
}

function wordPiece(prefix: string, cleansUp: boolean): Step {
  return (tokens) =>
    tokens.map((token, i) => {
      const text = i === 0 ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`
      return cleansUp ? withoutSpaces(text) : text
    })
}

/** Changes of {@link cleanUp}, and one that Rust makes alone. */
const CHANGES = [
  ...[' .', '.', ' ?', '?', ' !', '!', ' ,', ',', " ' ", "'", " n't", "n't", " 'm", "'m"],
  ...[' do not', " don't", " 's", "'s", " 've", "'ve", " 're", "'re"],
]

function withoutSpaces(text: string): string {
  let result = text
  for (let i = 0; i < CHANGES.length; i += 2) result = result.replaceAll(CHANGES[i]!, CHANGES[i + 1]!)
  return result
}

/** Drops spaces in front of punctuation and English contractions, as `clean_up_tokenization` of transformers does. */
export function cleanUp(text: string): string {
  let result = text
  for (let i = 0; i < CHANGES.length; i += 2) {
    if (CHANGES[i] !== ' do not') result = result.replaceAll(CHANGES[i]!, CHANGES[i + 1]!)
  }
  return result
}

function endsOfWords(suffix: string): Step {
  return (tokens) => tokens.map((token, i) => token.replaceAll(suffix, i === tokens.length - 1 ? '' : ' '))
}

function metaspace(block: Block): Step {
  const { mark, scheme } = metaspaceOf(block)
  return (tokens) => tokens.map((token, i) => token.replaceAll(mark, i === 0 && scheme !== 'never' ? '' : ' '))
}

/** As Rust reads two hexadecimal digits, one of which may be a sign. */
const byteToken = /^<0x([0-9A-Fa-f]{2}|\+[0-9A-Fa-f])>$/

function byteFallback(tokens: readonly string[]): string[] {
  const result: string[] = []
  let bytes: number[] = []
  const flush = () => {
    if (bytes.length === 0) return
    try {
      result.push(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes)))
    } catch {
      for (const _ of bytes) result.push('\ufffd')
    }
    bytes = []
  }
  for (const token of tokens) {
    const digits = byteToken.exec(token)?.[1]
    if (digits !== undefined) bytes.push(Number.parseInt(digits, 16))
    else {
      flush()
      result.push(token)
    }
  }
  flush()
  return result
}

function replace(block: Block): Step {
  const pattern = patternOf(block)
  const content = String(block.content ?? '')
  return (tokens) =>
    tokens.map((token) => {
      let result = ''
      let copied = 0
      for (const [from, to] of matches(token, pattern)) {
        result += token.slice(copied, from) + content
        copied = to
        if (result.length > mostOf(token.length)) throw tooLong(result.length, token.length)
      }
      return result + token.slice(copied)
    })
}

function strip(content: string, start: number, stop: number): Step {
  return (tokens) =>
    tokens.map((token) => {
      const all = [...token]
      let from = 0
      while (from < start && from < all.length && all[from] === content) from++
      let to = all.length
      while (all.length - to < stop && to > from && all[to - 1] === content) to--
      return all.slice(from, to).join('')
    })
}

function ctc({ pad_token, word_delimiter_token, cleanup }: Block): Step {
  const pad = String(pad_token ?? '<pad>')
  const delimiter = String(word_delimiter_token ?? '|')
  return (tokens) =>
    tokens
      .filter((token, i) => token !== tokens[i - 1])
      .map((token) => {
        const text = pad === '' ? token : token.replaceAll(pad, '')
        return cleanup === false ? text : withoutSpaces(text).replaceAll(delimiter, () => ' ')
      })
      .filter((token) => token !== '')
}
