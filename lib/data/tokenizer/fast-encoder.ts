import type { IdBuffer } from '../id-buffer.js'

/**
 * A fast path for one kind of tokenizer, with the ids of `Pipeline`. It leaves texts that may hold added tokens to
 * `Pipeline`.
 */
export interface FastEncoder {
  /** Positions at which a text may be cut: the ids of the parts, joined, are the ids of the text. Undefined for none. */
  readonly cuts: RegExp | undefined
  /** Whether `append` takes a text. */
  takes(text: string): boolean
  /**
   * Appends the ids of `text` without special tokens; may stop after `most` ids.
   * @returns false, and appends nothing, when it does not take the text.
   */
  append(text: string, ids: IdBuffer, most: number): boolean
  /**
   * Appends the ids of a part of a normalised text without added tokens. An encoder that has it also encodes the parts
   * between added tokens, and `Pipeline` then needs no words and no model of its own.
   * @param isStart whether the part is the beginning of the whole text
   */
  appendSection?(section: string, ids: IdBuffer, isStart: boolean): void
}
