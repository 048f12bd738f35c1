import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import { createFeed, type DataSource } from '../../lib/data/feed.js'
import type { BatchSamplerName } from '../../lib/data/samplers/index.js'
import { DataStream } from '../../lib/data/stream.js'
import { CoSENTLoss, MultipleNegativesRankingLoss, SoftmaxLoss } from '../../lib/losses/index.js'
import type { LossRequirements } from '../../lib/losses/loss.js'
import { resolveArguments } from '../../lib/training/arguments/arguments.js'
import { promptOf, type TrainingPrompts } from '../../lib/training/arguments/prompts.js'
import { BatchMaker, type BatchMakerOptions } from '../../lib/training/batches/batch-maker.js'
import { checkData } from '../../lib/training/batches/check-data.js'
import { packLabels } from '../../lib/training/batches/labels.js'
import { LossSet } from '../../lib/training/batches/loss-set.js'
import { batchGroups } from '../../lib/training/batches/source.js'
import { TokenCaches } from '../../lib/training/batches/token-caches.js'
import { columnOptions } from '../../lib/training/sentence-transformer-trainer.js'
import { pairs, source } from '../helpers/fake-trainer.js'

/** One token per character, its code; cut at `maxSeqLength`. */
const characters: BatchMakerOptions['tokenize'] = async (texts, maxSeqLength = 100) => {
  const rows = texts.map((text) => [...text].slice(0, maxSeqLength).map((letter) => letter.charCodeAt(0)))
  const offsets = Int32Array.from({ length: rows.length + 1 }, (_, i) => rows.slice(0, i).flat().length)
  return { ids: Int32Array.from(rows.flat()), offsets }
}
const codes = (text: string) => [...text].map((letter) => letter.charCodeAt(0))

function make(dataset: Dataset, rows: number[], requirements: Partial<LossRequirements>, options = {}) {
  const all: LossRequirements = { minColumns: 1, maxColumns: 9, labels: 'none', ...requirements }
  const maker = new BatchMaker({ requirements: all, tokenize: characters, ...options })
  return maker.make({ dataset, rows: Int32Array.from(rows) }, { epoch: 2, index: 3 })
}

const words = Dataset.fromColumns({ a: ['ab', 'c', 'ab'], b: ['c', 'de', 'f'] })

test('prompts and lengths by column', async (t) => {
  const args = resolveArguments({ prompts: { a: 'q:' }, maxSeqLength: { b: 1 } })
  const batch = await make(
    words,
    [0, 1],
    {},
    { column: columnOptions(args, ''), promptLength: (p: string) => p.length },
  )
  t.deepEqual([...batch.ids], codes('q:abq:ccd'))
  t.deepEqual([...batch.promptLengths!], [2, 2, 0, 0])
  t.is((await make(words, [0], {}, { column: columnOptions(args, '') })).promptLengths, undefined)
  const short = columnOptions(resolveArguments({ maxSeqLength: 1 }), '')
  t.deepEqual([...(await make(words, [0, 1], {}, { column: short })).ids], codes('accd'))
})

test('prompts are found as in sentence-transformers', (t) => {
  const of = (prompts: TrainingPrompts | null, dataset: string, column: string) => promptOf(prompts, dataset, column)
  t.is(of(null, '', 'a'), '')
  t.is(of('all: ', 'x', 'a'), 'all: ')
  t.is(of({ a: 'A ' }, '', 'a'), 'A ')
  t.is(of({ a: 'A ' }, '', 'b'), '')
  t.is(of({ a: 'A ' }, 'x', 'a'), 'A ')
  t.is(of({ x: 'X ' }, 'x', 'a'), 'X ')
  t.is(of({ x: { a: 'XA ' } }, 'x', 'a'), 'XA ')
  t.is(of({ x: { a: 'XA ' } }, 'x', 'b'), '')
  t.is(of({ x: { a: 'XA ' } }, 'y', 'a'), '')
  t.throws(() => of({ x: { a: 'XA ' } }, '', 'a'), { code: 'ERR_INVALID_ARGUMENT', message: /single dataset/ })
})

test('equal texts have equal numbers, across columns', async (t) => {
  const { textIds } = await make(words, [0, 1, 2], { textIds: true })
  t.deepEqual([...textIds!], [0, 1, 0, 1, 2, 3])
})

test('the last column as targets', async (t) => {
  const batch = await make(words, [1, 0], { targets: 'column' })
  t.is(batch.columns, 1)
  t.deepEqual([...batch.ids], codes('cab'))
  t.deepEqual([...batch.targets!.ids], codes('dec'))
  t.deepEqual([...batch.targets!.offsets], [0, 2, 3])
})

