// What every evaluator refuses, and the parts that need no model.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Random } from '../../lib/data/random.js'
import { pythonFloat32 } from '../../lib/evaluation/csv.js'
import { DuplicatePairs } from '../../lib/evaluation/duplicate-pairs.js'
import type { EvaluatedModel } from '../../lib/evaluation/evaluator.js'
import * as evaluation from '../../lib/evaluation/index.js'
import { comparePython } from '../../lib/evaluation/ir-options.js'
import { type Experiment, runExperiments } from '../../lib/evaluation/mteb/experiments.js'
import { crossEntropy } from '../../lib/evaluation/mteb/logistic-regression.js'
import { descendingOrder } from '../../lib/evaluation/order.js'
import { pythonNumber, pythonString } from '../../lib/evaluation/python-json.js'
import { SoftmaxLoss } from '../../lib/losses/softmax.js'
import { type Embeddings, embeddings } from '../../lib/models/embeddings.js'
import { temporaryFolder } from '../helpers/model-folders.js'

const encode: EvaluatedModel['encode'] = async (texts) => {
  const rows = texts.map((text) => text.split(' ').map(Number))
  return embeddings(Float32Array.from(rows.flat()), rows.length, rows[0]!.length)
}
const model: EvaluatedModel = { similarityFnName: 'cosine', encode, encodeQuery: encode, encodeDocument: encode }

const two = ['1 0', '0 1']
const head = {
  'classifier.weight': { shape: [2, 6], data: new Float32Array(12).fill(1) },
  'classifier.bias': { shape: [2], data: new Float32Array(2) },
}
const loss = new SoftmaxLoss({ numLabels: 2 })

/** Options that are fine, by evaluator. */
const fine = {
  BinaryClassificationEvaluator: { sentences1: two, sentences2: two, labels: [0, 1] },
  TripletEvaluator: { anchors: two, positives: two, negatives: two },
  InformationRetrievalEvaluator: { queries: { q: 'a' }, corpus: { d: 'b' }, relevantDocs: { q: ['d'] } },
  NanoBEIREvaluator: { folder: 'somewhere' },
  RerankingEvaluator: { samples: [{ query: '1 0', positive: ['1 0'], negative: ['0 1'] }] },
  ParaphraseMiningEvaluator: { sentencesMap: { a: '1 0', b: '0 1' }, duplicatesList: [['a', 'b']] },
  TranslationEvaluator: { sourceSentences: two, targetSentences: two },
  MSEEvaluator: { sourceSentences: two, targetSentences: two, teacherModel: model },
  MSEEvaluatorFromDataset: { dataset: [{ en: '1 0', de: '1 1' }], teacherModel: model, combinations: [['en', 'de']] },
  LabelAccuracyEvaluator: { sentences1: two, sentences2: two, labels: [0, 1], loss, lossTensors: head },
  Banking77Classification: {
    train: { texts: ['a', 'b', 'c'], labels: [0, 1, 2] },
    test: { texts: ['a'], labels: [2] },
  },
}
type Name = keyof typeof fine

const classes = evaluation as unknown as Record<Name, new (options: object) => evaluation.Evaluator>
const build = (name: Name, options: object) => () => new classes[name]({ ...fine[name], ...options })

for (const name of Object.keys(fine) as Name[]) {
  test(`${name} refuses what it does not know or cannot use`, (t) => {
    t.notThrows(build(name, {}))
    t.throws(build(name, { batchsize: 1 }), { code: 'ERR_UNKNOWN_OPTION', message: /batchSize/ })
    t.throws(build(name, { batchSize: 0 }), { code: 'ERR_INVALID_ARGUMENT', message: /batchSize/ })
    t.throws(build(name, { truncateDim: 1.5 }), { code: 'ERR_INVALID_ARGUMENT', message: /truncateDim/ })
    t.throws(build(name, { writeCsv: 'yes' }), { code: 'ERR_INVALID_ARGUMENT', message: /writeCsv/ })
    if (name !== 'NanoBEIREvaluator') t.throws(build(name, { name: 'a/b' }), { code: 'ERR_INVALID_ARGUMENT' })
  })
}

