import { describe, invalidArgument, SentenceTorchError } from '../../errors.js'
import { checkInteger, checkOptions, checkType } from '../../options.js'
import { Dataset } from '../dataset.js'
import { Random } from '../random.js'
import { rowNumber } from '../row-numbers.js'
import { DataStream } from '../stream.js'
import { InputExample } from './input-example.js'
import type { LegacyDataset, TrainingData } from './training-data.js'
import { joinWords, words } from './treebank.js'

/** Changes a text; randomness must come from `random`, so that a run can be repeated. */
export type NoiseFunction = (text: string, random: Random) => string

export interface DenoisingOptions {
  /**
   * Share of the words that are deleted. Default 0.6, as in Python's class. (The script for the STS benchmark that comes with
   * sentence-transformers keeps 0.6 of the words, which is a `delRatio` of 0.4.)
   */
  delRatio?: number
  /** Replaces the deletion of words. */
  noise?: NoiseFunction
  /** Default 0. */
  seed?: number
}

/**
 * Deletes random words, but keeps at least one. Words are split and joined as NLTK does.
 * Source: `DenoisingAutoEncoderDataset.delete` of sentence-transformers.
 * @param delRatio share of the words to delete
 */
export function deleteWords(text: string, delRatio: number, random: Random): string {
  const all = words(text)
  if (all.length === 0) return text
  const kept = all.filter(() => random.float() > delRatio)
  return joinWords(kept.length > 0 ? kept : [all[random.below(all.length)]!])
}

/**
 * Pairs of a noisy text and the text itself, for DenoisingAutoEncoderLoss (TSDAE): columns `sentence_0` (noise) and
 * `sentence_1`. A stream has new noise in every epoch.
 * Paper: https://arxiv.org/abs/2104.06979.
 * Source: `sentence_transformers/sentence_transformer/datasets/denoising_auto_encoder.py`.
 */
export class DenoisingAutoEncoderDataset implements LegacyDataset {
  readonly length: number
  private readonly noise: NoiseFunction
  private readonly seed: number

  constructor(
    private readonly sentences: readonly string[],
    options: DenoisingOptions = {},
  ) {
    checkOptions('DenoisingAutoEncoderDataset', options, ['delRatio', 'noise', 'seed'])
    const { delRatio = 0.6, noise, seed = 0 } = options
    if (!(delRatio >= 0 && delRatio <= 1)) throw invalidArgument('delRatio', 'a number from 0 to 1', delRatio)
    checkType('noise', noise, 'function')
    checkInteger('seed', seed, 0)
    if (noise !== undefined && options.delRatio !== undefined) {
      throw invalidArgument('delRatio', 'nothing when noise is given', delRatio)
    }
    if (!Array.isArray(sentences)) throw invalidArgument('sentences', 'an array of texts', sentences)
    const wrong = sentences.findIndex((sentence) => typeof sentence !== 'string')
    if (wrong !== -1) throw invalidArgument(`sentences[${wrong}]`, 'a text', sentences[wrong])
    this.length = sentences.length
    this.noise = noise ?? ((text, random) => deleteWords(text, delRatio, random))
    this.seed = seed
  }

  /** One pair with an epoch's noise. A negative `index` counts from the end. */
  example(index: number, epoch = 0): InputExample {
    const row = rowNumber(index, this.length)
    return new InputExample({ texts: [this.noisy(row, epoch), this.sentences[row]!] })
  }

  /** The pairs with the first epoch's noise. */
  *[Symbol.iterator](): Generator<InputExample, void, undefined> {
    for (let row = 0; row < this.length; row++) yield this.example(row)
  }

  /** The pairs with one epoch's noise. */
  toDataset(epoch = 0): Dataset {
    return Dataset.fromRows([...this.rows(epoch)])
  }

  /** The pairs, with new noise in every epoch. */
  toStream({ shuffleBuffer = Math.max(1, this.length) }: { shuffleBuffer?: number } = {}): DataStream {
    return DataStream.from((epoch) => this.rows(epoch), { length: this.length, shuffleBuffer })
  }

  toTrainingData(batchSize: number, shuffle: boolean): TrainingData {
    return { data: this.toStream(), batchSampler: shuffle ? 'batch_sampler' : 'sequential', batchSize }
  }

  private *rows(epoch: number): Generator<Record<string, string>> {
    for (const [row, sentence] of this.sentences.entries()) {
      yield { sentence_0: this.noisy(row, epoch), sentence_1: sentence }
    }
  }

  private noisy(row: number, epoch: number): string {
    const noisy = this.noise(this.sentences[row]!, new Random(this.seed, epoch, row))
    if (typeof noisy === 'string') return noisy
    throw new SentenceTorchError(
      'ERR_INVALID_DATA',
      `Expected a text of the noise function for row ${row}, found ${describe(noisy)}`,
    )
  }
}
