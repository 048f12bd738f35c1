import { invalidArgument } from '../../errors.js'
import { checkInteger, checkOptions } from '../../options.js'
import type { Dataset } from '../dataset.js'
import { Random } from '../random.js'
import { DataStream } from '../stream.js'
import { BatchLoader, toExamples } from './batch-loader.js'
import type { InputExample } from './input-example.js'
import type { TrainingData } from './training-data.js'

export interface ContrastiveTensionOptions {
  /** Default 0. */
  seed?: number
}

/**
 * Pairs for ContrastiveTensionLoss, made from texts alone. Of every `posNegRatio` pairs, the first is a text with itself
 * (label 1) and the others are two different texts (label 0). Columns `sentence_0`, `sentence_1`, `label`. Only full
 * batches. Each epoch has new pairs. `for await (const batch of loader)` gives lists of InputExamples.
 * Source: ContrastiveTensionDataLoader in `sentence_transformers/sentence_transformer/losses/contrastive_tension.py` (6.2.0).
 */
export class ContrastiveTensionDataLoader extends BatchLoader<InputExample[]> {
  private readonly seed: number

  /** @param posNegRatio pairs for each one that is a text with itself; must divide the batch size. */
  constructor(
    private readonly sentences: readonly string[],
    readonly batchSize: number,
    readonly posNegRatio: number = 8,
    options: ContrastiveTensionOptions = {},
  ) {
    super()
    checkOptions('ContrastiveTensionDataLoader', options, ['seed'])
    checkInteger('batchSize', batchSize ?? null, 1)
    checkInteger('posNegRatio', posNegRatio, 1)
    checkInteger('seed', options.seed, 0)
    if (!Array.isArray(sentences)) throw invalidArgument('sentences', 'an array of texts', sentences)
    if (batchSize % posNegRatio !== 0) {
      throw invalidArgument('batchSize', `a multiple of posNegRatio, which is ${posNegRatio},`, batchSize)
    }
    this.seed = options.seed ?? 0
  }

  /** Batches of an epoch. A pair takes two texts, or one with itself. */
  override get length(): number {
    return Math.floor(this.sentences.length / (2 * this.batchSize - this.batchSize / this.posNegRatio))
  }

  toTrainingData(): TrainingData {
    const length = this.length * this.batchSize
    const data = DataStream.from((epoch) => this.rows(epoch), { length, shuffleBuffer: 1 })
    // The loss depends on the order of the pairs.
    return { data, batchSampler: 'sequential', batchSize: this.batchSize }
  }

  protected toBatch(dataset: Dataset, rows: Int32Array): InputExample[] {
    return toExamples(dataset, rows)
  }

  private *rows(epoch: number): Generator<Record<string, unknown>> {
    const order = new Random(this.seed, epoch).permutation(this.sentences.length)
    for (let pair = 0, place = 0; pair < this.length * this.batchSize; pair++) {
      const label = pair % this.posNegRatio === 0 ? 1 : 0
      const first = order[place++]!
      const second = label === 1 ? first : order[place++]!
      yield { sentence_0: this.sentences[first], sentence_1: this.sentences[second], label }
    }
  }
}
