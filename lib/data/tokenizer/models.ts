import { createRequire } from 'node:module'
import type { IdBuffer } from '../id-buffer.js'
import { type Block, type ModelBlock, notBuilt, notInVocabulary, notUnderstood } from './blocks.js'
import { byteIds } from './byte-level.js'
import { Unigram } from './unigram.js'
import { WordPieceModel } from './word-piece-model.js'

/** The part of a tokenizer that gives ids to words. */
export interface WordModel {
  /** Ids by token. */
  readonly vocabulary: ReadonlyMap<string, number>
  append(word: string, ids: IdBuffer): void
}

const require = createRequire(import.meta.url)

/**
 * The `model` block of tokenizer.json.
 * @throws SentenceTorchError ERR_INVALID_MODEL, ERR_NOT_IMPLEMENTED
 */
export function makeModel(model: ModelBlock | undefined): WordModel {
  if (model === undefined) throw notUnderstood('it has no model')
  const kind = model.type ?? kindOf(model)
  // WordPiece and Unigram look at theirs themselves.
  if (/^(BPE|WordLevel)$/.test(kind) && (!model.vocab || Array.isArray(model.vocab))) {
    throw notUnderstood(`its ${kind} model has no vocabulary of tokens and ids`)
  }
  switch (kind) {
    case 'WordPiece':
      return wordPiece(model)
    case 'WordLevel':
      return wordLevel(model)
    case 'Unigram':
      if (Array.isArray(model.vocab)) return new Unigram(model)
      throw notUnderstood('its Unigram model has no list of pieces')
    case 'BPE':
      return bytePairs(model)
    default:
      throw notUnderstood(`its model is of the type ${JSON.stringify(model.type)}`)
  }
}

/** Old files do not say what they hold. */
function kindOf(model: ModelBlock): string {
  if (Array.isArray(model.vocab)) return 'Unigram'
  if ('merges' in model) return 'BPE'
  return 'continuing_subword_prefix' in model ? 'WordPiece' : 'WordLevel'
}

function wordPiece(block: ModelBlock): WordModel {
  const model = new WordPieceModel(block)
  const kept: number[] = []
  return {
    vocabulary: new Map(Object.entries(block.vocab!)) as Map<string, number>,
    append(word, ids) {
      kept.length = 0
      model.match(word, kept)
      for (const id of kept) ids.push(id)
    },
  }
}

function wordLevel({ vocab, unk_token }: ModelBlock): WordModel {
  const vocabulary = new Map(Object.entries(vocab ?? {})) as Map<string, number>
  return {
    vocabulary,
    append(word, ids) {
      const id = vocabulary.get(word) ?? vocabulary.get(unk_token ?? '<unk>')
      if (id === undefined) throw notInVocabulary(word)
      ids.push(id)
    },
  }
}

/** Byte pair encoding: the merges of @huggingface/tokenizers, from the second character on with what it leaves out. */
function bytePairs(block: ModelBlock): WordModel {
  const { dropout, continuing_subword_prefix, merges: list } = block as Partial<Block>
  if (!Array.isArray(list)) throw notUnderstood('its BPE model has no merges')
  if (typeof dropout === 'number' && dropout > 0) throw notBuilt(`the dropout ${dropout} of its BPE model`)
  if (continuing_subword_prefix) throw notBuilt('the continuing_subword_prefix of its BPE model')
  const { BPE } = require('@huggingface/tokenizers') as {
    BPE: new (config: object) => { bpe(word: string): string[]; tokens_to_ids: Map<string, number> }
  }
  let merges: InstanceType<typeof BPE>
  try {
    merges = new BPE(block)
  } catch (cause) {
    throw notUnderstood((cause as Error).message)
  }
  const vocabulary = merges.tokens_to_ids
  const unknown = block.unk_token == null ? undefined : vocabulary.get(block.unk_token)
  const whole = (block as { ignore_merges?: boolean }).ignore_merges === true
  return {
    vocabulary,
    append(word, ids) {
      const id = whole ? vocabulary.get(word) : undefined
      if (id !== undefined) return ids.push(id)
      let previousIsUnknown = false
      for (const piece of merges.bpe(word)) {
        const known = vocabulary.get(piece)
        const found = known !== undefined ? [known] : block.byte_fallback ? byteIds(piece, vocabulary) : undefined
        if (found) for (const id of found) ids.push(id)
        else if (unknown !== undefined && !(block.fuse_unk && previousIsUnknown)) ids.push(unknown)
        else if (block.unk_token != null && unknown === undefined) throw notInVocabulary(piece)
        previousIsUnknown = found === undefined
      }
    },
  }
}
