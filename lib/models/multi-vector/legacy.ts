/** What PyLate and Stanford's ColBERT keep in files of their own. */
import { join } from 'node:path'
import { SentenceTorchError } from '../../errors.js'
import type { ConfigObject } from '../../native/types.js'
import { isTrue, jsonObject, readJson } from '../json.js'

/** Python's `string.punctuation`: what these models leave out of documents. */
export const PUNCTUATION: readonly string[] = [...'!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~']

/** Settings of a model that was saved by another package than sentence-transformers. */
export interface LegacySettings {
  /** Markers in front of texts, which are tokens. */
  prefixes: Record<string, string>
  /** `query_length`, `document_length` and `query_expansion`. */
  lengths: ConfigObject
  skiplistWords: string[] | undefined
}

const LENGTHS = ['query_length', 'document_length', 'query_expansion']
/** Of which PyLate has at least one. */
const MARKERS = [
  ...[...LENGTHS, 'do_query_expansion', 'attend_to_expansion_tokens', 'attend_to_mask_tokens'],
  ...['query_prefix', 'document_prefix', 'skiplist_words'],
]
const CLASSIC_LENGTH = 32

/** Members of config_sentence_transformers.json that are not written back: what they say lies elsewhere in a saved folder. */
export const PYLATE_KEYS: readonly string[] = MARKERS

/** What PyLate says in config_sentence_transformers.json; undefined where it says nothing. Source: `_parse_model_config`. */
export function pylateSettings(config: ConfigObject): LegacySettings | undefined {
  if (!MARKERS.some((key) => key in config)) return undefined
  const prefixes = Object.fromEntries(
    ['query', 'document'].flatMap((side) =>
      `${side}_prefix` in config ? [[side, String(config[`${side}_prefix`] ?? '')]] : [],
    ),
  )
  const lengths: ConfigObject = Object.fromEntries(
    LENGTHS.filter((key) => key in config && (config[key] !== null || key === 'query_expansion')).map((key) => [
      key,
      config[key]!,
    ]),
  )
  if (!('query_expansion' in lengths)) {
    const length = lengths.query_length ?? CLASSIC_LENGTH
    const attend = isTrue(config.attend_to_expansion_tokens ?? config.attend_to_mask_tokens)
    const expands = config.do_query_expansion !== false
    if (expands) delete lengths.query_length
    lengths.query_expansion = expands ? { strategy: 'fixed', attend, length } : null
  }
  const words = config.skiplist_words
  return { prefixes, lengths, skiplistWords: Array.isArray(words) ? words.map(String) : undefined }
}

/** What Stanford's ColBERT says in artifact.metadata. Source: `_maybe_load_stanford_metadata`. */
export async function stanfordSettings(path: string): Promise<LegacySettings> {
  const metadata = (await readJson(join(path, 'artifact.metadata'), jsonObject)) ?? {}
  const { query_token_id, doc_token_id, doc_maxlen, query_maxlen, attend_to_mask_tokens, mask_punctuation } = metadata
  const marker = (value: unknown, usual: string) => `${typeof value === 'string' && value !== '' ? value : usual} `
  const length = query_maxlen ?? CLASSIC_LENGTH
  if (typeof length !== 'number') {
    const message = `Expected a number as query_maxlen in ${join(path, 'artifact.metadata')}`
    throw new SentenceTorchError('ERR_INVALID_MODEL', message)
  }
  return {
    prefixes: { query: marker(query_token_id, '[unused0]'), document: marker(doc_token_id, '[unused1]') },
    lengths: {
      ...(doc_maxlen !== undefined && doc_maxlen !== null && { document_length: doc_maxlen }),
      query_expansion: { strategy: 'fixed', attend: isTrue(attend_to_mask_tokens), length: length || CLASSIC_LENGTH },
    },
    skiplistWords: mask_punctuation === undefined || isTrue(mask_punctuation) ? [...PUNCTUATION] : [],
  }
}
