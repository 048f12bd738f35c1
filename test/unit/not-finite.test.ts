// What is not a number has no place in an order: evaluators and miners refuse it, and say where it came from.
import test from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import type { EvaluatedModel } from '../../lib/evaluation/evaluator.js'
import * as evaluation from '../../lib/evaluation/index.js'
import { embeddings } from '../../lib/models/embeddings.js'
import { scores } from '../../lib/models/scores.js'
import type { MiningModel } from '../../lib/search/hard-negatives/embed.js'
import { mineNegativesWith } from '../../lib/search/hard-negatives/mine.js'
import { fakeAddon } from '../helpers/fake-addon.js'

const BAD = 'a broken text'
const left = ['a cat', 'the dogs', BAD, 'nobody']
const right = ['cats', 'a dog', 'one mat', 'somebody']

/** Embeds `BAD` as something that is not finite. */
const modelOf = (value: number): EvaluatedModel => {
  const encode: EvaluatedModel['encode'] = async (texts) => {
    const data = texts.flatMap((text) => [text === BAD ? value : text.length, 1])
    return embeddings(Float32Array.from(data), texts.length, 2)
  }
  return { encode, encodeQuery: encode, encodeDocument: encode, similarityFnName: 'cosine' }
}

const EVALUATORS: Record<string, object> = {
  BinaryClassificationEvaluator: { sentences1: left, sentences2: right, labels: [1, 0, 0, 1] },
  EmbeddingSimilarityEvaluator: { sentences1: left, sentences2: right, scores: [1, 0, 0.5, 0.2] },
  TripletEvaluator: { anchors: right, positives: left, negatives: right },
  TranslationEvaluator: { sourceSentences: left, targetSentences: right },
  LabelAccuracyEvaluator: { sentences1: left, sentences2: right, labels: [0, 1, 0, 1], logits: (a: unknown) => a },
  MSEEvaluator: { sourceSentences: right, targetSentences: left, teacherModel: modelOf(1) },
  RerankingEvaluator: { samples: [{ query: 'a', positive: [BAD], negative: ['b'] }] },
  InformationRetrievalEvaluator: {
    queries: { q: 'a' },
    corpus: { d: BAD, e: 'b' },
    relevantDocs: { q: ['d'] },
  },
  ParaphraseMiningEvaluator: { sentencesMap: { a: BAD, b: 'b' }, duplicatesList: [['a', 'b']] },
}

for (const [name, options] of Object.entries(EVALUATORS)) {
  test(`${name} refuses embeddings that are not finite`, async (t) => {
    const make = (evaluation as unknown as Record<string, new (options: object) => evaluation.Evaluator>)[name]!
    for (const value of [Number.NaN, Number.NEGATIVE_INFINITY]) {
      await t.throwsAsync(new make(options).evaluate(modelOf(value)), {
        code: 'ERR_INVALID_DATA',
        message: new RegExp(`text \\d \\("${BAD}"\\).*${value}`),
      })
    }
  })
}

const scorer = {
  numLabels: 1,
  predict: async (pairs: readonly (readonly [string, string])[]) => {
    const data = Float32Array.from(pairs, ([, text]) => (text === BAD ? Number.NaN : text.length))
    return scores(data, pairs.length, 1)
  },
}

test('evaluators of cross-encoders refuse scores that are no numbers', async (t) => {
  const sentencePairs = left.map((text): [string, string] => ['a', text])
  const samples = [{ query: 'a', positive: ['b'], negative: [BAD] }]
  const refused = { code: 'ERR_INVALID_DATA', message: new RegExp(`pair \\d \\("a", "${BAD}"\\)`) }
  for (const evaluator of [
    new evaluation.CrossEncoderClassificationEvaluator({ sentencePairs, labels: [1, 0, 1, 0] }),
    new evaluation.CrossEncoderCorrelationEvaluator({ sentencePairs, scores: [1, 0, 0.5, 0.2] }),
    new evaluation.CrossEncoderRerankingEvaluator({ samples }),
  ]) {
    await t.throwsAsync(evaluator.evaluate(scorer), refused)
  }
})

test('a similarity of one’s own and a scorer of candidates must give numbers', async (t) => {
  const similarityFct = (_: unknown, documents: { shape: readonly number[] }) => ({
    data: new Float32Array(documents.shape[0]!).fill(Number.NaN),
  })
  const samples = [{ query: 'a', positive: ['b'], negative: ['c'] }]
  const evaluator = new evaluation.RerankingEvaluator({ samples, similarityFct })
  await t.throwsAsync(evaluator.evaluate(modelOf(1)), { code: 'ERR_INVALID_ARGUMENT', message: /similarityFct/ })
  const pairs = Dataset.fromColumns({ anchor: right, positive: left })
  const options = { crossEncoder: scorer, maxScore: 100, numNegatives: 1, verbose: false }
  await t.throwsAsync(mineNegativesWith(fakeAddon, pairs, modelOf(1) as unknown as MiningModel, options), {
    code: 'ERR_INVALID_DATA',
    message: new RegExp(BAD),
  })
})
