import type { AddedToken, TokenizerJson } from './blocks.js'
import { makeNormalizer } from './normalizers.js'
import { Pieces } from './pieces.js'

/** The tokens by id. Made when a text is decoded for the first time. */
export class TokenNames {
  private readonly added: ReadonlyMap<number, string>
  private readonly special: ReadonlySet<string>
  private readonly names: readonly (string | undefined)[]

  /** @param plain added tokens that the normaliser does not change */
  constructor(json: TokenizerJson, plain: ReadonlySet<string>) {
    const tokens = json.added_tokens as readonly AddedToken[]
    const normalize = makeNormalizer(json.normalizer)
    // As Rust's tokenizers 0.23 does. A special token that the normaliser changes is then not skipped.
    const nameOf = ({ content, normalized }: AddedToken) =>
      normalized && !plain.has(content) ? normalize(content) : content
    this.added = new Map(tokens.map((token) => [token.id, nameOf(token)]))
    this.special = new Set(tokens.filter(({ special }) => special).map(({ content }) => content))
    const vocab = json.model?.vocab ?? {}
    if (vocab instanceof Pieces) this.names = Array.from(vocab.scores, (_, id) => vocab.text(id))
    else {
      const names: string[] = []
      for (const token in vocab) names[vocab[token]!] = token
      this.names = names
    }
  }

  /** The token of an id; undefined where there is none. */
  at(id: number): string | undefined {
    return this.added.get(id) ?? this.names[id]
  }

  /** The tokens of ids. Ids without a token are left out, and special tokens too if they are to be skipped. */
  of(ids: ArrayLike<number>, skipsSpecial: boolean): string[] {
    const found: string[] = []
    for (let i = 0; i < ids.length; i++) {
      const token = this.at(ids[i]!)
      if (token !== undefined && !(skipsSpecial && this.special.has(token))) found.push(token)
    }
    return found
  }
}
