import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import { createFeed } from '../../lib/data/feed.js'
import { ContrastiveTensionDataLoader, InputExample, SentenceLabelDataset } from '../../lib/data/legacy/index.js'
import type { TrainingData } from '../../lib/data/legacy/training-data.js'
import { maskTokens } from '../../lib/data/masking.js'
import { concatTokenized } from '../../lib/data/pack.js'
import { createBatchSampler } from '../../lib/data/samplers/index.js'
import { equal } from './report.js'

/** Made by make_data_goldens.py, with the random numbers of lib/data/random.ts. */
const folder = new URL('../../../test/parity/golden/data/', import.meta.url)

interface SamplerCase {
  batchSize: number
  dropLast: boolean
  length: number
}
interface OwnSamplers {
  group_by_label: (SamplerCase & { labels: number[]; epochs: number[][][] })[]
  no_duplicates: (SamplerCase & { columns: Record<string, string[]>; epochs: number[][][] })[]
}
interface Golden extends OwnSamplers {
  multi: (SamplerCase & { lengths: number[]; sampler: 'proportional' | 'round_robin'; batches: [number, number[]][] })[]
  parquet: Record<string, unknown>[]
  class_names: { label: string[]; tags: string[]; rows: Record<string, unknown[]> }
  contrastive_tension: {
    count: number
    batchSize: number
    posNegRatio: number
    length: number
    batches: [number, number, number][][]
  }[]
  sentence_labels: { labels: number[]; samplesPerLabel: number; withReplacement: boolean; epochs: number[][] }[]
  masking: {
    words: string[]
    cases: { options: Record<string, number | boolean>; rows: [number[], number[], number[]][] }[]
  }
}
const read = (name: string) => JSON.parse(readFileSync(new URL(name, folder), 'utf8'))
const golden = read('golden.json') as Golden
/** Made by the same script under sentence-transformers 6.0.1. */
const before = read('samplers-6.0.1.json') as OwnSamplers

async function collect(batches: AsyncIterable<Int32Array>): Promise<number[][]> {
  const rows: number[][] = []
  for await (const batch of batches) rows.push([...batch])
  return rows
}

for (const [version, goldens, compat, cases] of [
  ['6.2.0', golden, false, { group_by_label: 16, no_duplicates: 10 }],
  ['6.0.1', before, true, { group_by_label: 14, no_duplicates: 8 }],
] as const) {
  test(`group_by_label: the batches of sentence-transformers ${version}`, async (t) => {
    t.is(goldens.group_by_label.length, cases.group_by_label)
    for (const { labels, batchSize, dropLast, length, epochs } of goldens.group_by_label) {
      const dataset = Dataset.fromColumns({ text: labels.map(String), label: labels })
      const sampler = createBatchSampler('group_by_label', dataset, { batchSize, dropLast, seed: 7, compat })
      t.is(sampler.length, length)
      for (const [epoch, expected] of epochs.entries()) t.deepEqual(await collect(sampler.batches(epoch)), expected)
      equal('data', 'group_by_label', epochs.length)
    }
  })

  test(`no_duplicates: the batches of sentence-transformers ${version}`, async (t) => {
    t.is(goldens.no_duplicates.length, cases.no_duplicates)
    for (const { columns, batchSize, dropLast, length, epochs } of goldens.no_duplicates) {
      const dataset = Dataset.fromColumns(columns)
      const sampler = createBatchSampler('no_duplicates', dataset, { batchSize, dropLast, seed: 3, compat })
      t.is(sampler.length, length)
      t.deepEqual(await collect(sampler.batches(0)), epochs[0])
      t.deepEqual(await collect(sampler.batches(4)), epochs[1])
      equal('data', 'no_duplicates', 2)
    }
  })
}

test('several datasets: the batches of sentence-transformers', async (t) => {
  t.is(golden.multi.length, 16)
  for (const { lengths, batchSize, sampler, dropLast, length, batches } of golden.multi) {
    const datasets = lengths.map((rows, d) =>
      Dataset.fromColumns({ text: Array.from({ length: rows }, (_, i) => `${d}-${i}`) }),
    )
    const source = Object.fromEntries(datasets.map((dataset, d) => [`d${d}`, dataset]))
    const options = { batchSampler: 'sequential', multiDatasetBatchSampler: sampler, batchSize, dropLast } as const
    const feed = createFeed(source, { ...options, seed: 5 })
    t.is(feed.length, length)
    const found: [number, number[]][] = []
    for await (const { name, dataset, rows } of feed.batches(2)) {
      t.is(dataset, datasets[Number(name.slice(1))]!)
      found.push([Number(name.slice(1)), [...rows]])
    }
    t.deepEqual(found, batches)
    equal('data', sampler)
  }
})

