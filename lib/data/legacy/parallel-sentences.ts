import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { checkInteger, checkOptions, checkType } from '../../options.js'
import { Random } from '../random.js'
import { readLines, withoutReturn } from '../readers/lines.js'
import { DataStream } from '../stream.js'
import type { LegacyDataset, TrainingData } from './training-data.js'

/** A model that embeds texts, such as a SentenceTransformer. */
export interface Teacher {
  encode(
    texts: readonly string[],
    options: { batchSize?: number },
  ): Promise<{ readonly data: Float32Array; readonly shape: readonly [number, number] }>
}

export interface ParallelSentencesOptions {
  teacherModel: Teacher
  /** For the teacher. Default 8. */
  batchSize?: number
  /** Keeps the teacher's embeddings of all texts. Default true. */
  useEmbeddingCache?: boolean
  /** Default 0. */
  seed?: number
}

export interface ParallelDataOptions {
  /** Weight of this set among several: rows that it gives per turn. Default 100. */
  weight?: number
  /** Limit of source texts; null for no limit. Default null. */
  maxSentences?: number | null
  /** Limit of characters: translations with a longer text are left out; null for no limit. Default 128. */
  maxSentenceLength?: number | null
}

const DATA_OPTIONS = ['weight', 'maxSentences', 'maxSentenceLength']

/**
 * Translations to make a model multilingual: every text, source and translations, with the teacher's embedding of the
 * source as its label. Columns `sentence_0`, `label` (a vector), for MSELoss.
 * Paper: https://arxiv.org/abs/2004.09813.
 * Source: `sentence_transformers/sentence_transformer/datasets/parallel_sentences.py`; the student model that is named there
 * is not needed.
 */
export class ParallelSentencesDataset implements LegacyDataset {
  private readonly teacher: Teacher
  private readonly batchSize: number
  private readonly seed: number
  private readonly known: Map<string, number[]> | undefined
  /** Every source text with itself and its translations. */
  private readonly sets: { entries: (readonly [string, readonly string[]])[]; weight: number }[] = []
  private sentences = 0

  constructor(options: ParallelSentencesOptions) {
    checkOptions('ParallelSentencesDataset', options, ['teacherModel', 'batchSize', 'useEmbeddingCache', 'seed'])
    const { teacherModel, batchSize = 8, useEmbeddingCache = true, seed = 0 } = options
    if (typeof teacherModel?.encode !== 'function') {
      throw invalidArgument('teacherModel', 'a model with the method encode', teacherModel)
    }
    checkInteger('batchSize', batchSize, 1)
    checkType('useEmbeddingCache', useEmbeddingCache, 'boolean')
    checkInteger('seed', seed, 0)
    this.teacher = teacherModel
    this.batchSize = batchSize
    this.seed = seed
    this.known = useEmbeddingCache ? new Map() : undefined
  }

  /** Rows of one pass. */
  get length(): number {
    return this.sentences
  }

  /** Adds the translations of a file (plain or .gz). Each line is a source text and its translations, separated by tabs. */
  async loadData(path: string, options: ParallelDataOptions = {}): Promise<void> {
    const { maxSentences = null, maxSentenceLength = 128 } = options
    const lines: string[][] = []
    reading: for await (const piece of readLines(path)) {
      for (const line of piece) {
        // A blank line would be an empty text with itself as its translation.
        if (line.trim() === '') continue
        const texts = withoutReturn(line).trim().split('\t')
        if (isTooLong(texts, maxSentenceLength)) continue
        lines.push(texts)
        if (maxSentences && lines.length >= maxSentences) break reading
      }
    }
    this.addDataset(lines, options)
  }

  /** Adds translations: a source text and its translations each. */
  addDataset(parallelSentences: readonly (readonly string[])[], options: ParallelDataOptions = {}): void {
    checkOptions('addDataset', options, DATA_OPTIONS)
    const { weight = 100, maxSentences = null, maxSentenceLength = 128 } = options
    checkInteger('weight', weight, 1)
    const bySource = new Map<string, Set<string>>()
    for (const texts of parallelSentences) {
      const [source] = texts
      if (source === undefined || isTooLong(texts, maxSentenceLength)) continue
      const targets = bySource.get(source) ?? new Set<string>()
      bySource.set(source, targets)
      for (const text of texts) targets.add(text)
      if (maxSentences && bySource.size >= maxSentences) break
    }
    if (bySource.size === 0) return
    const entries = [...bySource].map(([source, targets]) => [source, [...targets]] as const)
    this.sentences += entries.reduce((sum, [, targets]) => sum + targets.length, 0)
    this.sets.push({ entries, weight })
  }

  toTrainingData(batchSize: number): TrainingData {
    if (this.sentences === 0) {
      throw new SentenceTorchError(
        'ERR_INVALID_DATA',
        'Expected translations in the ParallelSentencesDataset, found none: call loadData or addDataset first',
      )
    }
    const data = DataStream.from((epoch) => this.rows(epoch), { length: this.sentences, shuffleBuffer: 1 })
    // Rows have a random order.
    return { data, batchSampler: 'sequential', batchSize }
  }

  /** Yields as many rows as there are texts. The sets take turns by weight, each in its own random order. */
  private async *rows(epoch: number): AsyncGenerator<Record<string, unknown>, void, undefined> {
    const random = new Random(this.seed, epoch)
    const orders = this.sets.map(({ entries }) => random.permutation(entries.length))
    const places = this.sets.map(() => 0)
    const next = (set: number) => {
      const { entries } = this.sets[set]!
      const entry = entries[orders[set]![places[set]!]!]!
      places[set] = (places[set]! + 1) % entries.length
      if (places[set] === 0) orders[set] = random.permutation(entries.length)
      return entry
    }
    for (let left = this.sentences; left > 0; ) {
      const round = this.sets.flatMap(({ weight }, set) => Array.from({ length: weight }, () => next(set)))
      const embeddings = await this.embed(round.map(([source]) => source))
      const rows = round.flatMap(([, targets], i) =>
        targets.map((text) => ({ sentence_0: text, label: embeddings[i]! })),
      )
      for (const row of random.shuffle(rows).slice(0, left)) yield row
      left -= rows.length
    }
  }

  private async embed(texts: readonly string[]): Promise<number[][]> {
    const known = this.known ?? new Map<string, number[]>()
    const missing = [...new Set(texts)].filter((text) => !known.has(text))
    if (missing.length > 0) {
      const { data, shape } = await this.teacher.encode(missing, { batchSize: this.batchSize })
      const width = shape[1]
      missing.forEach((text, i) => {
        known.set(text, Array.from(data.subarray(i * width, (i + 1) * width)))
      })
    }
    return texts.map((text) => known.get(text)!)
  }
}

function isTooLong(texts: readonly string[], most: number | null): boolean {
  return most !== null && most > 0 && texts.some((text) => text.length > most)
}
