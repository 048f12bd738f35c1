import test from 'ava'
import * as losses from '../../lib/losses/index.js'
import * as multiVectorLosses from '../../lib/losses/multi-vector/index.js'

test('specs carry the defaults of sentence-transformers', (t) => {
  t.deepEqual(new losses.MultipleNegativesRankingLoss().spec(), {
    type: 'MultipleNegativesRankingLoss',
    scale: 20,
    similarity: 'cosine',
    directions: ['query_to_doc'],
    partitionMode: 'joint',
    hardnessMode: null,
    hardnessStrength: 0,
    maskDuplicates: false,
    falseNegativeMargin: null,
  })
  t.deepEqual(new losses.CoSENTLoss().spec(), { type: 'CoSENTLoss', scale: 20, similarity: 'cosine' })
  t.deepEqual(new losses.CosineSimilarityLoss().spec(), {
    type: 'CosineSimilarityLoss',
    cosScoreTransformation: 'identity',
  })
  t.deepEqual(new losses.SoftmaxLoss({ numLabels: 3 }).spec(32), {
    type: 'SoftmaxLoss',
    numLabels: 3,
    concatenationSentRep: true,
    concatenationSentDifference: true,
    concatenationSentMultiplication: false,
  })
})

test('options reach the spec', (t) => {
  const ranking = new losses.MultipleNegativesRankingLoss({ scale: 1, similarityFct: 'dot_score' })
  t.like(ranking.spec(), { type: 'MultipleNegativesRankingLoss', scale: 1, similarity: 'dot' })
  t.is(new losses.CoSENTLoss({ scale: 5 }).spec().scale, 5)
  const softmax = new losses.SoftmaxLoss({ numLabels: 2, concatenationSentMultiplication: true }).spec(32)
  t.is(softmax.concatenationSentMultiplication, true)
})

test('requirements say which data a loss takes', (t) => {
  t.deepEqual(new losses.MultipleNegativesRankingLoss().requirements, {
    minColumns: 2,
    maxColumns: Number.POSITIVE_INFINITY,
    labels: 'none',
    inBatchNegatives: true,
  })
  t.deepEqual(new losses.SoftmaxLoss({ numLabels: 4 }).requirements, {
    minColumns: 2,
    maxColumns: 2,
    labels: 'int',
    numLabels: 4,
    probabilities: true,
  })
})

test('known options that are not built are refused as such, except at their default', (t) => {
  t.notThrows(() => new losses.CachedMultipleNegativesRankingLoss({ showProgressBar: false } as never))
  for (const options of [{ gatherAcrossDevices: true, maskDuplicates: true }, { similarityFct: 'euclidean_sim' }]) {
    t.throws(() => new losses.MultipleNegativesRankingLoss(options as never), {
      code: 'ERR_NOT_IMPLEMENTED',
      message: new RegExp(Object.keys(options)[0]!),
    })
  }
  t.throws(() => new losses.CosineSimilarityLoss({ lossFct: 'l1' } as never), { code: 'ERR_NOT_IMPLEMENTED' })
  t.throws(() => new losses.SoftmaxLoss({ numLabels: 2, lossFct: 'nll' } as never), { code: 'ERR_NOT_IMPLEMENTED' })
})

test('the ranking losses see all processes on request', (t) => {
  for (const Loss of [
    losses.MultipleNegativesRankingLoss,
    losses.CachedMultipleNegativesRankingLoss,
    losses.MultipleNegativesSymmetricRankingLoss,
    losses.CachedMultipleNegativesSymmetricRankingLoss,
    losses.SparseMultipleNegativesRankingLoss,
    multiVectorLosses.MultiVectorMultipleNegativesRankingLoss,
    multiVectorLosses.CachedMultiVectorMultipleNegativesRankingLoss,
  ]) {
    t.is(new Loss().requirements.gathers, undefined)
    const loss = new Loss({ gatherAcrossDevices: true })
    t.true(loss.requirements.gathers, loss.type)
    t.false('gatherAcrossDevices' in loss.spec(), 'the engine gathers, not the loss')
  }
  const loss = new losses.MultipleNegativesRankingLoss({ gatherAcrossDevices: true })
  t.true(new losses.MatryoshkaLoss({ loss, matryoshkaDims: [2] }).requirements.gathers)
})

test('misspelt options come with a suggestion', (t) => {
  t.throws(() => new losses.MultipleNegativesRankingLoss({ scal: 20 } as never), {
    code: 'ERR_UNKNOWN_OPTION',
    message: /did you mean scale\?/,
  })
})

test('values out of range are refused', (t) => {
  const code = 'ERR_INVALID_ARGUMENT'
  for (const scale of [0, -1, Number.NaN, '20']) {
    t.throws(() => new losses.CoSENTLoss({ scale: scale as number }), { code, message: /scale/ })
  }
  t.throws(() => new losses.MultipleNegativesRankingLoss({ similarityFct: 'cosine' as never }), { code })
  t.throws(() => new losses.SoftmaxLoss({ numLabels: 1 }), { code, message: /numLabels/ })
  t.throws(() => new losses.SoftmaxLoss({} as never), { code, message: /numLabels/ })
  t.throws(() => new losses.SoftmaxLoss(undefined as never), { code })
  t.throws(
    () => new losses.SoftmaxLoss({ numLabels: 2, concatenationSentRep: false, concatenationSentDifference: false }),
    { code, message: /at least one/ },
  )
})
