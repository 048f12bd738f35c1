import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import { createFeed } from '../../lib/data/feed.js'
import {
  ContrastiveTensionDataLoader,
  DataLoader,
  DenoisingAutoEncoderDataset,
  deleteWords,
  examplesToDataset,
  InputExample,
  NoDuplicatesDataLoader,
  ParallelSentencesDataset,
  SentenceLabelDataset,
  type TrainingData,
} from '../../lib/data/legacy/index.js'
import { words } from '../../lib/data/legacy/treebank.js'
import { Random } from '../../lib/data/random.js'
import { DataStream } from '../../lib/data/stream.js'

async function rowsOf(
  { data, batchSampler, batchSize }: TrainingData,
  epoch = 0,
): Promise<Record<string, unknown>[][]> {
  const batches: Record<string, unknown>[][] = []
  for await (const { dataset, rows } of createFeed(data, { batchSampler, batchSize }).batches(epoch)) {
    batches.push(Array.from(rows, (row) => dataset.row(row)))
  }
  return batches
}

const example = (...texts: string[]) => new InputExample({ texts })

test('examples become a dataset; labels that are all 0 count as none', (t) => {
  const labelled = examplesToDataset([
    new InputExample({ texts: ['a', 'b'], label: 0 }),
    new InputExample({ guid: 'x', texts: ['c', 'd'], label: 0.5 }),
  ])
  t.deepEqual(labelled.columnNames, ['sentence_0', 'sentence_1', 'label'])
  t.deepEqual(labelled.row(1), { sentence_0: 'c', sentence_1: 'd', label: 0.5 })
  t.deepEqual(examplesToDataset([example('a'), example('b')]).columnNames, ['sentence_0'])
  const data = { code: 'ERR_INVALID_DATA' }
  t.throws(() => examplesToDataset([example('a'), example('b', 'c')]), {
    ...data,
    message: /1 texts at place 1.*found 2/,
  })
  t.throws(() => examplesToDataset([example('a'), 'b' as never]), { ...data, message: /place 1/ })
  t.throws(() => examplesToDataset([]), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(() => new InputExample({ texts: 'a' as never }), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(() => new InputExample({ text: ['a'] } as never), { code: 'ERR_UNKNOWN_OPTION' })
})

test('DataLoader: rows, their order and how many of them in a batch', async (t) => {
  const examples = Array.from({ length: 10 }, (_, i) => example(`${i}`))
  const first = (loader: DataLoader) => rowsOf(loader.toTrainingData())
  const texts = (batches: Record<string, unknown>[][]) => batches.map((rows) => rows.map((row) => row.sentence_0))
  const inOrder = await first(new DataLoader(examples, { batchSize: 4 }))
  t.deepEqual(texts(inOrder), [
    ['0', '1', '2', '3'],
    ['4', '5', '6', '7'],
    ['8', '9'],
  ])
  const shuffled = texts(await first(new DataLoader(examples, { batchSize: 4, shuffle: true })))
  t.notDeepEqual(shuffled, texts(inOrder))
  t.deepEqual(shuffled.flat().sort(), texts(inOrder).flat())
  const dataset = Dataset.fromColumns({ a: ['x'] })
  t.is(new DataLoader(dataset).dataset, dataset)
  t.is(new DataLoader(dataset).batchSize, 1)
  t.throws(() => new DataLoader(examples, { batch_size: 4 } as never), { code: 'ERR_UNKNOWN_OPTION' })
  t.throws(() => new DataLoader(3 as never), { code: 'ERR_INVALID_ARGUMENT' })
})

/** The batches of a loader, in a loop with await and in one without. */
async function loops<Batch>(loader: Iterable<Batch> & AsyncIterable<Batch>): Promise<[Batch[], Batch[]]> {
  const awaited: Batch[] = []
  for await (const batch of loader) awaited.push(batch)
  return [awaited, [...loader]]
}

test('DataLoader: batches in a loop, another epoch every time', async (t) => {
  const examples = Array.from({ length: 10 }, (_, i) => new InputExample({ texts: [`${i}`], label: i }))
  const inOrder = new DataLoader(examples, { batchSize: 4 })
  t.is(inOrder.length, 3)
  const expected = [examples.slice(0, 4), examples.slice(4, 8), examples.slice(8)]
  for (const batches of await loops(inOrder)) {
    t.deepEqual(batches, expected)
    t.is(batches[1]![0], examples[4], 'the examples themselves')
  }
  const [first] = inOrder
  t.is(first![0]!.texts[0], '0')
  const shuffled = new DataLoader(examples, { batchSize: 4, shuffle: true })
  const [one, two] = await loops(shuffled)
  for (const batches of [one, two]) {
    t.deepEqual(
      batches.map((batch) => batch.length),
      [4, 4, 2],
    )
    t.deepEqual(
      batches.flat().sort((a, b) => Number(a.label) - Number(b.label)),
      examples,
    )
  }
  t.notDeepEqual(one, two)
  const again = await loops(new DataLoader(examples, { batchSize: 4, shuffle: true }))
  t.deepEqual(again, [one, two], 'the same from run to run, with await and without')

  const rows = new DataLoader(Dataset.fromColumns({ anchor: ['a', 'b', 'c'], label: [0, 1, 2] }), { batchSize: 2 })
  const columns = [
    { anchor: ['a', 'b'], label: [0, 1] },
    { anchor: ['c'], label: [2] },
  ]
  t.deepEqual(await loops(rows), [columns, columns] as never)
  const stream = DataStream.from(() => [{ anchor: 'a' }, { anchor: 'b' }], { shuffleBuffer: 1 })
  const streamed = new DataLoader(stream, { batchSize: 2 })
  t.is(streamed.length, undefined)
  t.throws(() => [...streamed], { code: 'ERR_INVALID_ARGUMENT', message: /for await/ })
  for await (const batch of streamed) t.deepEqual(batch, { anchor: ['a', 'b'] } as never)
})

test('loaders of legacy datasets give examples', async (t) => {
  const noisy = new DenoisingAutoEncoderDataset(['a', 'b', 'c'], { noise: (text) => `${text}!` })
  t.deepEqual(
    [...noisy].map(({ texts }) => texts),
    [
      ['a!', 'a'],
      ['b!', 'b'],
      ['c!', 'c'],
    ],
  )
  t.deepEqual(noisy.example(-1).texts, ['c!', 'c'])
  t.throws(() => noisy.example(3), { code: 'ERR_INVALID_ARGUMENT' })
  const loader = new DataLoader(noisy, { batchSize: 2 })
  t.is(loader.length, 2)
  const batches: InputExample[][] = []
  for await (const batch of loader) batches.push(batch)
  t.deepEqual(
    batches.map((batch) => batch.map(({ texts }) => texts)),
    [
      [
        ['a!', 'a'],
        ['b!', 'b'],
      ],
      [['c!', 'c']],
    ],
  )
  const labelled = [0, 0, 1, 1, 1].map((label, i) => new InputExample({ texts: [`${i}`], label }))
  const byLabel = [...new SentenceLabelDataset(labelled)]
  t.is(byLabel.length, 6)
  t.true(byLabel.every((each, i) => labelled.includes(each) && each.label === byLabel[i - (i % 2)]!.label))

  const tension = new ContrastiveTensionDataLoader(['a', 'b', 'c', 'd'], 2, 2)
  t.is(tension.length, 1)
  let seen = 0
  for await (const [same, other] of tension) {
    seen++
    t.is(same!.label, 1)
    t.is(same!.texts[0], same!.texts[1])
    t.is(other!.label, 0)
    t.is(new Set([...same!.texts, ...other!.texts]).size, 3)
  }
  t.is(seen, 1)
})

test('NoDuplicatesDataLoader: as many batches in a loop as its length says', async (t) => {
  const examples = Array.from({ length: 200 }, (_, i) =>
    example(i < 35 ? `often${' '.repeat(i)}` : `text ${i}`, `other ${i}`),
  )
  const loader = new NoDuplicatesDataLoader(examples, 8)
  t.is(loader.length, 25)
  const [one, two] = await loops(loader)
  for (const batches of [one, two]) {
    t.is(batches.length, 25)
    for (const batch of batches) {
      t.true(batch.every((each) => examples.includes(each)))
      t.is(new Set(batch.map(({ texts }) => texts[0]!.trim())).size, 8)
    }
  }
  t.notDeepEqual(one, two)
})

test('NoDuplicatesDataLoader: full batches, texts compared without case and outer space', async (t) => {
  const examples = Array.from({ length: 40 }, (_, i) =>
    example(`${i % 2 ? 'Text' : ' text '} ${i % 13} `, `other ${i}`),
  )
  const loader = new NoDuplicatesDataLoader(examples, 4)
  const batches = await rowsOf(loader.toTrainingData())
  t.true(batches.length >= 8)
  for (const rows of batches) {
    t.is(rows.length, 4)
    const seen = rows.flatMap((row) =>
      [row.sentence_0, row.sentence_1].map((text) => String(text).trim().toLowerCase()),
    )
    t.is(new Set(seen).size, 8)
  }
  t.true(
    batches.flat().some(({ sentence_0 }) => String(sentence_0).startsWith(' text')),
    'the texts themselves stay',
  )
})

test('SentenceLabelDataset: what it cannot work with is refused', (t) => {
  const labelled = [0, 0, 1].map((label, i) => new InputExample({ texts: [`${i}`], label }))
  t.is(new SentenceLabelDataset(labelled).length, 2)
  t.throws(() => new SentenceLabelDataset(labelled, { samplesPerLabel: 3 }), { code: 'ERR_INVALID_DATA' })
  const vectors = [new InputExample({ texts: ['a'], label: [1] })]
  t.throws(() => new SentenceLabelDataset(vectors), { code: 'ERR_INVALID_ARGUMENT' })
})

test('deleting words: the ratio is the share that goes', (t) => {
  const text = Array.from({ length: 1000 }, (_, i) => `w${i}`).join(' ')
  for (const delRatio of [0.6, 0.4]) {
    const left = words(deleteWords(text, delRatio, new Random(1))).length
    t.true(Math.abs(left - 1000 * (1 - delRatio)) < 5 * Math.sqrt(1000 * 0.24), `${left} at ${delRatio}`)
  }
  t.is(deleteWords('one', 1, new Random(1)), 'one', 'one word stays')
  t.is(deleteWords('', 0.6, new Random(1)), '')
  t.is(deleteWords("I can't, really.", 0, new Random(1)), "I can't, really.")
})

test('DenoisingAutoEncoderDataset: noise by seed, epoch and row', async (t) => {
  const sentences = Array.from({ length: 20 }, (_, i) => `one two three four five six seven eight nine ${i}`)
  const dataset = new DenoisingAutoEncoderDataset(sentences, { seed: 3 })
  const first = dataset.toDataset()
  t.deepEqual(first.columnNames, ['sentence_0', 'sentence_1'])
  t.deepEqual(first.texts('sentence_1'), sentences)
  t.true(first.texts('sentence_0').every((text, i) => words(text).every((word) => sentences[i]!.includes(word))))
  t.deepEqual(dataset.toDataset(0).texts('sentence_0'), first.texts('sentence_0'))
  t.notDeepEqual(dataset.toDataset(1).texts('sentence_0'), first.texts('sentence_0'))
  const other = new DenoisingAutoEncoderDataset(sentences, { seed: 4 })
  t.notDeepEqual(other.toDataset().texts('sentence_0'), first.texts('sentence_0'))
  const loader = new DataLoader(dataset, { batchSize: 7, shuffle: true })
  const [epoch0, epoch1] = [await rowsOf(loader.toTrainingData(), 0), await rowsOf(loader.toTrainingData(), 1)]
  for (const [epoch, batches] of [epoch0, epoch1].entries()) {
    t.deepEqual(
      batches.map((rows) => rows.length),
      [7, 7, 6],
    )
    const noisy = dataset.toDataset(epoch)
    for (const row of batches.flat()) {
      t.is(row.sentence_0, noisy.texts('sentence_0')[sentences.indexOf(String(row.sentence_1))])
    }
  }
  t.notDeepEqual(
    epoch0.flat().map((row) => row.sentence_1),
    sentences,
  )
  const upper = new DenoisingAutoEncoderDataset(['a'], { noise: (text) => text.toUpperCase() })
  t.deepEqual(upper.toDataset().row(0), { sentence_0: 'A', sentence_1: 'a' })
  const argument = { code: 'ERR_INVALID_ARGUMENT' }
  t.throws(() => new DenoisingAutoEncoderDataset(['a'], { delRatio: 2 }), argument)
  t.throws(() => new DenoisingAutoEncoderDataset(['a', 3 as never]), { ...argument, message: /sentences\[1\]/ })
  t.throws(() => new DenoisingAutoEncoderDataset(['a'], { delRatio: 0.5, noise: (text) => text }), argument)
  t.throws(() => new DenoisingAutoEncoderDataset(['a'], { noise: () => 3 as never }).toDataset(), {
    code: 'ERR_INVALID_DATA',
  })
})

test('ContrastiveTensionDataLoader: the batch size is a multiple of the ratio', (t) => {
  t.throws(() => new ContrastiveTensionDataLoader(['a', 'b'], 12), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /multiple/,
  })
  t.is(new ContrastiveTensionDataLoader(['a', 'b'], 8).length, 0)
})

/** Embeds a text as its length and its first character, and remembers what it was asked. */
function teacher() {
  const asked: string[] = []
  const encode = async (texts: readonly string[]) => {
    asked.push(...texts)
    const data = Float32Array.from(texts.flatMap((text) => [text.length, text.charCodeAt(0)]))
    return { data, shape: [texts.length, 2] as const }
  }
  return { asked, model: { encode } }
}

test("ParallelSentencesDataset: every text with the teacher's embedding of its source", async (t) => {
  const { asked, model } = teacher()
  const dataset = new ParallelSentencesDataset({ teacherModel: model, seed: 1 })
  const folder = mkdtempSync(join(tmpdir(), 'parallel-'))
  const path = join(folder, 'a.tsv.gz')
  writeFileSync(
    path,
    gzipSync(`hello\thallo\thola\n\n \t\r\nbye\ttschüss\rhello\tsalut\n${'x'.repeat(129)}\ty\nlast\tletzte\n`),
  )
  await dataset.loadData(path, { weight: 3 })
  dataset.addDataset([['one', 'eins']], { weight: 1 })
  t.is(dataset.length, 4 + 2 + 2 + 2)
  const training = new DataLoader(dataset, { batchSize: 4 }).toTrainingData()
  const rows = (await rowsOf(training)).flat()
  t.is(rows.length, 10)
  const sources: Record<string, string> = { hallo: 'hello', hola: 'hello', salut: 'hello', tschüss: 'bye' }
  for (const { sentence_0, label } of rows) {
    const text = String(sentence_0)
    const source = sources[text] ?? (text === 'letzte' ? 'last' : text === 'eins' ? 'one' : text)
    t.deepEqual(label, [source.length, source.charCodeAt(0)])
  }
  t.deepEqual(asked.sort(), ['bye', 'hello', 'last', 'one'], 'every source once')
  t.deepEqual((await rowsOf(training)).flat(), rows)
  t.notDeepEqual((await rowsOf(training, 1)).flat(), rows)
  t.is(asked.length, 4, 'and not again in the next epoch')
  const limited = new ParallelSentencesDataset({ teacherModel: model })
  await limited.loadData(path, { maxSentences: 1, maxSentenceLength: null })
  t.is(limited.length, 3)
  t.throws(() => new ParallelSentencesDataset({ teacherModel: {} as never }), { code: 'ERR_INVALID_ARGUMENT' })
  const empty = new ParallelSentencesDataset({ teacherModel: model })
  t.throws(() => empty.toTrainingData(2), { code: 'ERR_INVALID_DATA', message: /loadData/ })
})
