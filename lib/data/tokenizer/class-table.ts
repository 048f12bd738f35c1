import {
  type Around,
  BYTES,
  byteLevel,
  bytePairs,
  flag,
  indexOf,
  marksAndBytes,
  marksToSpaces,
  precompiled,
  spacesAndMarks,
  type TokenizerClass,
  unigram,
  unigramParts,
  wordPieceParts,
} from './class-parts.js'

const bertNames = { unk: '[UNK]', sep: '[SEP]', pad: '[PAD]', cls: '[CLS]', mask: '[MASK]' }
const robertaNames = { bos: '<s>', eos: '</s>', unk: '<unk>', sep: '</s>', pad: '<pad>', cls: '<s>', mask: '<mask>' }

const bertAround: Around = { single: 'cls A sep', pair: 'cls A sep B:1 sep:1' }
const xlmAround: Around = { single: 'bos A eos', pair: 'bos A eos eos B eos' }

const quotes = [
  { type: 'Replace', pattern: { String: '``' }, content: '"' },
  { type: 'Replace', pattern: { String: "''" }, content: '"' },
]
const QWEN2 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

const bert: TokenizerClass = {
  model: 'WordPiece',
  names: bertNames,
  hasTokenTypes: true,
  parts: wordPieceParts,
  around: bertAround,
}

const roberta: TokenizerClass = {
  model: 'BPE',
  names: robertaNames,
  parts: (input) => ({
    model: bytePairs(input),
    normalizer: null,
    pre_tokenizer: byteLevel(input),
    decoder: BYTES,
  }),
  around: 'classic',
}

