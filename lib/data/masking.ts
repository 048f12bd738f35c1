import { invalidArgument } from '../errors.js'
import { checkInteger, checkOptions, checkType } from '../options.js'
import type { Tokenized } from './pack.js'
import { Random } from './random.js'

/** Target of a token that is not predicted. PyTorch's losses ignore it. */
export const NO_TARGET = -100

export interface MaskingOptions {
  /** The mask token. */
  maskTokenId: number
  /** Random tokens are drawn from 0 up to, but without, this number. */
  vocabSize: number
  /** Tokens that are never masked. */
  specialTokenIds: ReadonlySet<number>
  /** Share of the tokens (of the words, with `continuesWord`) that are predicted. Default 0.15. */
  mlmProbability?: number
  /**
   * Share of the predicted tokens that become the mask token. Default 0.8; with `continuesWord` always 1, as in
   * transformers.
   */
  maskReplaceProb?: number
  /**
   * Share of the predicted tokens that become a random token; the rest stay. Default 0.1; with `continuesWord` always 0.
   */
  randomReplaceProb?: number
  /** Masks whole words: 1 for every token id that continues the word of the token before (`Tokenizer.continuations`). */
  continuesWord?: Uint8Array | undefined
}

/** The source of randomness: the same three values give the same masks. */
export interface MaskingSeeds {
  seed: number
  epoch: number
  /** A number for each text, such as its row in the dataset. */
  rows: ArrayLike<number>
}

export interface MaskedTokens extends Tokenized {
  /** The token to predict at each position of `ids`; {@link NO_TARGET} where none is predicted. */
  targets: Int32Array
}

const OPTIONS = [
  ...['maskTokenId', 'vocabSize', 'specialTokenIds', 'mlmProbability', 'maskReplaceProb', 'randomReplaceProb'],
  'continuesWord',
]

/**
 * Masks tokens for masked-language-model training: 15 % are predicted, of which 80 % become the mask token, 10 % become a
 * random token and 10 % stay. A text's mask depends on seed, epoch and row alone, not on the rest of the batch. Source:
 * DataCollatorForLanguageModeling of transformers 5, with `whole_word_mask` for `continuesWord`. There a word is everything
 * between two spaces, punctuation included; here the vocabulary marks words.
 *
 * @param tokens is not changed
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT for a share outside 0 to 1, and for shares whose sum is above 1
 */
export function maskTokens(tokens: Tokenized, options: MaskingOptions, seeds: MaskingSeeds): MaskedTokens {
  const shares = checkShares(options)
  const { offsets } = tokens
  if (seeds.rows.length !== offsets.length - 1) {
    throw invalidArgument('rows', `${offsets.length - 1} row numbers, one for each text`, seeds.rows)
  }
  const ids = tokens.ids.slice()
  const targets = new Int32Array(ids.length).fill(NO_TARGET)
  for (let i = 0; i < seeds.rows.length; i++) {
    const [start, end] = [offsets[i]!, offsets[i + 1]!]
    const random = new Random(seeds.seed, seeds.epoch, seeds.rows[i]!)
    maskText(ids.subarray(start, end), targets.subarray(start, end), options, shares, random)
  }
  return { ids, offsets, targets }
}

interface Shares {
  predicted: number
  masked: number
  /** Share of random tokens among the predicted tokens that are not masked. */
  random: number
}

/**
 * Draws in the order of the source: the predicted tokens, the masked ones among them, the random ones, and the token that
 * each of those becomes.
 */
function maskText(ids: Int32Array, targets: Int32Array, options: MaskingOptions, shares: Shares, random: Random): void {
  const { specialTokenIds, continuesWord, maskTokenId, vocabSize } = options
  const length = ids.length
  const isSpecial = (i: number) => specialTokenIds.has(ids[i]!)
  const goesOn = (i: number) => continuesWord?.[ids[i]!] === 1 && i > 0 && !isSpecial(i - 1)
  const draw = (share: number) => Array.from({ length }, () => random.float() < share)
  const drawn = draw(shares.predicted)
  for (let i = 0; i < length; i++) {
    if (isSpecial(i)) continue
    // The first token of a word decides for the word.
    const predicted = goesOn(i) ? targets[i - 1] !== NO_TARGET : drawn[i]
    if (predicted) targets[i] = ids[i]!
  }
  const masked = draw(shares.masked)
  for (let i = 0; i < length; i++) if (masked[i] && targets[i] !== NO_TARGET) ids[i] = maskTokenId
  if (shares.masked === 1 || shares.random === 0) return
  const replaced = draw(shares.random)
  for (let i = 0; i < length; i++) {
    const token = random.below(vocabSize)
    if (replaced[i] && !masked[i] && targets[i] !== NO_TARGET) ids[i] = token
  }
}

function checkShares(options: MaskingOptions): Shares {
  checkOptions('maskTokens', options, OPTIONS)
  const { mlmProbability = 0.15, maskReplaceProb = 0.8, randomReplaceProb = 0.1, continuesWord } = options
  checkInteger('maskTokenId', options.maskTokenId ?? null, 0)
  checkInteger('vocabSize', options.vocabSize ?? null, 1)
  checkType('specialTokenIds.has', options.specialTokenIds?.has ?? null, 'function')
  for (const [name, share] of Object.entries({ mlmProbability, maskReplaceProb, randomReplaceProb })) {
    if (!(share >= 0 && share <= 1)) throw invalidArgument(name, 'a number from 0 to 1', share)
  }
  if (continuesWord) {
    for (const name of ['maskReplaceProb', 'randomReplaceProb'] as const) {
      const only = name === 'maskReplaceProb' ? 1 : 0
      const given = options[name]
      if (given !== undefined && given !== only) throw invalidArgument(`${name} of whole words`, `${only}`, given)
    }
    return { predicted: mlmProbability, masked: 1, random: 0 }
  }
  // Sums such as 0.9 + 0.1 may be slightly above 1.
  if (maskReplaceProb + randomReplaceProb > 1 + 1e-9) {
    const found = maskReplaceProb + randomReplaceProb
    throw invalidArgument('maskReplaceProb + randomReplaceProb', 'a sum of at most 1', found)
  }
  const rest = 1 - maskReplaceProb
  return { predicted: mlmProbability, masked: maskReplaceProb, random: rest > 0 ? randomReplaceProb / rest : 0 }
}
