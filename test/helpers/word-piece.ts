/** What every WordPiece vocabulary of the tests begins with. */
export const SPECIAL_TOKENS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']

/** The tokenizer.json of an uncased BERT with these words after the special tokens. */
export function wordPieceTokenizer(words: readonly string[]) {
  const token = (id: string) => ({ SpecialToken: { id, type_id: 0 } })
  const named = (id: string) => [id, { id, ids: [SPECIAL_TOKENS.indexOf(id)], tokens: [id] }]
  return {
    version: '1.0',
    truncation: null as object | null,
    padding: null,
    added_tokens: SPECIAL_TOKENS.map((content, id) => ({
      ...{ id, content, special: true, single_word: false, lstrip: false, rstrip: false, normalized: false },
    })),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [token('[CLS]'), { Sequence: { id: 'A', type_id: 0 } }, token('[SEP]')],
      pair: [],
      special_tokens: Object.fromEntries([named('[CLS]'), named('[SEP]')]),
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries([...SPECIAL_TOKENS, ...words].map((word, id) => [word, id])),
    },
  }
}
