import test from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import { Random } from '../../lib/data/random.js'
import type { CrossEncoderLoss } from '../../lib/losses/cross-encoder/index.js'
import * as losses from '../../lib/losses/cross-encoder/index.js'
import { checkPairData } from '../../lib/training/batches/check-pair-data.js'
import { CrossEncoderBatchMaker, inBatchNegatives } from '../../lib/training/batches/cross-encoder-batch-maker.js'

const columns = (rows: number, count: number) =>
  Array.from({ length: count }, (_, c) => Array.from({ length: rows }, (_, r) => `${r}:${c}`))

test('negatives are texts of other rows, each once', (t) => {
  for (const [rows, count, wanted] of [
    [6, 1, 4],
    [5, 3, 7],
    [2, 1, 4],
    [9, 2, 1],
  ] as const) {
    const drawn = inBatchNegatives(columns(rows, count), wanted, new Random(1))
    t.is(drawn.length, Math.min(wanted, (rows - 1) * count))
    for (let row = 0; row < rows; row++) {
      const own = drawn.map((column) => column[row]!)
      t.is(new Set(own).size, own.length)
      t.true(own.every((text) => Number(text.split(':')[0]) !== row))
    }
  }
})

test('all negatives come in the order of Python, without a draw', (t) => {
  const expected = [
    ['1:0', '0:0', '0:0'],
    ['2:0', '2:0', '1:0'],
    ['1:1', '0:1', '0:1'],
    ['2:1', '2:1', '1:1'],
  ]
  t.deepEqual(inBatchNegatives(columns(3, 2), null, new Random(1)), expected)
  t.deepEqual(inBatchNegatives(columns(3, 2), 4, new Random(2)), expected)
  t.deepEqual(inBatchNegatives(columns(1, 1), 4, new Random(1)), [])
})

test('each text is drawn as often as any other', (t) => {
  const counts = new Map<string, number>()
  const random = new Random(7)
  for (let i = 0; i < 3000; i++) {
    for (const [text] of inBatchNegatives(columns(5, 1), 2, random)) counts.set(text!, (counts.get(text!) ?? 0) + 1)
  }
  t.deepEqual([...counts.keys()].sort(), ['1:0', '2:0', '3:0', '4:0'])
  // 1500 each; the deviation is 27.
  for (const count of counts.values()) t.true(Math.abs(count - 1500) < 140, `${count}`)
})

/** Remembers the pairs; the token ids of a pair are the numbers of characters of its texts. */
function maker(loss: CrossEncoderLoss) {
  const pairs: string[] = []
  const tokenize = async (first: readonly string[], second: readonly string[]) => {
    first.forEach((text, i) => {
      pairs.push(`${text}|${second[i]}`)
    })
    const offsets = Int32Array.from({ length: first.length + 1 }, (_, i) => 2 * i)
    const ids = Int32Array.from({ length: 2 * first.length }, (_, i) => (i % 2 ? second : first)[i >> 1]!.length)
    return { ids, offsets, tokenTypes: ids.map((_, i) => i % 2) }
  }
  return { pairs, maker: new CrossEncoderBatchMaker({ loss, tokenize, seed: 3 }) }
}

const rows = Int32Array.of(2, 0)
const at = { epoch: 1, index: 4 }

test('pairs with their labels', async (t) => {
  const dataset = Dataset.fromColumns({ a: ['q0', 'q1', 'q2'], b: ['d0', 'd1', 'd2'], label: [0, 1, 2] })
  const pair = maker(new losses.BinaryCrossEntropyLoss())
  const batch = await pair.maker.make({ dataset, rows }, at)
  t.deepEqual(pair.pairs, ['q2|d2', 'q0|d0'])
  t.is(batch.columns, 1)
  t.deepEqual(batch.labels, Float32Array.of(2, 0))
  t.deepEqual(batch.tokenTypes, Int32Array.of(0, 1, 0, 1))
  const classes = await maker(new losses.CrossEntropyLoss()).maker.make({ dataset, rows }, at)
  t.deepEqual(classes.labels, Int32Array.of(2, 0))
})

test('columns: the query with each other text', async (t) => {
  const dataset = Dataset.fromColumns({
    a: ['q0', 'q1', 'q2'],
    b: ['p0', 'p1', 'p2'],
    c: ['n0', 'n1', 'n2'],
    score: [1, 2, 3],
  })
  const margin = maker(new losses.MarginMSELoss())
  const batch = await margin.maker.make({ dataset, rows }, at)
  t.deepEqual(margin.pairs, ['q2|p2', 'q0|p0', 'q2|n2', 'q0|n0'])
  t.is(batch.columns, 2)
  t.deepEqual(batch.labels, Float32Array.of(3, 1))
})

