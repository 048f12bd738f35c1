import type { ConfigObject } from '../native/types.js'
import { isObject, isTrue } from './json.js'

/** Tokenizer classes that are made of a vocab.txt alone. */
const CLASSES = /^(Bert|DistilBert)Tokenizer(Fast)?$/
/** Their special tokens, by the names under which a folder may say otherwise. */
const SPECIAL = { pad: '[PAD]', unk: '[UNK]', cls: '[CLS]', sep: '[SEP]', mask: '[MASK]' }

/**
 * The tokenizer.json that transformers makes of a BERT's vocab.txt, a token on every line, where a folder has none; undefined
 * for other classes, and without the tokens that every text needs.
 * @param settings tokenizer_config.json over special_tokens_map.json
 * Source: transformers `BertTokenizer`.
 */
export function tokenizerOfVocabulary(vocabulary: string, settings: ConfigObject): object | undefined {
  const { tokenizer_class = 'BertTokenizer', do_lower_case, tokenize_chinese_chars, strip_accents } = settings
  if (typeof tokenizer_class !== 'string' || !CLASSES.test(tokenizer_class)) return undefined
  const lines = vocabulary.split(/\r\n|\n|\r/)
  if (lines.at(-1) === '') lines.pop()
  // Of equal lines the last one counts.
  const vocab = new Map(lines.map((token, id) => [token, id]))
  const { pad, unk, cls, sep, mask } = Object.fromEntries(
    Object.entries(SPECIAL).map(([name, token]) => [name, contentOf(settings[`${name}_token`]) ?? token]),
  ) as typeof SPECIAL
  if (![pad, unk, cls, sep].every((token) => vocab.has(token))) return undefined
  const added = [pad, unk, cls, sep, mask]
    .filter((token) => vocab.has(token))
    .map((content) => ({
      ...{ id: vocab.get(content)!, content, special: true },
      ...{ single_word: false, lstrip: false, rstrip: false, normalized: false },
    }))
  const token = (id: string, type_id: number) => ({ SpecialToken: { id, type_id } })
  const text = (id: string, type_id: number) => ({ Sequence: { id, type_id } })
  const single = [token(cls, 0), text('A', 0), token(sep, 0)]
  const named = (id: string) => [id, { id, ids: [vocab.get(id)!], tokens: [id] }]
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added.sort((a, b) => a.id - b.id),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: flag(tokenize_chinese_chars, true),
      strip_accents: flag(strip_accents, null),
      lowercase: flag(do_lower_case, true),
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single,
      pair: [...single, text('B', 1), token(sep, 1)],
      special_tokens: Object.fromEntries([named(cls), named(sep)]),
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      ...{ type: 'WordPiece', unk_token: unk, continuing_subword_prefix: '##', max_input_chars_per_word: 100 },
      vocab: Object.fromEntries(vocab),
    },
  }
}

/** A token is written as text, or as an object with its settings. */
function contentOf(token: unknown): string | undefined {
  const content = isObject(token) ? token.content : token
  return typeof content === 'string' ? content : undefined
}

function flag<T>(value: unknown, otherwise: T): boolean | T {
  return value === undefined || value === null ? otherwise : isTrue(value)
}
