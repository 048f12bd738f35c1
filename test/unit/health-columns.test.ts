import test from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import { BinaryCrossEntropyLoss } from '../../lib/losses/cross-encoder/binary-cross-entropy.js'
import { LambdaLoss } from '../../lib/losses/cross-encoder/lambda.js'
import { CoSENTLoss, MultipleNegativesRankingLoss, TripletLoss } from '../../lib/losses/index.js'
import { checkData } from '../../lib/training/batches/check-data.js'
import { checkPairData } from '../../lib/training/batches/check-pair-data.js'
import { orderConflict } from '../../lib/training/health/column-order.js'
import { ColumnChecks } from '../../lib/training/health/columns.js'

const texts = (name: string, rows = 4) => Array.from({ length: rows }, (_, i) => `${name} number ${i}`)

function named(...names: string[]): Dataset {
  return Dataset.fromColumns(Object.fromEntries(names.map((name) => [name, texts(name)])), { columns: names })
}

function codes(dataset: Dataset, checks = new ColumnChecks(), which = 'trainDataset'): string[] {
  return checks.check(which, dataset).map(({ code, message, remedy }) => {
    if (!message.includes(which) || remedy.length < 20) throw new Error(`says too little: ${message}`)
    return code
  })
}

test('columns of numbers are refused as inputs, with the column and the way out, as Python refuses them', (t) => {
  const pair = { anchor: texts('a'), positive: texts('b') }
  const numbers = { 'Unnamed: 0': [0, 1, 2, 3], ...pair }
  const cases: [Record<string, unknown[]>, RegExp][] = [
    [numbers, /column "Unnamed: 0" of trainDataset, found 0 in row 0.*removeColumns\(\['Unnamed: 0'\]\)/],
    [{ ...pair, z: [null, 0.5, 1, 2] }, /column "z" of trainDataset, found 0\.5 in row 1/],
    [{ ...pair, z: [true, false, true, true] }, /column "z" .*found true in row 0/],
    [{ ...pair, z: [1, 2, 3, 9007199254740993n] }, /column "z" .*found 1 in row 0/],
    [{ ...pair, ' label': [1, 0, 1, 0] }, /column " label" .*renameColumns\(\{ ' label': 'label' \}\)/],
    [{ ...pair, Score: [1, 0, 1, 0] }, /column "Score" .*renameColumns\(\{ 'Score': 'score' \}\)/],
  ]
  for (const [columns, message] of cases) {
    for (const loss of [new MultipleNegativesRankingLoss(), new TripletLoss(), new CoSENTLoss()]) {
      t.throws(() => checkData(Dataset.fromColumns(columns), loss, 'trainDataset'), {
        code: 'ERR_INVALID_DATA',
        message,
      })
    }
    const labelled = Dataset.fromColumns({ ...columns, label: [1, 0, 1, 0] })
    t.throws(() => checkPairData(labelled, new BinaryCrossEntropyLoss(), 'trainDataset', 1), {
      code: 'ERR_INVALID_DATA',
      message: /removeColumns\(\['.*'\]\).*labels are taken from "label"/,
    })
  }
  const lists = Dataset.fromColumns({ id: [7], query: ['q'], docs: [['d', 'e']], labels: [[1, 0]] })
  t.throws(() => checkPairData(lists, new LambdaLoss(), 'trainDataset', 1), {
    code: 'ERR_INVALID_DATA',
    message: /column "id" of trainDataset, found 7/,
  })
})

test('an order that the names contradict', (t) => {
  const wrong = [
    ['positive', 'anchor'],
    ['anchor', 'negative', 'positive'],
    ['answer', 'question'],
    ['response', 'query'],
    ['title', 'query', 'answer'],
    ['anchor', 'title', 'positive'],
    ['contradiction', 'hypothesis', 'entailment'],
    ['hypothesis', 'premise'],
    ['sentence2', 'sentence1'],
    ['sentence_B', 'sentence_A'],
    ['anchor', 'positive', 'negative_10', 'negative_9'],
    ['passage', 'query', 'negative'],
  ]
  const right = [
    ['anchor', 'positive'],
    ['anchor', 'positive', 'negative'],
    ['anchor', 'positive', 'negative_9', 'negative_10'],
    ['premise', 'hypothesis'],
    ['hypothesis', 'entailment', 'contradiction'],
    ['query', 'docs'],
    ['question', 'context', 'answer'],
    ['sentence1', 'sentence2'],
    ['sentence_0', 'sentence_1', 'sentence_2'],
    ['sentence_A', 'sentence_B'],
    ['text'],
    ['b', 'a'],
    ['positive', 'negative'],
  ]
  for (const names of wrong) {
    t.not(orderConflict(names), undefined, names.join())
    t.deepEqual(codes(named(...names)), ['WARN_COLUMN_ORDER'], names.join())
  }
  for (const names of right) t.is(orderConflict(names), undefined, names.join())
})