test('ranking: positives, negatives of other rows, hard negatives; the same at the same place', async (t) => {
  const texts = (letter: string) => Array.from({ length: 6 }, (_, i) => `${letter}${i}`)
  const dataset = Dataset.fromColumns({ a: texts('q'), b: texts('p'), c: texts('n') })
  const all = Int32Array.of(0, 1, 2, 3, 4, 5)
  const loss = new losses.MultipleNegativesRankingLoss({ numNegatives: 2 })
  const run = async (place: typeof at) => {
    const ranking = maker(loss)
    const batch = await ranking.maker.make({ dataset, rows: all }, place)
    t.is(batch.columns, 4)
    t.is(batch.labels, undefined)
    return ranking.pairs
  }
  const pairs = await run(at)
  t.deepEqual(
    pairs.slice(0, 6),
    texts('q').map((query, i) => `${query}|p${i}`),
  )
  t.deepEqual(
    pairs.slice(18),
    texts('q').map((query, i) => `${query}|n${i}`),
  )
  t.true(pairs.slice(6, 18).every((pair) => pair[1] !== pair.at(-1)))
  t.deepEqual(await run(at), pairs)
  t.notDeepEqual(await run({ epoch: 1, index: 5 }), pairs)
})

test('lists: a pair for each document', async (t) => {
  const documents = [['a', 'b', 'c'], ['d'], ['e', 'f']]
  const dataset = Dataset.fromColumns({ q: ['q0', 'q1', 'q2'], documents, labels: [[1, 0, 2], [1], [0, 3]] })
  const lists = maker(new losses.LambdaLoss())
  const batch = await lists.maker.make({ dataset, rows }, at)
  t.deepEqual(lists.pairs, ['q2|e', 'q2|f', 'q0|a', 'q0|b', 'q0|c'])
  t.deepEqual(batch.lists, Int32Array.of(0, 2, 5))
  t.deepEqual(batch.labels, Float32Array.of(0, 3, 1, 0, 2))
  t.is(batch.columns, 1)
})

test('data that a loss cannot take is refused, with its row', (t) => {
  const refused = (loss: CrossEncoderLoss, data: Record<string, unknown[]>, message: RegExp, numLabels = 1) =>
    t.throws(() => checkPairData(Dataset.fromColumns(data), loss, 'trainDataset', numLabels), {
      code: 'ERR_INVALID_DATA',
      message,
    })
  const lambda = new losses.LambdaLoss()
  const [q, documents] = [
    ['q0', 'q1'],
    [['a', 'b'], ['c']],
  ]
  refused(lambda, { q, documents }, /labels/)
  refused(lambda, { q, documents, more: q, labels: [[1, 2], [3]] }, /lists of documents/)
  refused(
    lambda,
    {
      q,
      documents,
      labels: [
        [1, 2],
        [3, 4],
      ],
    },
    /Expected 1 labels in row 1, column labels/,
  )
  refused(lambda, { q, documents: [['a'], []], labels: [[1], []] }, /Row 1, column documents of trainDataset has no/)
  refused(lambda, { q, d: q, labels: [[1], [1]] }, /column "?d/)
  refused(new losses.MarginMSELoss(), { q, p: q, n: q, m: q, score: [1, 2] }, /2 margins or 3 scores/)
  refused(new losses.CrossEntropyLoss(), { a: q, b: q, label: [0, 3] }, /from 0 to 2 in row 1/, 3)
  refused(new losses.BinaryCrossEntropyLoss(), { a: q, b: q }, /label/)
  refused(new losses.BinaryCrossEntropyLoss(), { a: q, documents, label: [0, 1] }, /documents/)
  t.is(
    checkPairData(Dataset.fromColumns({ q, documents, labels: [[1, 2], [3]] }), lambda, 'trainDataset', 1),
    undefined,
  )
  const ranking = new losses.MultipleNegativesRankingLoss()
  t.regex(checkPairData(Dataset.fromColumns({ q, p: q, label: [1, 1] }), ranking, 'trainDataset', 1)!, /left aside/)
})

test('options of the losses are checked', (t) => {
  t.throws(() => new losses.LambdaLoss({ weightingScheme: 'NDCG' as 'LambdaRank' }), { message: /NDCGLoss2PP/ })
  t.throws(() => new losses.RankNetLoss({ mu: 1 } as object), { code: 'ERR_UNKNOWN_OPTION' })
  t.throws(() => new losses.MultipleNegativesRankingLoss({ numNegatives: 0 }), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(() => new losses.BinaryCrossEntropyLoss({ posWeight: -1 }), { message: /posWeight/ })
  t.throws(() => new losses.MSELoss({ activationFn: 'gelu_new' as 'gelu' }), { message: /activationFn/ })
  t.throws(() => new losses.MSELoss().spec(2), { message: /one label/ })
  t.throws(() => new losses.CrossEntropyLoss({ weight: [1, 2] }).spec(3), { message: /3 numbers/ })
  t.deepEqual(new losses.ListNetLoss({ miniBatchSize: 8 }).caching, { miniBatchSize: 8 })
  t.is(new losses.ListNetLoss({ miniBatchSize: -1 }).caching, undefined)
  const cached = new losses.CachedMultipleNegativesRankingLoss({ numNegatives: null })
  t.deepEqual(cached.caching, { miniBatchSize: 32 })
  t.deepEqual(cached.spec(1), new losses.MultipleNegativesRankingLoss().spec(1))
})