for (const compression of ['none', 'snappy', 'gzip', 'zstd', 'brotli', 'lz4']) {
  test(`Parquet, ${compression}: the rows that pyarrow wrote`, async (t) => {
    const path = fileURLToPath(new URL(`${compression}.parquet`, folder))
    const columns = ['texts', 'text', 'label', 'scores', 'idx', 'answers', 'flag']
    const dataset = await Dataset.fromFile(path, { columns })
    t.is(dataset.length, golden.parquet.length)
    for (const [i, row] of golden.parquet.entries()) {
      const { maybe, ...expected } = row
      t.deepEqual(dataset.row(i), { ...expected, label: row.label ?? Number.NaN } as never)
    }
    t.deepEqual(
      columns.map((name) => dataset.columnKind(name)),
      ['texts', 'text', 'label', 'other', 'other', 'other', 'other'],
    )
    t.deepEqual(dataset.columnNames, columns)
    equal('data', 'Parquet')
  })
}

test('class names: those of the features that datasets wrote', async (t) => {
  const dataset = await Dataset.fromFile(fileURLToPath(new URL('class-names.parquet', folder)))
  const { rows, ...names } = golden.class_names
  t.deepEqual(dataset.classNames('label'), names.label)
  t.deepEqual(dataset.classNames('tags'), names.tags)
  t.is(dataset.classNames('text'), undefined)
  t.is(dataset.classNames('idx'), undefined)
  t.deepEqual(dataset.column('label'), rows.label as number[])
  equal('data', 'class names', 4)
})

test('masked tokens: those of transformers, text by text', (t) => {
  const { words, cases } = golden.masking
  t.is(cases.length, 6)
  const continuesWord = Uint8Array.from(words, (word) => Number(word.startsWith('##')))
  for (const { options, rows } of cases) {
    const { whole_word_mask, mlm_probability, mask_replace_prob, random_replace_prob } = options as Record<
      string,
      number
    >
    const result = maskTokens(
      concatTokenized(rows.map(([ids]) => ({ ids: Int32Array.from(ids), offsets: Int32Array.of(0, ids.length) }))),
      {
        maskTokenId: 4,
        vocabSize: words.length,
        specialTokenIds: new Set([0, 1, 2, 3, 4]),
        ...(mlm_probability !== undefined && { mlmProbability: mlm_probability }),
        ...(mask_replace_prob !== undefined && { maskReplaceProb: mask_replace_prob }),
        ...(random_replace_prob !== undefined && { randomReplaceProb: random_replace_prob }),
        ...(whole_word_mask && { continuesWord }),
      },
      { seed: 11, epoch: 2, rows: rows.map((_, i) => i) },
    )
    for (const [i, [, ids, targets]] of rows.entries()) {
      const [start, end] = [result.offsets[i]!, result.offsets[i + 1]!]
      t.deepEqual([...result.targets.subarray(start, end)], targets, `${JSON.stringify(options)} row ${i}`)
      t.deepEqual([...result.ids.subarray(start, end)], ids, `${JSON.stringify(options)} row ${i}`)
      equal('data', 'masking')
    }
  }
})

/** The rows of each batch of an epoch, as objects. */
async function batchesOf({ data, batchSampler, batchSize }: TrainingData, epoch: number) {
  const feed = createFeed(data, { batchSampler, batchSize })
  const batches: Record<string, unknown>[][] = []
  for await (const { dataset, rows } of feed.batches(epoch)) batches.push(Array.from(rows, (row) => dataset.row(row)))
  return { length: feed.length, batches }
}

test('ContrastiveTensionDataLoader: the pairs of sentence-transformers', async (t) => {
  t.is(golden.contrastive_tension.length, 7)
  for (const { count, batchSize, posNegRatio, length, batches } of golden.contrastive_tension) {
    const texts = Array.from({ length: count }, (_, i) => `${i}`)
    const loader = new ContrastiveTensionDataLoader(texts, batchSize, posNegRatio, { seed: 4 })
    const found = await batchesOf(loader.toTrainingData(), 1)
    const triples = found.batches.map((rows) =>
      rows.map((row) => [Number(row.sentence_0), Number(row.sentence_1), row.label]),
    )
    t.deepEqual(triples, batches)
    equal('data', 'ContrastiveTensionDataLoader')
    t.is(loader.length, length)
    t.is(batches.length, length)
    t.is(found.length, batches.length)
  }
})

test('SentenceLabelDataset: the rows of sentence-transformers', async (t) => {
  t.is(golden.sentence_labels.length, 3)
  for (const { labels, samplesPerLabel, withReplacement, epochs } of golden.sentence_labels) {
    const examples = labels.map((label, i) => new InputExample({ texts: [`${i}`], label }))
    const dataset = new SentenceLabelDataset(examples, { samplesPerLabel, withReplacement, seed: 9 })
    for (const [epoch, expected] of epochs.entries()) {
      const { length, batches } = await batchesOf(dataset.toTrainingData(4), epoch)
      const rows = batches.flat()
      t.deepEqual(
        rows.map(({ sentence_0 }) => Number(sentence_0)),
        expected,
      )
      t.true(rows.every((row) => row.label === labels[Number(row.sentence_0)]))
      t.is(length, Math.ceil(expected.length / 4))
      equal('data', 'SentenceLabelDataset')
    }
  }
})
