import { BytePairEncoder } from '../byte-pair.js'
import type { IdBuffer } from '../id-buffer.js'
import { UnigramEncoder } from '../unigram-encoder.js'
import { WordPieceEncoder } from '../word-piece.js'
import type { TokenizerJson } from './blocks.js'
import type { FastEncoder } from './fast-encoder.js'

export type { FastEncoder } from './fast-encoder.js'

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