test('one column twice, for two encoders', async (t) => {
  const texts = Dataset.fromColumns({ a: ['ab', 'c'] })
  const batch = await make(texts, [1, 0], { copies: 2 }, { column: () => ({ prompt: 'q' }), promptLength: () => 1 })
  t.is(batch.columns, 2)
  t.deepEqual([...batch.ids], codes('qcqabqcqab'))
  t.deepEqual([...batch.promptLengths!], [1, 1, 1, 1])
})

test('masked tokens: the batch has the changed ids, the targets one for every token', async (t) => {
  const seen: unknown[] = []
  const mask: BatchMakerOptions['mask'] = ({ ids }, numbers, epoch) => {
    seen.push([Array.from(numbers), epoch])
    return { ids: ids.map((id, i) => (i === 0 ? 99 : id)), targets: ids.map((id, i) => (i === 0 ? id : -100)) }
  }
  const batch = await make(words.selectColumns(['a']), [1, 0], { targets: 'masked' }, { mask })
  t.deepEqual([...batch.ids], [99, ...codes('ab')])
  t.deepEqual([...batch.targets!.ids], [...codes('c'), -100, -100])
  t.deepEqual(batch.targets!.offsets, batch.offsets)
  t.deepEqual(seen, [[[1, 0], 2]])
})

test('the embeddings of a guide, each text encoded once', async (t) => {
  const seen: string[] = []
  const guide = {
    embeddingDimension: 2,
    async encode(texts: readonly string[], options?: { prompt?: string }) {
      t.deepEqual(options, { prompt: '' })
      seen.push(...texts)
      const data = Float32Array.from(texts.flatMap((text) => [text.length, text.charCodeAt(0)]))
      return { data, shape: [texts.length, 2] as const }
    },
  }
  const requirements: LossRequirements = { minColumns: 2, maxColumns: 2, labels: 'none', guide }
  const maker = new BatchMaker({ requirements, tokenize: characters, column: () => ({ prompt: '#' }) })
  const first = await maker.make({ dataset: words, rows: Int32Array.of(0, 2) }, { epoch: 0, index: 0 })
  const hash = '#'.charCodeAt(0)
  t.deepEqual([...first.guide!], [3, hash, 3, hash, 2, hash, 2, hash])
  t.is(first.guideDimension, 2)
  await maker.make({ dataset: words, rows: Int32Array.of(0, 1) }, { epoch: 0, index: 1 })
  t.deepEqual(seen, ['#ab', '#c', '#f', '#de'])
})

test('labels: numbers, vectors, matrices', (t) => {
  t.deepEqual(packLabels([1, 2.5], 'float32'), { labels: Float32Array.of(1, 2.5), labelShape: [2] })
  t.deepEqual(packLabels([3, 1], 'int32'), { labels: Int32Array.of(3, 1), labelShape: [2] })
  t.deepEqual(packLabels([[1, 2, 3]], 'float32').labelShape, [1, 3])
  const matrices = [
    [
      [1, 2],
      [3, 4],
    ],
    [
      [5, 6],
      [7, 8],
    ],
  ]
  t.deepEqual(packLabels(matrices, 'float32'), {
    labels: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    labelShape: [2, 2, 2],
  })
  for (const uneven of [
    [[1, 2], [3]],
    [[1], 2],
    [1, [2]],
  ]) {
    t.throws(() => packLabels(uneven, 'float32'), { code: 'ERR_INVALID_DATA', message: /row 1/ })
  }
})

test('labels of vectors have one length; classes without a number of classes are whole', (t) => {
  const check = (label: unknown[], labels: LossRequirements['labels']) => () =>
    checkData(
      Dataset.fromColumns({ a: label.map(String), label }),
      { type: 'Some', requirements: { minColumns: 1, maxColumns: 1, labels }, spec: () => ({ type: 'Some' }) },
      'trainDataset',
    )
  t.notThrows(
    check(
      [
        [1, 2],
        [3, 4],
      ],
      'floats',
    ),
  )
  t.notThrows(check([1, 0.5], 'floats'))
  t.notThrows(check([7, -3], 'int'))
  t.throws(check([7, 0.5], 'int'), { code: 'ERR_INVALID_DATA', message: /whole number in row 1/ })
})

