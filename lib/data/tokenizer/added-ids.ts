import type { AddedToken, ModelBlock } from './blocks.js'
import { Pieces } from './pieces.js'

/**
 * The added tokens with the ids of Rust's `add_tokens`: the vocabulary's id where it has the token, else the next free one.
 * A repeated token keeps its id and takes the new settings.
 * @param size number of tokens in the model's vocabulary
 * @param own tokens of a tokenizer.json that is loaded unchanged
 * @param listed tokens of the other files, in the order of their ids; the ids themselves are ignored
 * @param named special tokens, which are added when no list holds them
 */
export function addTokens(
  model: ModelBlock | undefined,
  size: number,
  own: readonly AddedToken[],
  listed: readonly AddedToken[],
  named: readonly AddedToken[],
): AddedToken[] {
  const contents = [...own, ...listed, ...named].map(({ content }) => content)
  const idOf = idsOf(model?.vocab, contents)
  const added = new Map<string, AddedToken>()
  let largest = -1
  const add = (token: AddedToken) => {
    if (token.content === '') return
    const next = largest >= size || size === 0 ? largest + 1 : size
    const id = added.get(token.content)?.id ?? idOf(token.content) ?? next
    largest = Math.max(largest, id)
    added.set(token.content, { ...token, id })
  }
  for (const token of own) add(token)
  for (const token of listed) if (!isThere(token, added)) add(token)
  for (const token of named) if (!added.has(token.content)) add({ ...token, special: true })
  return [...added.values()].sort((a, b) => a.id - b.id)
}

/** Whether the token was added with these settings. */
function isThere(token: AddedToken, added: ReadonlyMap<string, AddedToken>): boolean {
  const found = added.get(token.content)
  const keys = ['special', 'normalized', 'single_word', 'lstrip', 'rstrip'] as const
  return found !== undefined && keys.every((key) => found[key] === token[key])
}

/** The ids of some tokens in a vocabulary. Of equal pieces the last one counts. */
function idsOf(vocab: ModelBlock['vocab'], contents: readonly string[]): (token: string) => number | undefined {
  if (!(vocab instanceof Pieces)) return (token) => (vocab && Object.hasOwn(vocab, token) ? vocab[token] : undefined)
  const ids = vocab.idsOf(contents)
  return (token) => ids.get(token)
}