test('evaluate refuses what it does not know of when and where', async (t) => {
  const pairs = new evaluation.CrossEncoderCorrelationEvaluator({
    sentencePairs: [
      ['a', 'b'],
      ['c', 'd'],
    ],
    scores: [0, 1],
  })
  const scorer = { numLabels: 1, predict: async () => t.fail() as never }
  for (const name of Object.keys(fine) as Name[]) {
    // It loads its sets first.
    if (name === 'NanoBEIREvaluator') continue
    const evaluate = (context: unknown) => async () => build(name, {})().evaluate(model, context as never)
    await t.throwsAsync(evaluate({ outputpath: 'a' }), {
      code: 'ERR_UNKNOWN_OPTION',
      message: /did you mean outputPath/,
    })
    await t.throwsAsync(evaluate('a folder'), { code: 'ERR_INVALID_ARGUMENT', message: /options of evaluate/ })
    await t.throwsAsync(evaluate({ outputPath: 3 }), { code: 'ERR_INVALID_ARGUMENT', message: /outputPath/ })
  }
  await t.throwsAsync(pairs.evaluate(scorer, { step: 1 } as never), { code: 'ERR_UNKNOWN_OPTION', message: /steps/ })
})

const refused: [Name, object, string, RegExp][] = [
  ['BinaryClassificationEvaluator', { labels: [0, 2] }, 'ERR_INVALID_DATA', /row 1.* 2/],
  ['BinaryClassificationEvaluator', { labels: [0] }, 'ERR_INVALID_DATA', /2, 2, 1/],
  ['BinaryClassificationEvaluator', { sentences1: ['a', 3] }, 'ERR_INVALID_DATA', /sentences1, row 1/],
  ['BinaryClassificationEvaluator', { similarityFnNames: ['cos'] }, 'ERR_INVALID_ARGUMENT', /cosine/],
  ['BinaryClassificationEvaluator', { sentences1: [], sentences2: [], labels: [] }, 'ERR_INVALID_DATA', /empty/],
  ['TripletEvaluator', { margin: { cos: 1 } }, 'ERR_INVALID_ARGUMENT', /margin/],
  ['TripletEvaluator', { margin: '1' }, 'ERR_INVALID_ARGUMENT', /margin/],
  ['TripletEvaluator', { mainSimilarity: 'dot', similarityFnNames: ['cosine'] }, 'ERR_INVALID_ARGUMENT', /cosine/],
  ['InformationRetrievalEvaluator', { relevantDocs: { q: [] } }, 'ERR_INVALID_DATA', /no query/],
  ['InformationRetrievalEvaluator', { relevantDocs: { q: 'd' } }, 'ERR_INVALID_ARGUMENT', /set or an array/],
  ['InformationRetrievalEvaluator', { corpus: {} }, 'ERR_INVALID_DATA', /empty/],
  ['InformationRetrievalEvaluator', { corpus: { d: 1 } }, 'ERR_INVALID_DATA', /corpus/],
  ['InformationRetrievalEvaluator', { corpus: ['d'] }, 'ERR_INVALID_ARGUMENT', /corpus/],
  ['InformationRetrievalEvaluator', { mapAtK: [] }, 'ERR_INVALID_ARGUMENT', /mapAtK/],
  ['InformationRetrievalEvaluator', { ndcgAtK: [0] }, 'ERR_INVALID_ARGUMENT', /ndcgAtK/],
  ['InformationRetrievalEvaluator', { scoreFunctions: { mine: () => 0 } }, 'ERR_INVALID_ARGUMENT', /scoreFunction/],
  ['InformationRetrievalEvaluator', { scoreFunctions: {} }, 'ERR_INVALID_ARGUMENT', /at least one/],
  ['InformationRetrievalEvaluator', { mainScoreFunction: 'cos' }, 'ERR_INVALID_ARGUMENT', /cosine/],
  ['InformationRetrievalEvaluator', { queryPrompt: 'a', queryPromptName: 'b' }, 'ERR_INVALID_ARGUMENT', /not both/],
  ['NanoBEIREvaluator', { datasets: { a: 'b' } }, 'ERR_INVALID_ARGUMENT', /one of datasetId, folder and datasets/],
  ['NanoBEIREvaluator', { folder: undefined, datasetNames: ['msmarko'] }, 'ERR_INVALID_ARGUMENT', /msmarco/],
  [
    'NanoBEIREvaluator',
    { datasetNames: ['nq'], queryPrompts: { nq: 'a', nfcorpsu: 'b' } },
    'ERR_INVALID_ARGUMENT',
    /names the set "nfcorpsu"/,
  ],
  [
    'NanoBEIREvaluator',
    { datasetNames: ['nq'], corpusPrompts: new Map([['nq', 'a']]) },
    'ERR_INVALID_ARGUMENT',
    /an object/,
  ],
  ['NanoBEIREvaluator', { datasetNames: [] }, 'ERR_INVALID_ARGUMENT', /datasetNames/],
  ['NanoBEIREvaluator', { queryPrompts: { msmarco: 'a' } }, 'ERR_INVALID_ARGUMENT', /climatefever/],
  ['RerankingEvaluator', { samples: [{ query: 'a', positive: ['b'], negative: [] }] }, 'ERR_INVALID_DATA', /no sample/],
  ['RerankingEvaluator', { samples: [{ query: 'a', positive: ['b'] }] }, 'ERR_INVALID_DATA', /no negative/],
  ['RerankingEvaluator', { samples: [{ query: 1 }] }, 'ERR_INVALID_DATA', /samples\[0\]/],
  ['RerankingEvaluator', { mrrAtK: 5 }, 'ERR_NOT_IMPLEMENTED', /atK/],
  ['RerankingEvaluator', { similarityFct: 'cos' }, 'ERR_INVALID_ARGUMENT', /cosine/],
  ['ParaphraseMiningEvaluator', { sentencesMap: { a: 'x' } }, 'ERR_INVALID_DATA', /at least 2/],
  ['ParaphraseMiningEvaluator', { duplicatesList: [['a']] }, 'ERR_INVALID_ARGUMENT', /pairs/],
  ['ParaphraseMiningEvaluator', { topK: 0 }, 'ERR_INVALID_ARGUMENT', /topK/],
  ['MSEEvaluator', { teacherModel: {} }, 'ERR_INVALID_ARGUMENT', /teacherModel/],
  ['MSEEvaluatorFromDataset', { combinations: [] }, 'ERR_INVALID_ARGUMENT', /combinations/],
  ['MSEEvaluatorFromDataset', { combinations: [['en', 'fr']] }, 'ERR_INVALID_ARGUMENT', /en, de/],
  ['MSEEvaluatorFromDataset', { dataset: [{ en: ' ', de: 'x' }] }, 'ERR_INVALID_DATA', /en and de/],
  ['LabelAccuracyEvaluator', { lossTensors: undefined }, 'ERR_INVALID_ARGUMENT', /lossTensors/],
  ['LabelAccuracyEvaluator', { logits: () => 0 }, 'ERR_INVALID_ARGUMENT', /either/],
  ['LabelAccuracyEvaluator', { labels: [0, -1] }, 'ERR_INVALID_DATA', /row 1/],
  ['Banking77Classification', { test: { texts: ['a'], labels: [7] } }, 'ERR_INVALID_DATA', /7/],
  ['Banking77Classification', { train: { texts: two, labels: [0, 1] } }, 'ERR_INVALID_DATA', /three/],
  ['Banking77Classification', { train: two }, 'ERR_INVALID_ARGUMENT', /train/],
]
for (const [i, [name, options, code, message]] of refused.entries()) {
  test(`${i}: ${name} refuses ${JSON.stringify(options)}`, (t) => {
    t.throws(build(name, options), { code, message })
  })
}

