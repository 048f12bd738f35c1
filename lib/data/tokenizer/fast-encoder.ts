import type { IdBuffer } from '../id-buffer.js'

/**
 * A fast way for one kind of tokenizer. Its ids are those of `Pipeline`, to which it leaves the texts that it does not take: those that
 * may hold added tokens.
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
