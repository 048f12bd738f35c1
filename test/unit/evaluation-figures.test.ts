// What evaluators tell of their rows, and the figures that are made of it.
import test from 'ava'
import type { EvaluatedModel } from '../../lib/evaluation/evaluator.js'
import {
  BinaryClassificationEvaluator,
  EmbeddingSimilarityEvaluator,
  type EvaluationResult,
  type Evaluator,
  InformationRetrievalEvaluator,
  SequentialEvaluator,
  TripletEvaluator,
} from '../../lib/evaluation/index.js'
import { embeddings } from '../../lib/models/embeddings.js'
import { evaluationFigures } from '../../lib/report/evaluation-figures.js'
import type { FigureOf } from '../../lib/report/figures.js'

/** Unit vectors in a plane: `30` is the one at 30 degrees, whose cosines are known. */
const before = fakeModel((text) => angle(Number(text)))
/** The same after a training that halves all angles. */
const after = fakeModel((text) => angle(Number(text) / 2))

function fakeModel(vectorOf: (text: string) => number[]): EvaluatedModel {
  const encode = async (texts: readonly string[]) =>
    embeddings(Float32Array.from(texts.flatMap(vectorOf)), texts.length, 2)
  return { encode, encodeQuery: encode, encodeDocument: encode, similarityFnName: 'cosine' }
}

function angle(degrees: number): number[] {
  const radians = (degrees * Math.PI) / 180
  return [Math.cos(radians), Math.sin(radians)]
}

const cos = (degrees: number) => Math.cos((degrees * Math.PI) / 180)

async function both(evaluator: Evaluator): Promise<[EvaluationResult, EvaluationResult]> {
  return [await evaluator.evaluate(before, { items: true }), await evaluator.evaluate(after, { items: true })]
}

const isNear = (found: ArrayLike<number>, expected: number[]) =>
  Array.from(found).every((value, i) => Math.abs(value - expected[i]!) < 1e-6)

test('scored pairs: a scatter, a histogram, the pairs whose ranks differ most', async (t) => {
  const evaluator = new EmbeddingSimilarityEvaluator({
    sentences1: ['0', '0', '0'],
    sentences2: ['60', '90', '20'],
    scores: [2, 3, 1],
  })
  const figures = evaluationFigures('dev', ...(await both(evaluator)))
  t.deepEqual(Object.keys(figures), ['scores-dev-1', 'scores-dev-2', 'errors-dev'])
  const { series } = figures['scores-dev-1'] as FigureOf<'scatter'>
  t.deepEqual(
    series.map(({ name, x }) => [name, x]),
    [
      ['before', [2, 3, 1]],
      ['after', [2, 3, 1]],
    ],
  )
  t.true(isNear(series[0]!.y, [cos(60), cos(90), cos(20)]))
  t.true(isNear(series[1]!.y, [cos(30), cos(45), cos(10)]))
  const { pairs } = figures['errors-dev'] as FigureOf<'pairs'>
  t.deepEqual(
    pairs.map(({ text2, gold }) => [text2, gold]),
    [
      ['90', 3],
      ['20', 1],
      ['60', 2],
    ],
  )
  t.regex(pairs[0]!.note!, /^too low/)
})

test('pairs with labels: histograms of each label before and after', async (t) => {
  const evaluator = new BinaryClassificationEvaluator({
    sentences1: ['0', '0', '0'],
    sentences2: ['20', '90', '60'],
    labels: [1, 0, 1],
  })
  const figures = evaluationFigures('test', ...(await both(evaluator)))
  const [old, now] = [1, 2].map((i) => (figures[`scores-test-${i}`] as FigureOf<'histogram'>).series)
  t.deepEqual(
    old!.map(({ name }) => name),
    ['label 0', 'label 1'],
  )
  t.true(isNear(old![0]!.values, [cos(90)]) && isNear(old![1]!.values, [cos(20), cos(60)]))
  t.true(isNear(now![0]!.values, [cos(45)]) && isNear(now![1]!.values, [cos(10), cos(30)]))
})

test('triplets: margins, the smallest first', async (t) => {
  const evaluator = new TripletEvaluator({ anchors: ['0', '0'], positives: ['20', '80'], negatives: ['90', '40'] })
  const figures = evaluationFigures('test', ...(await both(evaluator)))
  const { series } = figures['scores-test-1'] as FigureOf<'histogram'>
  t.true(isNear(series[0]!.values, [cos(20) - cos(90), cos(80) - cos(40)]))
  const { pairs } = figures['errors-test'] as FigureOf<'pairs'>
  t.deepEqual(
    pairs.map(({ text1, text2, note }) => [text1, text2, note]),
    [
      ['0', '40', 'right would be: 80'],
      ['0', '90', 'right would be: 20'],
    ],
  )
  t.true(isNear([pairs[0]!.before!, pairs[0]!.after!], [cos(80) - cos(40), cos(40) - cos(20)]))
})

test('queries: their NDCG, and what was found instead', async (t) => {
  const evaluator = new InformationRetrievalEvaluator({
    queries: { a: '0', b: '100' },
    corpus: { x: '10', y: '50', z: '95' },
    relevantDocs: { a: ['x'], b: ['x'] },
  })
  const [old, now] = await both(evaluator)
  const figures = evaluationFigures('test', old, now)
  const { series } = figures['scores-test-1'] as FigureOf<'histogram'>
  t.true(isNear(series[1]!.values, [1, 1 / Math.log2(4)]))
  const { pairs } = figures['errors-test'] as FigureOf<'pairs'>
  t.deepEqual(
    pairs.map(({ text1, text2, note }) => [text1, text2, note]),
    [
      ['100', '95', 'right would be: 10'],
      ['0', '50', 'right would be: 10'],
    ],
  )
})

test('several evaluators have their figures each; without rows, or with scores that are not numbers, there are none', async (t) => {
  const pairs = { sentences1: ['0', '0'], sentences2: ['20', '90'] }
  const similarity = new EmbeddingSimilarityEvaluator({ ...pairs, scores: [1, 2], name: 'a' })
  const labels = new BinaryClassificationEvaluator({ ...pairs, labels: [1, 0], name: 'b' })
  const [old, now] = await both(new SequentialEvaluator([similarity, labels]))
  t.deepEqual(Object.keys(evaluationFigures('dev', old, now)), [
    ...['scores-dev-1-1', 'scores-dev-1-2', 'errors-dev-1'],
    ...['scores-dev-2-1', 'scores-dev-2-2', 'errors-dev-2'],
  ])
  const plain = await similarity.evaluate(before)
  t.is(plain.rows, undefined)
  t.deepEqual(evaluationFigures('dev', plain, plain), {})
  const { rows, ...rest } = await similarity.evaluate(before, { items: true })
  const broken = { ...rest, rows: { ...rows!, scores: [1, Number.NaN] } }
  t.deepEqual(evaluationFigures('dev', broken, broken), {})
})
