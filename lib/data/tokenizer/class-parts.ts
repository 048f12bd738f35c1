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
  /** What goes around texts. Undefined when the file's own post-processor stays. */
  around?: Around
  /** Whether the file's own post-processor stays where there is one. */
  keepsAround?: boolean
}

/**
 * RobertaProcessing with `cls` and `sep`, or a template: names of tokens, A and B for the texts, each with its token type behind a
 * colon where that is not 0.
 */
export type Around = 'classic' | { single: string; pair: string }

/** A flag as Python takes it: what is there and empty means false. */
export function flag(config: ClassInput['config'], key: string, otherwise: boolean): boolean {
  return key in config ? Boolean(config[key]) : otherwise
}

export function wordPieceParts({ vocab, config, token }: ClassInput): ClassParts {
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

/** The first charsmap among the file's normalisers. */
export function precompiled(normalizer: Block | null): Block | null {
  const all: unknown = normalizer?.type === 'Sequence' ? normalizer.normalizers : [normalizer]
  if (!Array.isArray(all)) return null
  return (
    (all as (Block | null)[]).find((block) => block?.type === 'Precompiled' && 'precompiled_charsmap' in block) ?? null
  )
}

export function spacesAndMarks(prepend_scheme: 'always' | 'never'): Block {
  const pretokenizers = [
    { type: 'WhitespaceSplit' },
    { type: 'Metaspace', replacement: '▁', prepend_scheme, split: true },
  ]
  return { type: 'Sequence', pretokenizers }
}

/** Unigram behind nothing but a charsmap. */
export function unigramParts({ vocab, normalizer }: ClassInput, unk_id: number, addsSpace: boolean): ClassParts {
  return {
    model: unigram(vocab, unk_id),
    normalizer: precompiled(normalizer),
    pre_tokenizer: spacesAndMarks(addsSpace ? 'always' : 'never'),
  }
}

/** Python has read the vocabulary by itself. */
export function unigram(vocab: ClassInput['vocab'], unk_id: number): ModelBlock {
  return { type: 'Unigram', vocab, unk_id, byte_fallback: false, exact_scores: true }
}

/** Where the vocabulary has a piece first, or -1. */
export function indexOf(vocab: ClassInput['vocab'], piece: string, score?: number): number {
  return (vocab as [string, number][]).findIndex(
    ([text, own]) => text === piece && (score === undefined || own === score),
  )
}

export function byteLevel({ config }: ClassInput, use_regex = true): Block {
  const add_prefix_space = flag(config, 'add_prefix_space', false)
  return { type: 'ByteLevel', add_prefix_space, trim_offsets: true, use_regex }
}

export function bytePairs({ vocab, merges }: ClassInput, more: object = {}): ModelBlock {
  return { type: 'BPE', vocab, merges: merges ?? [], unk_token: null, fuse_unk: false, ...more } as ModelBlock
}
