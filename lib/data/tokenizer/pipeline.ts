import type { IdBuffer } from '../id-buffer.js'
import { AddedTokens } from './added-tokens.js'
import type { AddedToken, TokenizerJson } from './blocks.js'
import type { FastEncoder } from './fast-encoder.js'
import { makeModel } from './models.js'
import { keepsStart, makeNormalizer, type Normalizer } from './normalizers.js'
import { makePreTokenizer } from './pre-tokenizers.js'
import { partsOf, safeCuts } from './safe-cuts.js'

/**
 * Every kind of tokenizer, as Hugging Face's Rust tokenizers go about it: added tokens are found, the rest is normalised and
 * split into words, and the model gives ids to the words. Parts that would give other ids than there are refused by name.
 */
export class Pipeline {
  /** Where texts may be cut; undefined for nowhere. */
  readonly cuts: RegExp | undefined
  private readonly added: AddedTokens
  private readonly appendSection: (section: string, isStart: boolean, ids: IdBuffer) => void
  private readonly startIsKept: (text: string) => boolean

  /**
   * @param normalize replaces the normaliser of `json`
   * @param fast does the parts of texts between added tokens, if it can
   * @throws SentenceTorchError ERR_INVALID_MODEL, ERR_NOT_IMPLEMENTED
   */
  constructor(
    json: TokenizerJson,
    private readonly normalize: Normalizer = makeNormalizer(json.normalizer),
    fast?: FastEncoder,
  ) {
    const tokens = json.added_tokens as readonly AddedToken[]
    this.added = new AddedTokens(tokens, this.normalize, json.split_special_tokens === true)
    if (fast?.appendSection) {
      this.appendSection = (section, isStart, ids) => fast.appendSection!(section, ids, isStart)
    } else {
      const preTokenize = makePreTokenizer(json.pre_tokenizer)
      const model = makeModel(json.model)
      this.appendSection = (section, isStart, ids) => {
        for (const word of preTokenize(section, isStart)) model.append(word, ids)
      }
    }
    // Only a mark in front of what begins the text asks for it.
    const asksForStart = JSON.stringify(json.pre_tokenizer).includes('"first"')
    this.startIsKept = asksForStart ? keepsStart(json.normalizer) : () => false
    this.cuts = safeCuts(json, tokens)
  }

  /**
   * Adds the ids of `text` without special tokens, part after part: it may be left after each, and ends by itself when there
   * are `most`.
   */
  *append(text: string, ids: IdBuffer, most: number): Generator<void> {
    const end = ids.length + most
    // Lone surrogates become U+FFFD: Python's strings are given to the tokenizer as UTF-8.
    const wellFormed = (text as string & { toWellFormed(): string }).toWellFormed()
    let isStart = true
    for (const section of this.added.inText(wellFormed)) {
      if ('id' in section) ids.push(section.id)
      else {
        for (const part of partsOf(section.text, this.cuts)) {
          this.appendPart(part, isStart, ids)
          isStart = false
          yield
          if (ids.length >= end) return
        }
      }
      isStart = false
    }
  }

  private appendPart(part: string, isStart: boolean, ids: IdBuffer): void {
    const normalized = this.normalize(part)
    let starts = isStart && this.startIsKept(part)
    for (const section of this.added.inNormalized(normalized)) {
      if ('id' in section) ids.push(section.id)
      else this.appendSection(section.text, starts, ids)
      starts = false
    }
  }
}
