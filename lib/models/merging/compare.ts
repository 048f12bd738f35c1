import type { TokenizerJson } from '../../data/tokenizer/blocks.js'
import { Vocabulary } from '../../data/tokenizer/vocabulary.js'
import { SentenceTorchError } from '../../errors.js'
import { makeTokenizer } from '../start-engine.js'
import type { MergeInput } from './input.js'
import type { KindFolder } from './kinds.js'

/** Members of config.json that tell where a model comes from and how it was saved. */
const PROVENANCE = ['architectures', 'transformers_version', 'torch_dtype', 'dtype']

/**
 * Checks that two models are of one architecture, with the same modules and vocabulary.
 * @param settings of the class of models, of both
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT that names the first difference
 */
export function checkAlike<F extends KindFolder>(
  first: MergeInput<F>,
  other: MergeInput<F>,
  settings: (folder: F) => Record<string, unknown>,
): void {
  const differ = (what: string, one: unknown, two: unknown) => {
    const [a, b] = [one, two].map((value) => shown(value))
    const message = `Models that are merged need the same ${what}: ${first.label} has ${a}, ${other.label} has ${b}`
    return new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  const [a, b] = [first.folder, other.folder]
  if (a.architecture !== b.architecture) throw differ('architecture', a.architecture, b.architecture)
  const [ownSettings, otherSettings] = [settings(a), settings(b)]
  for (const [what, value] of Object.entries(ownSettings)) {
    if (!isSame(value, otherSettings[what])) throw differ(what, value, otherSettings[what])
  }
  for (const [key, value] of Object.entries(a.config)) {
    // Versions of transformers write different members; those with a default are in some files and not in others.
    if (PROVENANCE.includes(key) || key.startsWith('_') || !Object.hasOwn(b.config, key)) continue
    if (!isSame(value, b.config[key])) throw differ(`${key} of config.json`, value, b.config[key])
  }
  if (a.doLowerCase !== b.doLowerCase) throw differ('do_lower_case', a.doLowerCase, b.doLowerCase)
  checkTokenizers(a, b, differ)
}

type Differ = (what: string, one: unknown, two: unknown) => SentenceTorchError

function checkTokenizers(a: KindFolder, b: KindFolder, differ: Differ): void {
  const [own, others] = [a, b].map(tokensOf)
  for (const [token, id] of own!) {
    if (others!.get(token) !== id) throw differ(`id of the token ${JSON.stringify(token)}`, id, others!.get(token))
  }
  for (const [token, id] of others!) {
    if (!own!.has(token)) throw differ(`id of the token ${JSON.stringify(token)}`, undefined, id)
  }
  const [one, two] = [a, b].map((folder) => makeTokenizer({ ...folder, first: folder.first ?? 'Transformer' }))
  const special = [one!, two!].map(({ specialTokenIds }) => [...specialTokenIds].sort((x, y) => x - y))
  if (!isSame(special[0], special[1])) throw differ('special tokens', special[0], special[1])
  const around = [one!, two!].map((tokenizer) => [...tokenizer.encode(['']).ids])
  if (!isSame(around[0], around[1])) throw differ('tokens around a text', around[0], around[1])
}

function tokensOf({ tokenizerFiles }: KindFolder): Map<string, number> {
  const json = JSON.parse(new TextDecoder().decode(tokenizerFiles.get('tokenizer.json')!)) as TokenizerJson
  return new Map(new Vocabulary(json))
}

/** Whether two values are the same JSON, whatever the order of members. */
function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b))
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).map(([key, member]) => [key, sorted(member)] as const)
  return Object.fromEntries(members.sort(([x], [y]) => (x < y ? -1 : 1)))
}

function shown(value: unknown): string {
  if (value === undefined) return 'none'
  const text = JSON.stringify(value)
  return text.length > 200 ? `${text.slice(0, 197)}...` : text
}