test('a sequence takes evaluators alone', (t) => {
  const make =
    (evaluators: unknown, options: object = {}) =>
    () =>
      new evaluation.SequentialEvaluator(evaluators as evaluation.Evaluator[], options)
  t.throws(make({}), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(make([1]), { code: 'ERR_INVALID_ARGUMENT', message: /evaluators\[0\]/ })
  t.throws(make([], { mainScore: 1 }), { code: 'ERR_UNKNOWN_OPTION', message: /mainScoreFunction/ })
})

test('an empty sequence scores 0', async (t) => {
  const { metrics, primaryMetric } = await new evaluation.SequentialEvaluator([]).evaluate(model)
  t.deepEqual([metrics, primaryMetric], [{ sequential_score: 0 }, 'sequential_score'])
})

test('a primary metric that was not measured is named, not taken for a number', async (t) => {
  const wrong = { evaluate: async () => ({ metrics: { cosine_ap: 1 }, primaryMetric: 'dot_ap' }) }
  const error = { code: 'ERR_INVALID_DATA', message: /"dot_ap" its primary metric, but its metrics are: cosine_ap/ }
  await t.throwsAsync(new evaluation.SequentialEvaluator([wrong]).evaluate(model), error)
})

test('a head that does not fit the embeddings is named', async (t) => {
  const options = {
    ...fine.LabelAccuracyEvaluator,
    lossTensors: { ...head, 'classifier.bias': head['classifier.weight'] },
  }
  const error = await t.throwsAsync(new evaluation.LabelAccuracyEvaluator(options).evaluate(model))
  t.like(error, { code: 'ERR_INVALID_TENSORS' })
  t.regex(error!.message, /classifier.bias of shape \[2\].*\[2,6\]/)
})

test('label accuracy by a function of the caller', async (t) => {
  const logits = async (first: Embeddings) => first
  const { loss: _, lossTensors: __, ...rest } = fine.LabelAccuracyEvaluator
  const { metrics } = await new evaluation.LabelAccuracyEvaluator({ ...rest, logits }).evaluate(model)
  t.deepEqual(metrics, { accuracy: 1 })
})

test('a teacher that fails is heard of when evaluated', async (t) => {
  const teacherModel = { encode: async () => Promise.reject(new Error('no teacher')) } as unknown as EvaluatedModel
  const evaluator = new evaluation.MSEEvaluator({ ...fine.MSEEvaluator, teacherModel })
  await t.throwsAsync(evaluator.evaluate(model), { message: 'no teacher' })
})

test('another width than the teacher’s is refused', async (t) => {
  const evaluator = new evaluation.MSEEvaluator({ ...fine.MSEEvaluator, targetSentences: ['1', '2'] })
  await t.throwsAsync(evaluator.evaluate(model), { code: 'ERR_INVALID_DATA', message: /\[2,2\].*\[2,1\]/ })
})

// ----------------------------------------------------------------------------------------------------------------- parts

test('the order of many scores is that of a stable sort', async (t) => {
  for (const count of [0, 1, 4095, 4096, 4097, 20000]) {
    const random = new Random(count)
    const scores = Float32Array.from({ length: count }, () => random.below(500))
    const expected = Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]! || a - b)
    t.deepEqual([...(await descendingOrder(scores))], expected)
  }
})