test('datasets with the same columns in different orders', (t) => {
  const checks = new ColumnChecks()
  t.deepEqual(codes(named('a', 'b'), checks), [])
  t.deepEqual(codes(named('a', 'b'), checks, 'evalDataset'), [])
  t.deepEqual(codes(named('a', 'c'), checks, 'evalDataset'), [])
  const [warning] = checks.check('evalDataset.dev', named('b', 'a'))
  t.is(warning!.code, 'WARN_COLUMN_ORDER')
  t.regex(warning!.message, /evalDataset\.dev are b, a, those of trainDataset a, b/)
  t.regex(warning!.remedy, /selectColumns\(\['a', 'b'\]\)/)
  // Where the label column stands does not count.
  const labelled = Dataset.fromColumns({ label: [1, 0, 1, 0], a: texts('a'), b: texts('b') })
  t.deepEqual(codes(labelled, checks), [])
})

test('ids and numbers that are trained on as texts', (t) => {
  for (const name of [
    'id',
    'doc_id',
    'query_ids',
    'row_idx',
    'docId',
    'queryID',
    'Unnamed: 0',
    'guid',
    '__index_level_0__',
  ]) {
    t.deepEqual(codes(named(name, 'text')), ['WARN_ID_COLUMN'], name)
  }
  for (const name of ['idea', 'paid', 'valid', 'index_card', 'grid']) t.deepEqual(codes(named(name, 'text')), [], name)
  const rows = 2000
  const numbers = (share: number) =>
    Array.from({ length: rows }, (_, i) => (i < share * rows ? `${i * 7}` : `text ${i}`))
  const of = (a: string[]) => Dataset.fromColumns({ a, b: texts('b', rows) })
  t.deepEqual(codes(of(numbers(1))), ['WARN_ID_COLUMN'])
  t.deepEqual(codes(of(numbers(0.97))), ['WARN_ID_COLUMN'])
  t.deepEqual(codes(of(numbers(0.5))), [])
  t.deepEqual(codes(of(texts('0x10', rows))), [])
  const list = Dataset.fromColumns({ query: texts('q'), docs: texts('d').map((_, i) => [`${i}`, '12']) })
  t.deepEqual(codes(list), ['WARN_ID_COLUMN'])
})

test('names with blanks, names that are nearly that of the labels', (t) => {
  t.deepEqual(codes(named(' text', 'b')), ['WARN_COLUMN_NAME'])
  const [warning] = new ColumnChecks().check('trainDataset', named('text', ' Label'))
  t.is(warning!.code, 'WARN_COLUMN_NAME')
  t.regex(warning!.remedy, /renameColumns\(\{ ' Label': 'label' \}\)/)
  const labelled = Dataset.fromColumns({ a: texts('a'), Score: texts('s'), label: [1, 0, 1, 0] })
  t.deepEqual(codes(labelled), [], 'there are labels: it is something else')
})

test('texts that are empty or say that nothing is there', (t) => {
  const with_ = (...empty: string[]) => Dataset.fromColumns({ a: [...empty, ...texts('a', 96)] })
  for (const empty of ['', '  ', 'nan', 'None', 'NULL', 'N/A']) {
    t.deepEqual(codes(with_(empty, empty, empty, empty)), ['WARN_EMPTY_TEXTS'], empty)
  }
  t.regex(
    new ColumnChecks().check('trainDataset', with_('', 'x', 'y', 'nan'))[0]!.message,
    /2 % of the texts in column "a"/,
  )
  t.deepEqual(codes(Dataset.fromColumns({ a: ['', ...texts('a', 400)] })), [])
  t.deepEqual(codes(Dataset.fromColumns({ a: [] })), [])
})