test('a label in an array of its own is that label', async (t) => {
  const dataset = (label: unknown[]) => Dataset.fromColumns({ a: label.map(String), b: label.map(String), label })
  for (const [loss, label, labels] of [
    [new CoSENTLoss(), [[0.25], [1]], Float32Array.of(1, 0.25)],
    [new SoftmaxLoss({ numLabels: 3 }), [[2], [0]], Int32Array.of(0, 2)],
  ] as const) {
    const data = dataset([...label])
    t.is(checkData(data, loss, 'trainDataset'), undefined)
    t.like(await make(data, [1, 0], loss.requirements), { labels, labelShape: [2] })
    t.throws(() => checkData(dataset([[1, 2], [0]]), loss, 'trainDataset'), {
      code: 'ERR_INVALID_DATA',
      message: /row [01]/,
    })
  }
})

test('classes may be given as the probability of each', async (t) => {
  const loss = new SoftmaxLoss({ numLabels: 3 })
  const dataset = (label: unknown[]) => Dataset.fromColumns({ a: label.map(String), b: label.map(String), label })
  const given = [
    [0.25, 0.75, 0],
    [0.33, 0.33, 0.33],
  ]
  const data = dataset(given)
  t.is(checkData(data, loss, 'trainDataset'), undefined)
  t.like(await make(data, [0, 1], loss.requirements), { labels: Float32Array.from(given.flat()), labelShape: [2, 3] })
  const refused = (second: unknown, message: RegExp) =>
    t.throws(() => checkData(dataset([given[0], second]), loss, 'trainDataset'), { code: 'ERR_INVALID_DATA', message })
  refused([0.5, 0.5], /3 probabilities that sum to 1.* row 1, column label .* array of length 2 \(for SoftmaxLoss\)/)
  refused([0.5, 0.75, -0.25], /row 1.*found \[0\.5, 0\.75, -0\.25\]/)
  refused([2.5, 0.75, 0.25], /row 1.*found \[2\.5, 0\.75, 0\.25\]/)
  refused([0.5, 0.25, Number.NaN], /row 1/)
  refused(2, /row 1.*found 2/)
  // A loss with one score for a pair has no classes.
  t.throws(() => checkData(data, new CoSENTLoss(), 'trainDataset'), {
    code: 'ERR_INVALID_DATA',
    message: /a finite number/,
  })
})

test('losses by dataset: the names must fit', (t) => {
  const loss = new CoSENTLoss()
  const other = new MultipleNegativesRankingLoss()
  const single = new LossSet(loss)
  t.is(single.indexOf('anything'), 0)
  t.notThrows(() => single.checkNames(['x'], 'trainDataset'))
  const several = new LossSet({ x: loss, y: other })
  t.deepEqual([several.indexOf('x'), several.indexOf('y')], [0, 1])
  t.is(several.of('y'), other)
  t.notThrows(() => several.checkNames(['y'], 'trainDataset'))
  t.throws(() => several.checkNames(['y', 'z'], 'trainDataset'), { message: /no entry for z of trainDataset.*x, y/ })
  t.throws(() => several.checkNames(undefined, 'evalDataset'), { message: /evalDataset must be an object/ })
  t.throws(() => new LossSet({} as never), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(() => new LossSet({ x: 3 } as never), { code: 'ERR_INVALID_ARGUMENT', message: /loss\.x/ })
})

test('groups of batches: skipped ones are not prepared, the others are the same', async (t) => {
  const args = resolveArguments()
  const collect = async (data: Parameters<typeof source>[0], skip: number, most?: number) => {
    const prepared: string[] = []
    const made = source(data, new MultipleNegativesRankingLoss(), args, 2)
    const groups: string[][] = []
    const noting = {
      feed: made.feed,
      prepare: async (...[batch, position]: Parameters<typeof made.prepare>) => {
        prepared.push(`${position.epoch}/${position.index}`)
        return made.prepare(batch, position)
      },
    }
    const options = { size: 2, skip, ...(most !== undefined && { most }) }
    for await (const group of batchGroups(noting, 1, options)) {
      groups.push(group.map(({ batch }) => batch.ids.join()))
    }
    return { groups, prepared }
  }
  const stream = DataStream.from(() => Array.from({ length: 9 }, (_, i) => ({ a: `a${i}`, b: `p${i}` })))
  for (const data of [pairs(9), stream, { one: pairs(5), two: pairs(4) }]) {
    const all = await collect(data, 0)
    t.deepEqual(
      all.groups.map(({ length }) => length),
      [2, 2, 1],
    )
    const rest = await collect(data, 2)
    t.deepEqual(rest.groups, all.groups.slice(1))
    t.deepEqual(rest.prepared, ['1/2', '1/3', '1/4'])
    t.deepEqual((await collect(data, 2, 2)).groups, all.groups.slice(1, 2))
    t.deepEqual((await collect(data, 4, 2)).groups, [])
  }
})

test('tokenCacheDir: what was tokenised is there for later runs, under its prompt and length', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'token-caches-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const requirements: LossRequirements = { minColumns: 1, maxColumns: 9, labels: 'none' }
  const run = async (batches: number[][], { dataset = words, key = 'x', args = {} } = {}) => {
    const tokenized: string[] = []
    const maker = new BatchMaker({
      requirements,
      tokenize: (texts, length) => {
        tokenized.push(...texts)
        return characters(texts, length)
      },
      column: columnOptions(resolveArguments(args), ''),
      tokenCaches: new TokenCaches(folder, async () => key),
      maxSeqLength: () => 100,
    })
    const ids: number[][] = []
    for (const rows of batches) {
      const batch = await maker.make({ dataset, rows: Int32Array.from(rows) }, { epoch: 0, index: 0 })
      ids.push([...batch.ids])
    }
    await maker.close()
    return { tokenized, ids }
  }
  const first = await run([[0, 1], [0]])
  t.deepEqual(first.tokenized, ['ab', 'c', 'c', 'de'])
  t.deepEqual(first.ids, [codes('abccde'), codes('abc')])
  const second = await run([[2, 1], [0]])
  t.deepEqual(second.tokenized, ['ab', 'f'], 'only what is new')
  t.deepEqual(second.ids, [codes('abcfde'), codes('abc')])
  t.deepEqual((await run([[2, 1], [0]])).tokenized, [])
  const same = Dataset.fromColumns({ other: ['ab', 'c', 'ab'], names: ['c', 'de', 'f'] })
  t.deepEqual((await run([[0, 1]], { dataset: same })).tokenized, [], 'the texts count, not the names')
  t.deepEqual((await run([[0, 1]], { key: 'y' })).tokenized.length, 4)
  t.deepEqual((await run([[0, 1]], { args: { prompts: 'q:' } })).tokenized, ['q:ab', 'q:c', 'q:c', 'q:de'])
  const cut = await run([[0, 1]], { args: { maxSeqLength: 1 } })
  t.deepEqual([cut.tokenized.length, cut.ids[0]], [4, codes('accd')])
  const before = readdirSync(folder).length
  t.is((await run([[0, 1, 2]], { dataset: words.select([2, 1, 0]) })).tokenized.length, 6)
  t.is(readdirSync(folder).length, before, 'a batch of a stream leaves nothing')
})

