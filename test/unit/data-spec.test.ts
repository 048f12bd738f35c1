// What a config may say of data and of evaluations, against what is in the files.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import { BinaryClassificationEvaluator } from '../../lib/evaluation/binary-classification.js'
import { EmbeddingSimilarityEvaluator } from '../../lib/evaluation/embedding-similarity.js'
import { InformationRetrievalEvaluator } from '../../lib/evaluation/information-retrieval.js'
import { Banking77Classification } from '../../lib/evaluation/mteb/banking77.js'
import { SequentialEvaluator } from '../../lib/evaluation/sequential.js'
import { TripletEvaluator } from '../../lib/evaluation/triplet.js'
import type { DataSpec } from '../../lib/recipes/data-spec.js'
import { type EvaluationSpec, loadEvaluator, specOf } from '../../lib/recipes/evaluation-spec.js'
import { loadData } from '../../lib/recipes/load-data.js'
import { temporaryFolder } from '../helpers/model-folders.js'

const NLI = [
  '{"premise":"a","hypothesis":"b","label":"entailment","id":7}',
  '{"premise":"a","hypothesis":"c","label":"contradiction","id":8}',
  '',
  '{"premise":"d","hypothesis":"e","label":"neutral","id":9}',
].join('\n')

async function folderOf(t: ExecutionContext, files: Record<string, string>): Promise<string> {
  const folder = await temporaryFolder(t)
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true })
    await writeFile(join(folder, name), content)
  }
  return folder
}

const rows = (dataset: Dataset) => [...dataset]

test('a path is all rows and columns of the file; a folder is where it starts', async (t) => {
  const folder = await folderOf(t, { 'a.jsonl': '{"x":"1","y":"2"}\n{"x":"3","y":"4"}\n' })
  const { dataset, source, badRows } = await loadData('a.jsonl', { folder })
  t.deepEqual(rows(dataset), [
    { x: '1', y: '2' },
    { x: '3', y: '4' },
  ])
  t.is(source, 'a.jsonl')
  t.deepEqual(badRows, { count: 0, first: [] })
})

test('columns in another order and under other names; labels by name; skip and limit', async (t) => {
  const folder = await folderOf(t, { 'nli.jsonl': NLI })
  const labels = { entailment: 0, neutral: 1, contradiction: 2 }
  const columns = { hypothesis: 'positive', premise: 'anchor', label: 'label' }
  const { dataset } = await loadData({ path: 'nli.jsonl', columns, labels }, { folder })
  t.deepEqual(dataset.columnNames, ['positive', 'anchor', 'label'])
  t.deepEqual(dataset.labels(), [0, 2, 1])
  const part = await loadData({ path: 'nli.jsonl', columns: ['premise'], skip: 1, limit: 1 }, { folder })
  t.deepEqual(rows(part.dataset), [{ premise: 'a' }])
  const two = await loadData(
    { path: ['nli.jsonl', 'nli.jsonl'], columns: ['hypothesis'], skip: 2, limit: 2 },
    { folder },
  )
  t.deepEqual(rows(two.dataset), [{ hypothesis: 'e' }, { hypothesis: 'b' }])
})

test('scale divides scores, in text files too', async (t) => {
  const folder = await folderOf(t, { 'sts.tsv': 'a\tb\tscore\nx\ty\t5\nx\tz\t2.5\n' })
  const { dataset } = await loadData({ path: 'sts.tsv', scale: 5 }, { folder })
  t.deepEqual(dataset.labels(), [1, 0.5])
})

test('labels by name in a text file', async (t) => {
  const folder = await folderOf(t, { 'nli.csv': 'a,b,label\nx,y,no\nx,z,yes\n' })
  const spec = { path: 'nli.csv', columns: ['a', 'b', 'label'], labels: { yes: 1, no: 0 } }
  t.deepEqual((await loadData(spec, { folder })).dataset.labels(), [0, 1])
})

