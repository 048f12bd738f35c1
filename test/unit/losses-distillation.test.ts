// Losses that learn from a teacher's scores or embeddings, from very large batches, and the regulariser.
import test from 'ava'
import * as losses from '../../lib/losses/index.js'

const code = 'ERR_INVALID_ARGUMENT'

test('specs carry the defaults of sentence-transformers', (t) => {
  t.deepEqual(new losses.MegaBatchMarginLoss().spec(), {
    type: 'MegaBatchMarginLoss',
    positiveMargin: 0.8,
    negativeMargin: 0.3,
  })
  t.deepEqual(new losses.MarginMSELoss().spec(), { type: 'MarginMSELoss', similarity: 'dot' })
  t.deepEqual(new losses.DistillKLDivLoss().spec(), {
    type: 'DistillKLDivLoss',
    similarity: 'dot',
    studentTemperature: 1,
    teacherTemperature: 1,
  })
  t.deepEqual(new losses.EmbedDistillLoss().spec(), { type: 'EmbedDistillLoss', distanceMetric: 'cosine' })
  t.deepEqual(new losses.MSELoss().spec(), { type: 'MSELoss' })
  t.deepEqual(new losses.GlobalOrthogonalRegularizationLoss().spec(), {
    type: 'GlobalOrthogonalRegularizationLoss',
    similarity: 'cosine',
    meanWeight: 1,
    secondMomentWeight: 1,
    aggregation: 'mean',
  })
})

test('options reach the spec', (t) => {
  const warm = new losses.DistillKLDivLoss({ temperature: 2, studentTemperature: 3 }).spec()
  t.deepEqual([warm.studentTemperature, warm.teacherTemperature], [3, 2])
  t.is(new losses.MarginMSELoss({ similarityFct: 'pairwise_cos_sim' }).spec().similarity, 'cosine')
  t.is(new losses.MSELoss({ projectionDim: 384 }).spec().projectionDim, 384)
  t.is(new losses.EmbedDistillLoss({ projectionDim: 384, distanceMetric: 'l2' }).spec().distanceMetric, 'l2')
  const { GlobalOrthogonalRegularizationLoss: GOR } = losses
  t.is(new GOR({ meanWeight: null }).spec().meanWeight, 0)
  t.is(new GOR({ similarityFct: 'dot_score', aggregation: 'sum' }).spec().similarity, 'dot')
})

test('MegaBatchMarginLoss asks for mini-batches of 50 rows, unless told otherwise', (t) => {
  const { MegaBatchMarginLoss } = losses
  t.deepEqual(new MegaBatchMarginLoss().caching, { miniBatchSize: 50 })
  t.deepEqual(new MegaBatchMarginLoss({ miniBatchSize: 8 }).caching, { miniBatchSize: 8 })
  t.deepEqual(new MegaBatchMarginLoss({ miniBatchNumTokens: 512 }).caching, { miniBatchTokens: 512 })
  t.is(new MegaBatchMarginLoss({ useMiniBatchedVersion: false }).caching, undefined)
  t.throws(() => new MegaBatchMarginLoss({ useMiniBatchedVersion: false, miniBatchSize: 8 }), {
    code,
    message: /only with/,
  })
  t.throws(() => new MegaBatchMarginLoss({ miniBatchSize: 8, miniBatchNumTokens: 8 }), { code, message: /not both/ })
})

test('requirements say which data a loss takes', (t) => {
  const many = Number.POSITIVE_INFINITY
  const scores = { minColumns: 3, maxColumns: many, labels: 'floats' } as const
  t.deepEqual(new losses.MarginMSELoss().requirements, scores)
  t.deepEqual(new losses.DistillKLDivLoss().requirements, scores)
  t.deepEqual(new losses.MSELoss().requirements, { minColumns: 1, maxColumns: many, labels: 'floats' })
  t.is(new losses.GlobalOrthogonalRegularizationLoss().requirements.labels, 'none')
})

test('what does not fit is refused', (t) => {
  const refuse = (build: () => unknown, message: RegExp) => t.throws(build, { code, message })
  refuse(() => new losses.MarginMSELoss({ similarityFct: 'dot_score' as never }), /similarityFct/)
  refuse(() => new losses.DistillKLDivLoss({ temperature: 0 }), /DistillKLDivLoss temperature/)
  refuse(() => new losses.DistillKLDivLoss({ teacherTemperature: Number.POSITIVE_INFINITY }), /teacherTemperature/)
  refuse(() => new losses.EmbedDistillLoss({ distanceMetric: 'l1' as never }), /distanceMetric/)
  refuse(() => new losses.MSELoss({ projectionDim: 0 }), /projectionDim/)
  refuse(() => new losses.MegaBatchMarginLoss({ positiveMargin: '1' as never }), /positiveMargin/)
  const { GlobalOrthogonalRegularizationLoss: GOR } = losses
  refuse(() => new GOR({ meanWeight: 0, secondMomentWeight: null }), /at least one/)
  refuse(() => new GOR({ aggregation: 'max' as never }), /aggregation/)
  t.throws(() => new GOR({ similarityFct: 'euclidean_sim' as never }), { code: 'ERR_NOT_IMPLEMENTED' })
})
