import { parseJson } from '../../io/schema.js'
import type { ConfigObject, ConfigValue } from '../../native/types.js'
import { isObject, jsonObject, toJson } from '../json.js'

/**
 * A tokenizer's files in which markers such as `[unused0]` are tokens of their own, where the vocabulary has them: else they
 * would be cut into pieces. Source: `MultiVectorEncoder._register_prefix_tokens`.
 * @param prefixes with the space behind the marker
 */
export function withPrefixTokens(
  files: ReadonlyMap<string, Uint8Array>,
  prefixes: readonly string[],
  folder: string,
): Map<string, Uint8Array> {
  const out = new Map(files)
  const json = parseJson(files.get('tokenizer.json')!, `${folder}/tokenizer.json`, jsonObject, 'ERR_INVALID_MODEL')
  const added = Array.isArray(json.added_tokens) ? json.added_tokens : []
  const known = new Set(added.map((token) => (isObject(token) ? token.content : undefined)))
  const vocabulary = isObject(json.model) && isObject(json.model.vocab) ? json.model.vocab : {}
  const markers: ConfigObject[] = []
  for (const prefix of prefixes) {
    const marker = prefix.trim().split(/\s/)[0]
    // A marker that is already a token stays one.
    if (!marker || known.has(prefix) || known.has(marker)) continue
    const content = [prefix, marker].find((name) => Object.hasOwn(vocabulary, name))
    if (content === undefined) continue
    known.add(content)
    const id = vocabulary[content]!
    markers.push({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true })
  }
  if (markers.length === 0) return out
  const tokens: ConfigValue[] = [...added, ...markers]
  const write = (name: string, value: ConfigObject) => out.set(name, new TextEncoder().encode(toJson(value)))
  write('tokenizer.json', { ...json, added_tokens: tokens })
  const bytes = files.get('tokenizer_config.json')
  const config = bytes && parseJson(bytes, `${folder}/tokenizer_config.json`, jsonObject, 'ERR_INVALID_MODEL')
  // It takes the place of all other lists.
  if (isObject(config?.added_tokens_decoder)) {
    const more = Object.fromEntries(markers.map(({ id, ...marker }) => [String(id), marker]))
    write('tokenizer_config.json', { ...config, added_tokens_decoder: { ...config.added_tokens_decoder, ...more } })
  }
  return out
}