test('ids are ordered by code points', (t) => {
  const ids = ['b', '\u{1f600}', '\uff21', 'a', 'ab', '', '\u{10000}']
  t.deepEqual([...ids].sort(comparePython), ['', 'a', 'ab', 'b', '\uff21', '\u{10000}', '\u{1f600}'])
})

test('numbers and texts are written as Python writes them', (t) => {
  t.is(pythonFloat32(Math.fround(0.1)), '0.1')
  t.is(pythonFloat32(Math.fround(1 / 3)), '0.33333334')
  t.is(pythonFloat32(-2), '-2.0')
  t.is(pythonFloat32(Math.fround(1e-5)), '1e-05')
  t.is(pythonFloat32(Math.fround(16777216)), '16777216.0')
  t.is(pythonString('é"\u{1f600}\n\u007f'), '"\\u00e9\\"\\ud83d\\ude00\\n\\u007f"')
  t.deepEqual([Number.NaN, -Infinity, 1].map(pythonNumber), ['NaN', '-Infinity', '1.0'])
})

test('duplicates: both directions, each pair once, and what is connected', (t) => {
  const pairs = new DuplicatePairs(new Set('abcd'), [['a', 'b'], ['b', 'a'], ['b', 'c'], ['a', 'x']], { d: { a: false } }) // biome-ignore format: short
  t.true(pairs.has('b', 'a') && pairs.has('c', 'b'))
  t.false(pairs.has('a', 'c') || pairs.has('a', 'x') || pairs.has('a', 'd'))
  t.is(pairs.count, 2)
  pairs.addTransitiveClosure()
  t.true(pairs.has('a', 'c'))
  t.is(pairs.count, 3)
})

