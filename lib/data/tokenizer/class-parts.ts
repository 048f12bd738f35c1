import type { Block, ModelBlock } from './blocks.js'

/** What a class makes its parts of. */
export interface ClassInput {
  vocab: NonNullable<ModelBlock['vocab']>
  /** Of BPE. */
  merges: unknown
  /** tokenizer_config.json */
  config: Readonly<Record<string, unknown>>
  /** The file's own normaliser. */
  normalizer: Block | null
  /** The token that goes by a name: `cls`, `unk`, … */
  token(name: string): string
}

/** The parts that a class puts in the place of the file's. */
export interface ClassParts {
  model: ModelBlock
  normalizer: Block | null
  pre_tokenizer: Block | null
}

/** What a tokenizer class of transformers does to a tokenizer.json. */
export interface TokenizerClass {
  /** The model that it puts the file's vocabulary into; a file with a vocabulary of another kind keeps its own parts. */
  model: 'WordPiece' | 'BPE' | 'Unigram'
  /** The tokens that go by names where no file says otherwise. */
  names: Readonly<Record<string, string>>
  /** Names that, as text alone, are sought in the normalised text; and those that take the space in front of them. */
  normalized?: boolean
  lstrip?: readonly string[]
  /** Whether its model is told which text of a pair a token is of. */
  hasTokenTypes?: boolean
  /** Tokens without names that it adds where no file lists any. @param listed by special_tokens_map.json */
  extra?(listed: readonly unknown[] | undefined, config: ClassInput['config']): readonly unknown[]
  /** Undefined when the file's own parts stay. */
  parts?(input: ClassInput): ClassParts
  /** Undefined when the file's own post-processor stays. */
  around?(token: (name: string) => string): Around
  /** Whether the file's own post-processor stays where there is one. */
  keepsAround?: boolean
}

/** What goes around texts. */
export type Around =
  | { classic: [first: string, last: string] }
  /** As `TemplateProcessing` takes them: tokens, A and B, each with its token type. */
  | { single: readonly Piece[]; pair: readonly Piece[] }
type Piece = readonly [name: string, type: 0 | 1]

const bertNames = { unk: '[UNK]', sep: '[SEP]', pad: '[PAD]', cls: '[CLS]', mask: '[MASK]' }
const robertaNames = { bos: '<s>', eos: '</s>', unk: '<unk>', sep: '</s>', pad: '<pad>', cls: '<s>', mask: '<mask>' }

/** A flag as Python takes it: what is there and empty means false. */
function flag(config: ClassInput['config'], key: string, otherwise: boolean): boolean {
  return key in config ? Boolean(config[key]) : otherwise
}

function wordPieceParts({ vocab, config, token }: ClassInput): ClassParts {
  const given = (key: string) => (typeof config[key] === 'boolean' ? config[key] : undefined)
  return {
    model: { type: 'WordPiece', vocab, unk_token: token('unk') },
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      lowercase: given('do_lower_case') ?? true,
      handle_chinese_chars: given('tokenize_chinese_chars') ?? true,
      strip_accents: given('strip_accents') ?? null,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
  }
}

const bertAround = (token: (name: string) => string): Around => {
  const [first, last] = [token('cls'), token('sep')]
  return {
    single: [
      [first, 0],
      ['A', 0],
      [last, 0],
    ],
    pair: [
      [first, 0],
      ['A', 0],
      [last, 0],
      ['B', 1],
      [last, 1],
    ],
  }
}

/** The first charsmap among the file's normalisers. */
function precompiled(normalizer: Block | null): Block | null {
  const all: unknown = normalizer?.type === 'Sequence' ? normalizer.normalizers : [normalizer]
  if (!Array.isArray(all)) return null
  return (
    (all as (Block | null)[]).find((block) => block?.type === 'Precompiled' && 'precompiled_charsmap' in block) ?? null
  )
}

