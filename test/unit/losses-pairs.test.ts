// Losses over pairs, triplets and labelled texts: defaults of sentence-transformers, what reaches the engine, what is refused.
import test from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import * as losses from '../../lib/losses/index.js'
import { checkData } from '../../lib/training/batches/check-data.js'

const code = 'ERR_INVALID_ARGUMENT'

test('specs carry the defaults of sentence-transformers', (t) => {
  t.deepEqual(new losses.AnglELoss().spec(), { type: 'AnglELoss', scale: 20 })
  t.deepEqual(new losses.ContrastiveLoss().spec(), {
    type: 'ContrastiveLoss',
    distanceMetric: 'cosine',
    margin: 0.5,
    sizeAverage: true,
  })
  t.deepEqual(new losses.OnlineContrastiveLoss().spec(), {
    type: 'OnlineContrastiveLoss',
    distanceMetric: 'cosine',
    margin: 0.5,
  })
  t.deepEqual(new losses.TripletLoss().spec(), { type: 'TripletLoss', distanceMetric: 'euclidean', tripletMargin: 5 })
  for (const loss of [losses.BatchAllTripletLoss, losses.BatchHardTripletLoss, losses.BatchSemiHardTripletLoss]) {
    t.deepEqual(new loss().spec(), { type: loss.name, distanceMetric: 'euclidean', margin: 5 })
  }
  t.deepEqual(new losses.BatchHardSoftMarginTripletLoss().spec(), {
    type: 'BatchHardSoftMarginTripletLoss',
    distanceMetric: 'euclidean',
  })
})

test('options reach the spec', (t) => {
  t.is(new losses.CoSENTLoss({ similarityFct: 'pairwise_angle_sim' }).spec().similarity, 'angle')
  t.is(new losses.CoSENTLoss({ similarityFct: 'pairwise_manhattan_sim' }).spec().similarity, 'manhattan')
  t.is(new losses.CosineSimilarityLoss({ cosScoreTransformation: 'tanh' }).spec().cosScoreTransformation, 'tanh')
  t.is(new losses.ContrastiveLoss({ margin: 0, sizeAverage: false }).spec().sizeAverage, false)
  t.is(new losses.OnlineContrastiveLoss({ distanceMetric: 'manhattan' }).spec().distanceMetric, 'manhattan')
  t.is(new losses.TripletLoss({ tripletMargin: -1 }).spec().tripletMargin, -1)
  t.is(new losses.BatchHardTripletLoss({ margin: 0.1, distanceMetric: 'cosine' }).spec().margin, 0.1)
})

test('requirements say which data a loss takes', (t) => {
  const pair = { minColumns: 2, maxColumns: 2, labels: 'float' } as const
  t.deepEqual(new losses.ContrastiveLoss().requirements, pair)
  t.deepEqual(new losses.OnlineContrastiveLoss().requirements, pair)
  t.deepEqual(new losses.TripletLoss().requirements, { minColumns: 3, maxColumns: 3, labels: 'none' })
  t.deepEqual(new losses.BatchAllTripletLoss().requirements, {
    minColumns: 1,
    maxColumns: 1,
    labels: 'int',
    inBatchNegatives: true,
  })
  t.is(new losses.AnglELoss().requirements.labelsOptionalFrom, 3)
})

test('what does not fit is refused', (t) => {
  const refuse = (build: () => unknown, message: RegExp) => t.throws(build, { code, message })
  refuse(() => new losses.AnglELoss({ scale: 0 }), /AnglELoss scale/)
  refuse(() => new losses.CoSENTLoss({ similarityFct: 'cos_sim' as never }), /CoSENTLoss similarityFct/)
  refuse(() => new losses.CosineSimilarityLoss({ cosScoreTransformation: 'cube' as never }), /cosScoreTransformation/)
  refuse(() => new losses.ContrastiveLoss({ distanceMetric: 'l1' as never }), /distanceMetric/)
  refuse(() => new losses.ContrastiveLoss({ margin: Number.NaN }), /ContrastiveLoss margin/)
  refuse(() => new losses.ContrastiveLoss({ sizeAverage: 1 as never }), /sizeAverage/)
  refuse(() => new losses.TripletLoss({ tripletMargin: '5' as never }), /tripletMargin/)
  refuse(() => new losses.BatchAllTripletLoss({ distanceMetric: 'manhattan' as never }), /BatchAllTripletLoss distance/)
  const margin = { margin: 1 } as never
  t.throws(() => new losses.BatchHardSoftMarginTripletLoss(margin), { code: 'ERR_UNKNOWN_OPTION', message: /margin/ })
  t.throws(() => new losses.TripletLoss({ margin: 1 } as never), {
    code: 'ERR_UNKNOWN_OPTION',
    message: /tripletMargin/,
  })
})

test('AnglELoss takes triplets without labels, but no pairs', (t) => {
  const triplets = Dataset.fromColumns({ anchor: ['a'], positive: ['b'], negative: ['c'] })
  t.is(checkData(triplets, new losses.AnglELoss(), 'trainDataset'), undefined)
  const pairs = triplets.selectColumns(['anchor', 'positive'])
  t.throws(() => checkData(pairs, new losses.AnglELoss(), 'trainDataset'), {
    code: 'ERR_INVALID_DATA',
    message: /needs a label column/,
  })
  t.throws(() => checkData(triplets, new losses.MarginMSELoss(), 'trainDataset'), { message: /needs a label column/ })
})
