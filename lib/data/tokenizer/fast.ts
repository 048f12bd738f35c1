import { BytePairEncoder } from '../byte-pair.js'
import type { IdBuffer } from '../id-buffer.js'
import { UnigramEncoder } from '../unigram-encoder.js'
import { WordPieceEncoder } from '../word-piece.js'
import type { TokenizerJson } from './blocks.js'

/**
 * A fast way for one kind of tokenizer. Its ids are those of `Pipeline`, to which it leaves the texts that it does not take:
 * those that may hold added tokens.
 */
export interface FastEncoder {
  /** Where a text that it takes may be cut: the ids of the parts, one after the other, are those of the text. Undefined for nowhere. */
  readonly cuts: RegExp | undefined
  /** Whether `append` does a text. */
  takes(text: string): boolean
  /**
   * Adds the ids of `text` without special tokens; may stop after `most` of them.
   * @returns false when it does not take the text; nothing has been added then.
   */
  append(text: string, ids: IdBuffer, most: number): boolean
  /**
   * Adds the ids of a part of a normalised text that holds no added token. An encoder that has it also does the parts of texts
   * between added tokens: `Pipeline` then needs no words and no model of its own.
   * @param isStart whether the part is the beginning of the whole text
   */
  appendSection?(section: string, ids: IdBuffer, isStart: boolean): void
}

type Maker = (json: TokenizerJson, normalize: (text: string) => string) => FastEncoder | undefined

/** Each is asked in turn, and gives undefined for a tokenizer of another kind. */
const makers: readonly Maker[] = [WordPieceEncoder.for, BytePairEncoder.for, UnigramEncoder.for]

/**
 * @param normalize the normaliser of the texts
 * @returns undefined when all texts go the general way
 * @throws SentenceTorchError ERR_INVALID_MODEL, ERR_NOT_IMPLEMENTED: what is wrong with a tokenizer.json is said when it is loaded
 */
export function fastEncoder(json: TokenizerJson, normalize: (text: string) => string): FastEncoder | undefined {
  for (const make of makers) {
    const encoder = make(json, normalize)
    if (encoder) return encoder
  }
  return undefined
}

/** {@link FastEncoder.append} for a text in parts, which may be left after each. */
export function* appendParts(
  encoder: FastEncoder,
  parts: Iterable<string>,
  ids: IdBuffer,
  most: number,
): Generator<void> {
  const end = ids.length + most
  for (const part of parts) {
    if (ids.length >= end) return
    encoder.append(part, ids, end - ids.length)
    yield
  }
}
