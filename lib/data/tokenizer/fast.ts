import { BytePairEncoder } from '../byte-pair.js'
import type { IdBuffer } from '../id-buffer.js'
import { UnigramEncoder } from '../unigram-encoder.js'
import { WordPieceEncoder } from '../word-piece.js'
import type { TokenizerJson } from './blocks.js'
import type { FastEncoder } from './fast-encoder.js'

export type { FastEncoder } from './fast-encoder.js'

type Maker = (json: TokenizerJson, normalize: (text: string) => string) => FastEncoder | undefined

/** Tried in turn. Each returns undefined for a tokenizer of another kind. */
const makers: readonly Maker[] = [WordPieceEncoder.for, BytePairEncoder.for, UnigramEncoder.for]

/**
 * @param normalize the normaliser of the texts
 * @returns undefined when `Pipeline` takes all texts
 * @throws SentenceTorchError ERR_INVALID_MODEL, ERR_NOT_IMPLEMENTED for faults of tokenizer.json
 */
export function fastEncoder(json: TokenizerJson, normalize: (text: string) => string): FastEncoder | undefined {
  for (const make of makers) {
    const encoder = make(json, normalize)
    if (encoder) return encoder
  }
  return undefined
}

/** {@link FastEncoder.append} for a text in parts. The caller may stop after each. */
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
