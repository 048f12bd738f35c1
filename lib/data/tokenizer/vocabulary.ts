import type { AddedToken, TokenizerJson } from './blocks.js'
import { Pieces } from './pieces.js'

/** The tokens of a tokenizer with their ids. They are looked up in tokenizer.json itself, because few are ever needed. */
export class Vocabulary {
  private readonly added: ReadonlyMap<string, number>

  constructor(private readonly json: TokenizerJson) {
    const tokens = json.added_tokens as readonly AddedToken[]
    this.added = new Map(tokens.map(({ content, id }) => [content, id]))
  }

  /** The id of a token; undefined when there is none. Added tokens come first, and of equal pieces the last one counts. */
  idOf(token: string): number | undefined {
    const vocab = this.json.model?.vocab
    const added = this.added.get(token)
    if (added !== undefined || !vocab) return added
    if (!(vocab instanceof Pieces)) return Object.hasOwn(vocab, token) ? vocab[token] : undefined
    const id = vocab.lastIndexOf(token)
    return id === -1 ? undefined : id
  }

  /** The largest id + 1. */
  get size(): number {
    const vocab = this.json.model?.vocab ?? {}
    let largest = -1
    if (vocab instanceof Pieces) largest = vocab.length - 1
    else for (const token in vocab) if (vocab[token]! > largest) largest = vocab[token]!
    for (const id of this.added.values()) if (id > largest) largest = id
    return largest + 1
  }

  /** All tokens with their ids, added ones last. */
  *[Symbol.iterator](): Generator<readonly [token: string, id: number]> {
    const vocab = this.json.model?.vocab ?? {}
    if (vocab instanceof Pieces) for (let id = 0; id < vocab.length; id++) yield [vocab.text(id), id]
    else for (const token in vocab) yield [token, vocab[token]!]
    yield* this.added
  }
}
