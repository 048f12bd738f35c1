// The evaluators, alone and beside training.
import { evaluation, losses } from 'sentence-torch'
import { assert, datasets, loadCrossEncoder, loadTiny, texts, train } from '../support.mjs'

const [sentences1, sentences2, others] = [1, 2, 3].map((seed) => texts(30, seed))
const writeCsv = false
const labels = sentences1.map((_, i) => i % 2)
const entries = (list, letter) => Object.fromEntries(list.map((text, i) => [`${letter}${i}`, text]))
const relevantDocs = Object.fromEntries(sentences1.map((_, i) => [`q${i}`, new Set([`d${i}`])]))
const teacherModel = await loadTiny({}, 5)
const evaluators = [
  new evaluation.EmbeddingSimilarityEvaluator({ sentences1, sentences2, scores: labels, writeCsv, precision: 'int8' }),
  new evaluation.BinaryClassificationEvaluator({ sentences1, sentences2, labels, writeCsv }),
  new evaluation.TripletEvaluator({ anchors: sentences1, positives: sentences2, negatives: others, writeCsv }),
  new evaluation.InformationRetrievalEvaluator({
    ...{
      queries: entries(sentences1, 'q'),
      corpus: entries(sentences2, 'd'),
      relevantDocs,
      corpusChunkSize: 7,
      writeCsv,
    },
  }),
  new evaluation.RerankingEvaluator({
    samples: sentences1.map((query, i) => ({ query, positive: [sentences2[i]], negative: others.slice(0, 4) })),
    writeCsv,
  }),
  new evaluation.ParaphraseMiningEvaluator({
    ...{
      sentencesMap: entries(sentences1, 's'),
      duplicatesList: [
        ['s0', 's1'],
        ['s2', 's3'],
      ],
      writeCsv,
    },
  }),
  new evaluation.TranslationEvaluator({ sourceSentences: sentences1, targetSentences: sentences2, writeCsv }),
  new evaluation.MSEEvaluator({ sourceSentences: sentences1, targetSentences: sentences2, teacherModel, writeCsv }),
]
const all = new evaluation.SequentialEvaluator(evaluators)
const model = await loadTiny()
const { metrics } = await all.evaluate(model)
assert.ok(Object.keys(metrics).length > 30 && Object.values(metrics).every(Number.isFinite))
const options = { trainer: { evaluator: all, evalDataset: datasets.pairs } }
const args = { evalStrategy: 'steps', evalSteps: 2, maxSteps: 6 }
await train(model, new losses.MultipleNegativesRankingLoss(), datasets.pairs, args, options)

const pairs = await loadCrossEncoder()
const sentencePairs = sentences1.map((text, i) => [text, sentences2[i]])
for (const evaluator of [
  new evaluation.CrossEncoderClassificationEvaluator({ sentencePairs, labels, writeCsv }),
  new evaluation.CrossEncoderCorrelationEvaluator({ sentencePairs, scores: labels, writeCsv }),
])
  assert.ok(Object.values((await evaluator.evaluate(pairs)).metrics).every(Number.isFinite))
