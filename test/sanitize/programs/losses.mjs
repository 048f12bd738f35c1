// A few steps with every loss of sentence embeddings that needs neither guide nor head.
import { losses } from 'sentence-torch'
import { datasets, loadTiny, train } from '../support.mjs'

const cases = [
  [new losses.MultipleNegativesRankingLoss(), 'pairs'],
  [new losses.MultipleNegativesRankingLoss({ scale: 5, similarityFct: 'dot_score', maskDuplicates: true }), 'triplets'],
  [
    new losses.MultipleNegativesRankingLoss({
      directions: ['query_to_doc', 'query_to_query', 'doc_to_query', 'doc_to_doc'],
      hardnessMode: 'in_batch_negatives',
      hardnessStrength: 2,
    }),
    'pairs',
  ],
  [new losses.MultipleNegativesSymmetricRankingLoss(), 'pairs'],
  [new losses.MegaBatchMarginLoss({ miniBatchSize: 3 }), 'pairs'],
  [new losses.TripletLoss({ distanceMetric: 'manhattan' }), 'triplets'],
  [new losses.CoSENTLoss(), 'scores'],
  [new losses.AnglELoss(), 'scores'],
  [new losses.CosineSimilarityLoss({ cosScoreTransformation: 'sigmoid' }), 'scores'],
  [new losses.ContrastiveLoss({ distanceMetric: 'euclidean' }), 'binary'],
  [new losses.OnlineContrastiveLoss(), 'binary'],
  [new losses.SoftmaxLoss({ numLabels: 3, concatenationSentMultiplication: true }), 'classes'],
  [new losses.BatchAllTripletLoss(), 'classedTexts'],
  [new losses.BatchHardTripletLoss({ distanceMetric: 'cosine' }), 'classedTexts'],
  [new losses.BatchHardSoftMarginTripletLoss(), 'classedTexts'],
  [new losses.BatchSemiHardTripletLoss(), 'classedTexts'],
  [new losses.MarginMSELoss(), 'margins'],
  [new losses.MSELoss(), 'vectors'],
  [new losses.EmbedDistillLoss(), 'vectors'],
  [new losses.GlobalOrthogonalRegularizationLoss(), 'triplets'],
  [new losses.ContrastiveTensionLoss(), 'pairs'],
  [new losses.ContrastiveTensionLossInBatchNegatives(), 'texts'],
]
for (const [loss, data] of cases) {
  const model = await loadTiny()
  // Losses over a batch's triplets and ranks mean nothing for one row; what they say then is theirs, memory is ours.
  for (const perDeviceTrainBatchSize of [8, 1])
    await train(model, loss, datasets[data], { perDeviceTrainBatchSize }).catch((error) => {
      if (perDeviceTrainBatchSize > 1 || !/losses|ERR_INVALID/.test(`${error.message} ${error.code}`)) throw error
    })
}
