import { SentenceTorchError } from '../../errors.js'
import { arrayOf, integer, object, optional, parseJson, recordOf, text } from '../../io/schema.js'
import { toJson } from '../json.js'

export interface StaticVocabulary {
  /** tokenizer.json of the static model. */
  tokenizer: Uint8Array
  /** The ids that each of its tokens has in the teacher, in the order of its ids. */
  teacherIds: Int32Array
}

const id = integer(0, 2 ** 31 - 1)
const schema = object({
  added_tokens: optional(arrayOf(object({ id, content: text() }), { max: 1_000_000 })),
  model: object({ type: optional(text()), unk_token: optional(text()), vocab: recordOf(id) }),
  padding: optional((value: unknown) => value as { pad_token?: unknown } | null),
})

/**
 * The vocabulary of a static model: that of the teacher's WordPiece, without tokens that a pattern matches and without special ones
 * but those for padding and unknown words; ids follow each other. Texts get no special tokens.
 * Source: model2vec `clean_and_create_vocabulary`.
 * @param pattern has to match at the start of a token
 * @throws ERR_NOT_IMPLEMENTED for another kind of tokenizer; ERR_INVALID_ARGUMENT where no token is left
 */
export function staticVocabulary(bytes: Uint8Array, file: string, pattern: RegExp | undefined): StaticVocabulary {
  const json = parseJson(bytes, file, schema, 'ERR_INVALID_MODEL')
  const { type, unk_token: unknown = '[UNK]', vocab } = json.model
  if (type !== 'WordPiece') {
    const message = `Distillation of a model whose tokenizer is of the kind ${type} (${file}) is not built yet; WordPiece is, which BERT has`
    throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
  }
  const padding = typeof json.padding?.pad_token === 'string' ? json.padding.pad_token : '[PAD]'
  const special = new Set((json.added_tokens ?? []).map(({ content }) => content))
  for (const kept of [unknown, padding]) special.delete(kept)
  const kept = Object.entries(vocab)
    .filter(([token]) => !special.has(token) && !(pattern && matchesAtStart(pattern, token)))
    .sort(([, a], [, b]) => a - b)
  if (kept.length === 0) {
    const message = `Expected tokens that tokenRemovePattern (${pattern}) leaves, found none among ${Object.keys(vocab).length}`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  const ids = new Map(kept.map(([token], i) => [token, i]))
  const whole = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown> & { model: object }
  const added = (json.added_tokens ?? []).filter(({ content }) => ids.has(content))
  const tokenizer = {
    ...whole,
    truncation: { direction: 'Right', max_length: MOST_TOKENS, strategy: 'LongestFirst', stride: 0 },
    added_tokens: added.map((token) => ({ ...token, id: ids.get(token.content) })),
    post_processor: null,
    model: { ...whole.model, vocab: Object.fromEntries(ids) },
  }
  return { tokenizer: new TextEncoder().encode(toJson(tokenizer)), teacherIds: Int32Array.from(kept, ([, old]) => old) }
}

/** model2vec's `max_length`. */
const MOST_TOKENS = 512

/** As Python's `re.match`. */
function matchesAtStart(pattern: RegExp, token: string): boolean {
  return new RegExp(`^(?:${pattern.source})`, pattern.flags.replace(/[gy]/g, '')).test(token)
}
