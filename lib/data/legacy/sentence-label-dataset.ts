import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { checkInteger, checkOptions, checkType } from '../../options.js'
import type { Dataset } from '../dataset.js'
import { Random } from '../random.js'
import { DataStream } from '../stream.js'
import { examplesToDataset, type InputExample } from './input-example.js'
import type { LegacyDataset, TrainingData } from './training-data.js'

export interface SentenceLabelDatasetOptions {
  /** Consecutive rows of one label. The batch size should be a multiple of it. Default 2. */
  samplesPerLabel?: number
  /** Whether a row may be drawn again before every label had its turn. Default false. */
  withReplacement?: boolean
  /** Default 0. */
  seed?: number
}

/**
 * Rows in an order for losses that look for triplets in the batch: a few of one label, then a few of the next, with labels
 * in random order. Labels with too few rows are left out. Today: `batchSampler: 'group_by_label'`.
 * Source: `sentence_transformers/sentence_transformer/datasets/sentence_label.py`.
 */
export class SentenceLabelDataset implements LegacyDataset {
  /** Rows of one pass: those of the labels that have enough. */
  readonly length: number
  private readonly examples: readonly InputExample[]
  private readonly dataset: Dataset
  private readonly groups: readonly (readonly number[])[]
  private readonly options: Required<SentenceLabelDatasetOptions>

  constructor(examples: readonly InputExample[], options: SentenceLabelDatasetOptions = {}) {
    checkOptions('SentenceLabelDataset', options, ['samplesPerLabel', 'withReplacement', 'seed'])
    const { samplesPerLabel = 2, withReplacement = false, seed = 0 } = options
    checkInteger('samplesPerLabel', samplesPerLabel, 1)
    checkType('withReplacement', withReplacement, 'boolean')
    checkInteger('seed', seed, 0)
    this.options = { samplesPerLabel, withReplacement, seed }
    this.dataset = examplesToDataset(examples)
    this.examples = [...examples]
    const byLabel = new Map<number, number[]>()
    examples.forEach(({ label }, row) => {
      if (typeof label !== 'number') throw invalidArgument(`the label of example ${row}`, 'a number', label)
      const rows = byLabel.get(label)
      if (rows) rows.push(row)
      else byLabel.set(label, [row])
    })
    this.groups = [...byLabel.values()].filter((rows) => rows.length >= samplesPerLabel)
    this.length = this.groups.reduce((sum, rows) => sum + rows.length, 0)
    if (this.length > 0) return
    throw new SentenceTorchError(
      'ERR_INVALID_DATA',
      `Expected a label with at least ${samplesPerLabel} examples (samplesPerLabel), found none among ${byLabel.size} labels`,
    )
  }

  toTrainingData(batchSize: number): TrainingData {
    const rows = (epoch: number) => this.rows(epoch)
    // As many rows as the source has, plus the rest of the last label.
    const { samplesPerLabel } = this.options
    const columns = this.dataset.columnNames
    const length = Math.ceil(this.length / samplesPerLabel) * samplesPerLabel
    return { data: DataStream.from(rows, { length, shuffleBuffer: 1, columns }), batchSampler: 'sequential', batchSize }
  }

  /** The examples in the order of the first epoch. */
  *[Symbol.iterator](): Generator<InputExample, void, undefined> {
    for (const row of this.order(0)) yield this.examples[row]!
  }

  private *rows(epoch: number): Generator<Record<string, unknown>> {
    for (const row of this.order(epoch)) yield this.dataset.row(row)
  }

  /** Indices of the examples. */
  private *order(epoch: number): Generator<number> {
    const { samplesPerLabel, withReplacement, seed } = this.options
    const random = new Random(seed, epoch)
    let order: Int32Array = random.permutation(this.groups.length)
    let seen = new Set<number>()
    for (let place = 0, count = 0; count < this.length; place++) {
      if (place === order.length) {
        place = 0
        seen = new Set()
        order = random.permutation(this.groups.length)
      }
      const group = this.groups[order[place]!]!
      const selection = withReplacement ? [...group] : group.filter((row) => !seen.has(row))
      if (selection.length < samplesPerLabel) continue
      for (const row of random.shuffle(selection).slice(0, samplesPerLabel)) {
        count++
        seen.add(row)
        yield row
      }
    }
  }
}