test('bad rows are left out and counted, each with its line', async (t) => {
  const lines = [
    ...['{"a":"x","b":"y","score":1}', '{"a":"x"}', '{"a":', '', '{"a":"x","b":3,"score":1}'],
    ...['{"a":"x","b":null,"score":1}', '{"a":"x","b":"z","score":null}', '{"a":"u","b":"v","score":0}'],
  ]
  const folder = await folderOf(t, {
    'a.jsonl': lines.join('\n'),
    'a.csv': 'a,b,score\nx,y,1\nx\nx,"y,2\nu,v,q\nu,v,3\n',
  })
  const heard: number[] = []
  const { dataset, badRows } = await loadData(
    { path: 'a.jsonl', skipBadRows: true },
    { folder, onBadRows: ({ count }) => void heard.push(count) },
  )
  t.deepEqual(rows(dataset), [
    { a: 'x', b: 'y', score: 1 },
    { a: 'u', b: 'v', score: 0 },
  ])
  t.is(badRows.count, 5)
  t.deepEqual(heard, [5])
  badRows.first.forEach((message, i) => {
    t.regex(message, new RegExp(`line ${[2, 3, 5, 6, 7][i]} of .*a\\.jsonl`))
  })
  const fields = await loadData({ path: 'a.csv', skipBadRows: true, limit: 1 }, { folder })
  t.deepEqual(rows(fields.dataset), [{ a: 'x', b: 'y', score: 1 }])
})

test('a row of text fields is left out as a whole', async (t) => {
  const folder = await folderOf(t, { 'a.tsv': 'a\tscore\tb\nx\t1\ty\nx\tq\ty2\nx\ty\nu\t3\tv\n' })
  const { dataset, badRows } = await loadData({ path: 'a.tsv', skipBadRows: true }, { folder })
  t.deepEqual(rows(dataset), [
    { a: 'x', score: 1, b: 'y' },
    { a: 'u', score: 3, b: 'v' },
  ])
  t.is(badRows.count, 2)
  t.regex(badRows.first[0]!, /line 3 of/)
  t.regex(badRows.first[1]!, /line 4 of/)
})

const refused: [string, Record<string, string>, DataSpec, RegExp][] = [
  ['no file', {}, 'a.jsonl', /There is no file .*a\.jsonl/],
  ['an unknown member', {}, { path: 'a', colums: ['a'] } as DataSpec, /did you mean columns/],
  ['neither path nor hub', {}, { limit: 3 }, /either path or hub/],
  ['both', {}, { path: 'a', hub: 'b' }, /either path or hub/],
  ['a subset of a file', {}, { path: 'a', subset: 'b' }, /data set of the hub/],
  ['rows of a split', {}, { hub: 'a/b', split: 'train[:10]' }, /skip and limit/],
  ['a column twice', {}, { path: 'a.jsonl', columns: { a: 'c', b: 'c' } }, /every column once/],
  ['a limit of none', {}, { path: 'a.jsonl', limit: 0 }, /data limit/],
  [
    'a bad row',
    { 'a.jsonl': '{"a":"b"}\n\n{"a":1}' },
    'a.jsonl',
    /Expected a text in column "a", line 3 of .*a\.jsonl, found 1/,
  ],
  ['no rows', { 'a.jsonl': '\n' }, 'a.jsonl', /at least one row in .*a\.jsonl, found none/],
  ['none behind skip', { 'a.jsonl': '{"a":"b"}' }, { path: 'a.jsonl', skip: 1 }, /at least one row after 1/],
  ['only bad rows', { 'a.jsonl': '{"a":"b"}\n[]'.slice(10) }, { path: 'a.jsonl', skipBadRows: true }, /found none/],
  [
    'another label',
    { 'n.jsonl': NLI },
    { path: 'n.jsonl', labels: { entailment: 0 } },
    /one of entailment \(labels\).*line 2 of .*"contradiction"/,
  ],
  ['no label to scale', { 'a.jsonl': '{"a":"b"}' }, { path: 'a.jsonl', scale: 5 }, /scale needs a column label/],
  ['a binary file', { 'a.jsonl': 'PAR1\u0000\u0001' }, 'a.jsonl', /Expected a JSON object in line 1 of/],
]
for (const [what, files, spec, message] of refused) {
  test(`refused: ${what}`, async (t) => {
    const folder = await folderOf(t, files)
    await t.throwsAsync(loadData(spec, { folder }), { name: 'SentenceTorchError', message })
  })
}

