import type { Block, ModelBlock } from './blocks.js'
import type { Pieces } from './pieces.js'

/** The inputs from which a class makes its parts. */
export interface ClassInput {
  vocab: NonNullable<ModelBlock['vocab']>
  /** For BPE. */
  merges: unknown
  /** tokenizer_config.json */
  config: Readonly<Record<string, unknown>>
  /** The file's own normaliser. */
  normalizer: Block | null
  /** The token with a name: `cls`, `unk`, … */
  token(name: string): string
}

/** The parts with which a class replaces the file's. */
export interface ClassParts {
  model: ModelBlock
  normalizer: Block | null
  pre_tokenizer: Block | null
  decoder: Block
}

/** How a tokenizer class of transformers changes a tokenizer.json. */
export interface TokenizerClass {
  /** The model type for the file's vocabulary. A file with a vocabulary of another type keeps its own parts. */
  model: 'WordPiece' | 'BPE' | 'Unigram'
  /** The named tokens, where no file gives others. */
  names: Readonly<Record<string, string>>
  /**
   * Named tokens that, given as plain text, are searched for in the normalised text; and those that include the space
   * before them.
   */
  normalized?: boolean
  lstrip?: readonly string[]
  /** Whether its model gets token types, which tell the two texts of a pair apart. */
  hasTokenTypes?: boolean
  /** Unnamed tokens that it adds where no file lists any. @param listed by special_tokens_map.json */
  extra?(listed: readonly unknown[] | undefined, config: ClassInput['config']): readonly unknown[]
  /** Undefined when the file's own parts stay. */
  parts?(input: ClassInput): ClassParts
  /** The post-processor. Undefined when the file's own stays. */
  around?: Around
  /** Whether the file's own post-processor stays, if there is one. */
  keepsAround?: boolean
}

/**
 * RobertaProcessing with `cls` and `sep`, or a template: names of tokens, and A and B for the texts. A token type other
 * than 0 follows after a colon.
 */
export type Around = 'classic' | { single: string; pair: string }

/** A flag as in Python: an empty value counts as false. */
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
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
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

/** The decoder for the marks that stand for spaces. */
export function marksToSpaces(prepend_scheme: 'always' | 'first' | 'never'): Block {
  return { type: 'Metaspace', replacement: '▁', prepend_scheme, split: true }
}

/** The decoder for marks and bytes. @param dropsSpace whether a space at the start goes */
export function marksAndBytes(dropsSpace: boolean): Block {
  const spaces = { type: 'Replace', pattern: { String: '▁' }, content: ' ' }
  const strip = { type: 'Strip', content: ' ', start: 1, stop: 0 }
  return {
    type: 'Sequence',
    decoders: [spaces, { type: 'ByteFallback' }, { type: 'Fuse' }, ...(dropsSpace ? [strip] : [])],
  }
}

/** The decoder of byte-level vocabularies. */
export const BYTES: Block = { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true }

/** Unigram after a charsmap and no other normaliser. */
export function unigramParts({ vocab, normalizer }: ClassInput, unk_id: number, addsSpace: boolean): ClassParts {
  return {
    model: unigram(vocab, unk_id),
    normalizer: precompiled(normalizer),
    pre_tokenizer: spacesAndMarks(addsSpace ? 'always' : 'never'),
    decoder: marksToSpaces(addsSpace ? 'always' : 'never'),
  }
}

/** Python read the vocabulary itself. */
export function unigram(vocab: ClassInput['vocab'], unk_id: number): ModelBlock {
  return { type: 'Unigram', vocab, unk_id, byte_fallback: false, exact_scores: true }
}

/** The first index of a piece in the vocabulary, or -1. */
export function indexOf(vocab: ClassInput['vocab'], piece: string, score?: number): number {
  return (vocab as Pieces).indexOf(piece, score)
}

export function byteLevel({ config }: ClassInput, use_regex = true): Block {
  const add_prefix_space = flag(config, 'add_prefix_space', false)
  return { type: 'ByteLevel', add_prefix_space, trim_offsets: true, use_regex }
}

export function bytePairs({ vocab, merges }: ClassInput, more: object = {}): ModelBlock {
  return { type: 'BPE', vocab, merges: merges ?? [], unk_token: null, fuse_unk: false, ...more } as ModelBlock
}