test('rows without a label are refused with the way out, columns of something else by name', (t) => {
  const softmax = new SoftmaxLoss({ numLabels: 3 })
  const nli = (label: (number | null)[]) => Dataset.fromColumns({ a: ['x', 'y'], b: ['z', 'w'], label })
  for (const missing of [-1, null]) {
    const message = /row 1, column label of trainDataset.*dropUnlabelled\(\)/
    t.throws(() => checkData(nli([0, missing]), softmax, 'trainDataset'), { code: 'ERR_INVALID_DATA', message })
  }
  t.throws(() => checkData(nli([0, 3]), softmax, 'trainDataset'), { message: /\(for SoftmaxLoss\)$/ })
  const withIds = Dataset.fromColumns({ a: ['x'], b: ['y'], idx: [7] })
  t.throws(() => checkData(withIds, new MultipleNegativesRankingLoss(), 'trainDataset'), {
    code: 'ERR_INVALID_DATA',
    message: /column "idx".*removeColumns\(\['idx'\]\)/,
  })
})

test('compat: samplers that sentence-transformers 6.0.1 tells neither seed nor epoch', async (t) => {
  const order = async (
    data: DataSource,
    batchSampler: BatchSamplerName,
    seed: number,
    epoch: number,
    compat: boolean,
  ) => {
    const rows: string[] = []
    const feed = createFeed(data, { batchSize: 4, batchSampler, seed, compat })
    for await (const batch of feed.batches(epoch)) rows.push(`${batch.name}:${batch.rows.join()}`)
    return rows.sort().join(' ')
  }
  const single = pairs(40)
  const several = { a: pairs(40), b: pairs(24) }
  for (const [data, compat, bySeed, byEpoch] of [
    [single, false, false, false],
    [single, true, true, false],
    [several, false, false, false],
    [several, true, true, true],
  ] as const) {
    const first = await order(data, 'no_duplicates', 1, 0, compat)
    t.is((await order(data, 'no_duplicates', 2, 0, compat)) === first, bySeed)
    t.is((await order(data, 'no_duplicates', 1, 1, compat)) === first, byEpoch)
    const plain = await order(data, 'batch_sampler', 1, 0, compat)
    t.not(await order(data, 'batch_sampler', 2, 0, compat), plain)
    t.not(await order(data, 'batch_sampler', 1, 1, compat), plain)
  }
})