const FILES = {
  'sts.tsv': 'a\tb\tscore\nx\ty\t5\nx\tz\t2.5\n',
  'pairs.csv': 'a,b,label\nx,y,1\nx,z,0\n',
  'triplets.jsonl': '{"anchor":"a","positive":"b","negative":"c"}\n',
  'nli.jsonl': ['0', '1', '2'].map((label) => `{"p":"a","h":"h${label}","label":${label}}`).join('\n'),
  'one.jsonl': '{"a":"b"}\n',
  'beir/corpus.jsonl': '{"_id":"d","text":"doc"}\n',
  'beir/queries.jsonl': '{"_id":"q","text":"query"}\n',
  'beir/qrels/test.tsv': 'query-id\tcorpus-id\tscore\nq\td\t1\n',
  'banking/train.jsonl': ['x', 'y', 'z'].map((text) => `{"text":"${text}","category":"c${text}"}`).join('\n'),
  'banking/test.jsonl': '{"text":"t","category":"cx"}\n',
}

const evaluators: [EvaluationSpec, new (...args: never[]) => object][] = [
  [{ sts: 'sts.tsv' }, EmbeddingSimilarityEvaluator],
  [{ pairs: 'pairs.csv' }, BinaryClassificationEvaluator],
  [{ triplets: 'triplets.jsonl' }, TripletEvaluator],
  [{ nli: 'nli.jsonl' }, TripletEvaluator],
  [{ beir: 'beir' }, InformationRetrievalEvaluator],
  [{ banking77: 'banking' }, Banking77Classification],
  [{ sts: 'sts.tsv', beir: 'beir' }, SequentialEvaluator],
]
for (const [spec, kind] of evaluators) {
  test(`the evaluator of ${Object.keys(spec)}`, async (t) => {
    const folder = await folderOf(t, FILES)
    const evaluator = await loadEvaluator(spec, { folder })
    t.true(evaluator instanceof kind)
    if (!(evaluator instanceof SequentialEvaluator)) t.is((evaluator as { name?: string }).name, Object.keys(spec)[0])
    if (spec.nli) return
    t.deepEqual(Object.keys(await specOf(Object.values(spec)[0] as string, {}, { folder })), [Object.keys(spec)[0]!])
  })
}

const wrongEvaluations: [unknown, RegExp][] = [
  [{ stss: 'sts.tsv' }, /has no option "stss"; did you mean sts\?/],
  [{}, /one of sts, pairs, triplets, nli, beir, banking77/],
  ['sts.tsv', /an object with sts/],
  [{ sts: 'triplets.jsonl' }, /a column label or score/],
  [{ sts: 'one.jsonl' }, /2 columns of texts in one\.jsonl, found a/],
  [{ triplets: 'sts.tsv' }, /3 columns of texts/],
  [{ nli: 'sts.tsv' }, /an entailment \(label 0\) and a contradiction/],
  [{ beir: 'nowhere' }, /nowhere/],
  [{ banking77: 'beir' }, /Expected train\.jsonl/],
]
for (const [spec, message] of wrongEvaluations) {
  test(`no evaluation: ${JSON.stringify(spec)}`, async (t) => {
    const folder = await folderOf(t, FILES)
    await t.throwsAsync(loadEvaluator(spec as EvaluationSpec, { folder }), { message })
  })
}

test('what a path means is refused where nothing fits', async (t) => {
  const folder = await folderOf(t, FILES)
  await t.throwsAsync(specOf('one.jsonl', {}, { folder }), { message: /two columns of texts and a label/ })
  await t.throwsAsync(specOf('.', {}, { folder }), { message: /a BEIR folder/ })
})

test('a Dataset is what it is', async (t) => {
  const dataset = Dataset.fromRows([{ a: 'x' }])
  t.is((await loadData(dataset)).dataset, dataset)
})
