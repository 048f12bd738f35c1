import type { IdBuffer } from '../id-buffer.js'
import { type ModelBlock, notInVocabulary, notUnderstood } from './blocks.js'
import { BytePairs } from './byte-pairs.js'
import { Pieces } from './pieces.js'
import { Unigram } from './unigram.js'
import { WordPieceModel } from './word-piece-model.js'

/** The part of a tokenizer that turns words into ids. */
export interface WordModel {
  /** Appends the ids of a word. */
  append(word: string, ids: IdBuffer): void
}

/**
 * The `model` block of tokenizer.json.
 * @throws SentenceTorchError ERR_INVALID_MODEL, ERR_NOT_IMPLEMENTED
 */
export function makeModel(model: ModelBlock | undefined): WordModel {
  if (model === undefined) throw notUnderstood('it has no model')
  const kind = kindOf(model)
  // The other models check their own.
  if (kind === 'WordLevel' && (!model.vocab || model.vocab instanceof Pieces)) {
    throw notUnderstood(`its WordLevel model has no vocabulary of tokens and ids`)
  }
  switch (kind) {
    case 'WordPiece':
      return new WordPieceModel(model)
    case 'WordLevel':
      return wordLevel(model)
    case 'Unigram':
      return new Unigram(model)
    case 'BPE':
      return new BytePairs(model)
    default:
      throw notUnderstood(`its model is of the type ${JSON.stringify(model.type)}`)
  }
}

/** The type of a model. Old files do not state it. */
export function kindOf(model: ModelBlock): string {
  if (model.type != null) return model.type
  if (model.vocab instanceof Pieces) return 'Unigram'
  if ('merges' in model) return 'BPE'
  return 'continuing_subword_prefix' in model ? 'WordPiece' : 'WordLevel'
}

function wordLevel({ vocab, unk_token }: ModelBlock): WordModel {
  const known = vocab as Readonly<Record<string, number>>
  const find = (word: string) => (Object.hasOwn(known, word) ? known[word] : undefined)
  return {
    append(word, ids) {
      const id = find(word) ?? find(unk_token ?? '<unk>')
      if (id === undefined) throw notInVocabulary(word)
      ids.push(id)
    },
  }
}
