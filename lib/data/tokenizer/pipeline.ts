import type { IdBuffer } from '../id-buffer.js'
import { AddedTokens } from './added-tokens.js'
import type { AddedToken, TokenizerJson } from './blocks.js'
import type { FastEncoder } from './fast-encoder.js'
import { makeModel } from './models.js'
import { keepsStart, makeNormalizer, type Normalizer } from './normalizers.js'
import { makePreTokenizer } from './pre-tokenizers.js'
import { partsOf, safeCuts } from './safe-cuts.js'

/**
 * Any kind of tokenizer, in the steps of Hugging Face's Rust tokenizers: find added tokens, normalise the rest, split it
 * into words, and let the model turn words into ids. Parts that would give other ids are refused by name.
 */
export class Pipeline {
  /** Positions at which texts may be cut; undefined for none. */
  readonly cuts: RegExp | undefined
  private readonly added: AddedTokens
  private readonly appendSection: (section: string, isStart: boolean, ids: IdBuffer) => void
  private readonly startIsKept: (text: string) => boolean

  /**
   * @param normalize replaces the normaliser of `json`
   * @param fast encodes the parts of texts between added tokens, if it can
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
    // Only a mark before the beginning of the text needs it.
    const asksForStart = JSON.stringify(json.pre_tokenizer).includes('"first"')
    this.startIsKept = asksForStart ? keepsStart(json.normalizer) : () => false
    this.cuts = safeCuts(json, tokens)
  }

  /**
   * Appends the ids of `text` without special tokens, part by part. The caller may stop after each part. Ends by itself
   * after `most` ids.
   */
  *append(text: string, ids: IdBuffer, most: number): Generator<void> {
    const end = ids.length + most
    // Lone surrogates become U+FFFD, because Python passes strings to the tokenizer as UTF-8.
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