/** The classes that build their own tokenizer around a file's vocabulary, by their names without Fast. */
export const tokenizerClasses: Readonly<Record<string, TokenizerClass>> = {
  BertTokenizer: bert,
  ...{ ElectraTokenizer: bert, MobileBertTokenizer: bert, SqueezeBertTokenizer: bert, LayoutLMTokenizer: bert },
  ...{ LxmertTokenizer: bert, DPRContextEncoderTokenizer: bert, DPRQuestionEncoderTokenizer: bert },
  DistilBertTokenizer: { ...bert, hasTokenTypes: false },
  DPRReaderTokenizer: { ...bert, hasTokenTypes: false },
  // It has no constructor of its own, and then the file is loaded unchanged.
  ConvBertTokenizer: { model: 'WordPiece', names: bertNames, hasTokenTypes: true, around: bertAround },
  MPNetTokenizer: {
    model: 'WordPiece',
    names: { ...robertaNames, unk: '[UNK]' },
    normalized: true,
    lstrip: ['mask'],
    parts: wordPieceParts,
    around: 'classic',
  },
  RobertaTokenizer: roberta,
  ...{ BartTokenizer: roberta, LongformerTokenizer: roberta, LEDTokenizer: roberta, MvpTokenizer: roberta },
  XLMRobertaTokenizer: {
    model: 'Unigram',
    names: robertaNames,
    parts: (input) => unigramParts(input, 3, flag(input.config, 'add_prefix_space', true)),
    around: xlmAround,
  },
  CamembertTokenizer: {
    model: 'Unigram',
    names: robertaNames,
    lstrip: ['mask'],
    extra: (listed) => listed ?? ['<s>NOTUSED', '</s>NOTUSED', '<unk>NOTUSED'],
    parts: (input) => {
      const unknown = Math.max(0, indexOf(input.vocab, input.token('unk')))
      return unigramParts(input, unknown, flag(input.config, 'add_prefix_space', true))
    },
    around: xlmAround,
  },
  T5Tokenizer: {
    model: 'Unigram',
    names: { eos: '</s>', unk: '<unk>', pad: '<pad>' },
    extra: (listed, { extra_ids = 100 }) => {
      const ids = Array.from(
        { length: Math.min(Math.max(0, Number(extra_ids)), 10_000) || 0 },
        (_, i) => `<extra_id_${i}>`,
      )
      if (listed === undefined) return ids
      const contents = listed.map((token) => (token as { content?: unknown } | null)?.content ?? token)
      return contents.some((content) => String(content).includes('<extra_id_')) ? listed : [...listed, ...ids]
    },
    parts: (input) => unigramParts(input, 2, true),
    around: { single: 'A eos', pair: 'A eos B eos' },
  },
  DebertaV2Tokenizer: {
    model: 'Unigram',
    names: { ...bertNames, bos: '[CLS]', eos: '[SEP]' },
    hasTokenTypes: true,
    parts: ({ vocab, config, token }) => {
      const unknown = indexOf(vocab, token('unk'), 0)
      const normalizers = [
        ...(flag(config, 'do_lower_case', false) ? [{ type: 'Lowercase' }] : []),
        { type: 'Replace', pattern: { Regex: '\\s{2,}|[\\n\\r\\t]' }, content: ' ' },
        { type: 'NFC' },
        { type: 'Strip', strip_left: false, strip_right: true },
      ]
      const prepend_scheme = flag(config, 'add_prefix_space', true) ? 'always' : 'first'
      const pretokenizers = [
        ...(flag(config, 'split_by_punct', false) ? [{ type: 'Punctuation', behavior: 'Isolated' }] : []),
        { type: 'Metaspace', replacement: '▁', prepend_scheme, split: true },
      ]
      return {
        model: unigram(vocab, unknown === -1 ? Number(config.unk_id ?? 1) : unknown),
        normalizer: { type: 'Sequence', normalizers },
        pre_tokenizer: { type: 'Sequence', pretokenizers },
        decoder: marksToSpaces(prepend_scheme),
      }
    },
    around: bertAround,
  },
  AlbertTokenizer: {
    model: 'Unigram',
    names: { ...bertNames, bos: '[CLS]', eos: '[SEP]', unk: '<unk>', pad: '<pad>' },
    parts: ({ vocab, config, normalizer }) => {
      const charsmap = precompiled(normalizer)
      const normalizers = [
        ...quotes,
        ...(flag(config, 'keep_accents', false) ? [] : [{ type: 'NFKD' }, { type: 'StripAccents' }]),
        ...(flag(config, 'do_lower_case', true) ? [{ type: 'Lowercase' }] : []),
        ...(charsmap ? [charsmap] : []),
      ]
      const scheme = flag(config, 'add_prefix_space', true) ? 'always' : 'never'
      return {
        model: unigram(vocab, 1),
        normalizer: { type: 'Sequence', normalizers },
        pre_tokenizer: spacesAndMarks(scheme),
        decoder: marksToSpaces(scheme),
      }
    },
    around: bertAround,
    keepsAround: true,
  },
  GPT2Tokenizer: {
    model: 'BPE',
    names: { bos: '<|endoftext|>', eos: '<|endoftext|>', unk: '<|endoftext|>' },
    parts: (input) => ({
      model: bytePairs(input),
      normalizer: null,
      pre_tokenizer: byteLevel(input),
      decoder: BYTES,
    }),
  },
  Qwen2Tokenizer: {
    model: 'BPE',
    names: { eos: '<|endoftext|>', unk: '<|endoftext|>', pad: '<|endoftext|>' },
    parts: (input) => {
      const split = { type: 'Split', pattern: { Regex: QWEN2 }, behavior: 'Isolated', invert: false }
      const pretokenizers = [split, byteLevel(input, false)]
      return {
        model: bytePairs(input),
        normalizer: { type: 'NFC' },
        pre_tokenizer: { type: 'Sequence', pretokenizers },
        decoder: BYTES,
      }
    },
  },
  LlamaTokenizer: {
    model: 'BPE',
    names: { bos: '<s>', eos: '</s>', unk: '<unk>' },
    parts: (input) => {
      const { config } = input
      const first = flag(config, 'legacy', false) ? 'always' : 'first'
      const prepend_scheme = (config.add_prefix_space ?? true) ? first : 'never'
      return {
        model: bytePairs(input, { fuse_unk: true, byte_fallback: true }),
        normalizer: null,
        pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme, split: false },
        decoder: marksAndBytes(prepend_scheme !== 'never'),
      }
    },
  },
  GemmaTokenizer: {
    model: 'BPE',
    names: { bos: '<bos>', eos: '<eos>', unk: '<unk>', pad: '<pad>', mask: '<mask>' },
    parts: (input) => ({
      model: bytePairs(input, { unk_token: input.token('unk'), fuse_unk: true, byte_fallback: true }),
      normalizer: { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      pre_tokenizer: { type: 'Split', pattern: { String: ' ' }, behavior: 'MergedWithPrevious', invert: false },
      decoder: marksAndBytes(false),
    }),
  },
}