function spacesAndMarks(prepend_scheme: 'always' | 'never'): Block {
  const pretokenizers = [
    { type: 'WhitespaceSplit' },
    { type: 'Metaspace', replacement: '▁', prepend_scheme, split: true },
  ]
  return { type: 'Sequence', pretokenizers }
}

/** Unigram behind nothing but a charsmap. */
function unigramParts({ vocab, normalizer }: ClassInput, unk_id: number, addsSpace: boolean): ClassParts {
  return {
    model: unigram(vocab, unk_id),
    normalizer: precompiled(normalizer),
    pre_tokenizer: spacesAndMarks(addsSpace ? 'always' : 'never'),
  }
}

/** Python has read the vocabulary by itself. */
function unigram(vocab: ClassInput['vocab'], unk_id: number): ModelBlock {
  return { type: 'Unigram', vocab, unk_id, byte_fallback: false, exact_scores: true }
}

/** Where the vocabulary has a piece first, or -1. */
function indexOf(vocab: ClassInput['vocab'], piece: string, score?: number): number {
  return (vocab as [string, number][]).findIndex(
    ([text, own]) => text === piece && (score === undefined || own === score),
  )
}

function byteLevel({ config }: ClassInput, use_regex = true): Block {
  const add_prefix_space = flag(config, 'add_prefix_space', false)
  return { type: 'ByteLevel', add_prefix_space, trim_offsets: true, use_regex }
}

function bytePairs({ vocab, merges }: ClassInput, more: object = {}): ModelBlock {
  return { type: 'BPE', vocab, merges: merges ?? [], unk_token: null, fuse_unk: false, ...more } as ModelBlock
}

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
  parts: (input) => ({ model: bytePairs(input), normalizer: null, pre_tokenizer: byteLevel(input) }),
  around: (token) => ({ classic: [token('cls'), token('sep')] }),
}

const xlmAround = (token: (name: string) => string): Around => {
  const [first, last] = [token('bos'), token('eos')]
  const single: Piece[] = [
    [first, 0],
    ['A', 0],
    [last, 0],
  ]
  return { single, pair: [...single, [last, 0], ['B', 0], [last, 0]] }
}

/** The classes that build a tokenizer of their own around a file's vocabulary, by their names without Fast. */
export const tokenizerClasses: Readonly<Record<string, TokenizerClass>> = {
  BertTokenizer: bert,
  ...{ ElectraTokenizer: bert, MobileBertTokenizer: bert, SqueezeBertTokenizer: bert, LayoutLMTokenizer: bert },
  ...{ LxmertTokenizer: bert, DPRContextEncoderTokenizer: bert, DPRQuestionEncoderTokenizer: bert },
  DistilBertTokenizer: { ...bert, hasTokenTypes: false },
  DPRReaderTokenizer: { ...bert, hasTokenTypes: false },
  // It has no constructor of its own, and then the file is loaded as it is.
  ConvBertTokenizer: { model: 'WordPiece', names: bertNames, hasTokenTypes: true, around: bertAround },
  MPNetTokenizer: {
    model: 'WordPiece',
    names: { ...robertaNames, unk: '[UNK]' },
    normalized: true,
    lstrip: ['mask'],
    parts: wordPieceParts,
    around: (token) => ({ classic: [token('cls'), token('sep')] }),
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
    around: (token) => {
      const last: Piece = [token('eos'), 0]
      return { single: [['A', 0], last], pair: [['A', 0], last, ['B', 0], last] }
    },
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
      return {
        model: unigram(vocab, 1),
        normalizer: { type: 'Sequence', normalizers },
        pre_tokenizer: spacesAndMarks(flag(config, 'add_prefix_space', true) ? 'always' : 'never'),
      }
    },
    around: bertAround,
    keepsAround: true,
  },
  GPT2Tokenizer: {
    model: 'BPE',
    names: { bos: '<|endoftext|>', eos: '<|endoftext|>', unk: '<|endoftext|>' },
    parts: (input) => ({ model: bytePairs(input), normalizer: null, pre_tokenizer: byteLevel(input) }),
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
    }),
  },
}