test('the gradient of the classifier is that of finite differences', (t) => {
  const random = new Random(5)
  const x = Float64Array.from({ length: 7 * 3 }, () => random.float() - 0.5)
  const objective = crossEntropy(x, [0, 1, 2, 3, 1, 0, 2], 4, 0.3)
  const at = Float64Array.from({ length: 16 }, () => random.float() - 0.5)
  const [gradient, unused] = [new Float64Array(16), new Float64Array(16)]
  objective(at, gradient)
  for (let i = 0; i < at.length; i++) {
    const [up, down] = [1e-6, -1e-6].map((step) => objective(at.map((v, j) => (i === j ? v + step : v)), unused)) // biome-ignore format: short
    t.true(Math.abs((up! - down!) / 2e-6 - gradient[i]!) < 1e-8)
  }
})

const experiment = (rows: number): Experiment => ({
  x: Float32Array.from({ length: rows * 3 }, (_, i) => Math.sin(i * i)),
  y: Int32Array.from({ length: rows }, (_, i) => i % 3),
})

test('experiments end at an abort', async (t) => {
  const many = Array.from({ length: 50 }, () => experiment(3000))
  const control = new AbortController()
  setTimeout(() => control.abort(new Error('enough')), 50)
  const settings = { test: experiment(30).x, classes: 3 }
  await t.throwsAsync(runExperiments(many, settings, control.signal), { code: 'ERR_ABORTED' })
  await t.throwsAsync(runExperiments(many, settings, control.signal), { code: 'ERR_ABORTED' })
})

// ------------------------------------------------------------------------------------------------------------------ BEIR

async function beir(t: ExecutionContext, files: Record<string, string>): Promise<string> {
  const folder = await temporaryFolder(t)
  await mkdir(join(folder, 'qrels'))
  for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text)
  return folder
}

const small = {
  'corpus.jsonl':
    '{"_id": "d1", "title": "A title", "text": "Text one"}\n{"_id": "d2", "title": "", "text": ""}\n{"_id": "d3", "title": "T", "text": "x"}\n',
  'queries.jsonl': '{"_id": "q1", "text": "What?"}\n',
  'qrels/dev.tsv': 'query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td3\t0\n',
}

test('loadBeir reads texts and judgements', async (t) => {
  const folder = await beir(t, small)
  const set = await evaluation.loadBeir(folder)
  t.deepEqual([...set.corpus], [['d1', 'Text one'], ['d3', 'x']]) // biome-ignore format: short
  t.deepEqual([...set.queries], [['q1', 'What?']])
  t.deepEqual([...set.relevantDocs], [['q1', new Set(['d1'])]])
  const titled = await evaluation.loadBeir(folder, { withTitle: true, split: 'dev' })
  t.deepEqual([...titled.corpus.values()], ['A title Text one', 'T x'])
})

test('loadBeir: judgements without a header, with CR at the ends of lines', async (t) => {
  const judged = async (qrels: string) => [
    ...(await evaluation.loadBeir(await beir(t, { ...small, 'qrels/dev.tsv': qrels }))).relevantDocs.get('q1')!,
  ]
  t.deepEqual(await judged('q1\td1\t1\nq1\td3\t2\n'), ['d1', 'd3'])
  t.deepEqual(await judged('query-id\tcorpus-id\tscore\rq1\td1\t1\r\rq1\td3\t0\r'), ['d1'])
})

test('loadBeir names what is wrong', async (t) => {
  const bad = async (files: Record<string, string>, options?: object) =>
    evaluation.loadBeir(await beir(t, { ...small, ...files }), options)
  await t.throwsAsync(bad({ 'qrels/test2.tsv': '' }), { code: 'ERR_NOT_FOUND', message: /split/ })
  await t.throwsAsync(bad({}, { split: 'test' }), { code: 'ERR_NOT_FOUND' })
  await t.throwsAsync(bad({ 'qrels/dev.tsv': 'a\tb\tc\nq1\td1\n' }), { code: 'ERR_INVALID_DATA', message: /line 2/ })
  for (const score of ['0x10', ' ', 'x']) {
    const qrels = `a\tb\tc\nq1\td1\t${score}\n`
    await t.throwsAsync(bad({ 'qrels/dev.tsv': qrels }), { code: 'ERR_INVALID_DATA', message: /score in line 2/ })
  }
  await t.throwsAsync(bad({ 'queries.jsonl': '{"_id": 1, "text": "x"}\n' }), {
    code: 'ERR_INVALID_DATA',
    message: /_id/,
  })
  await t.throwsAsync(bad({}, { titles: true }), { code: 'ERR_UNKNOWN_OPTION' })
})
