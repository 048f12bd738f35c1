import { built, onlyHere, type Row } from './row.js'

const TEST = 'test/parity/evaluators.test.ts'
const SCRIPT = 'test/parity/make_evaluators.py'

const dense = (name: string, note?: string, tests: string[] = [], golden: string[] = []): Row =>
  built('evaluation', name, name, {
    golden: [SCRIPT, ...golden],
    tests: [TEST, ...tests],
    report: ['evaluators', name],
    ...(note && { note }),
  })
const OF_THE_CALL =
  'without `similarityFnNames` measures the similarity of the model of each call; there that of the first model'
const REAL = 'test/parity/make_evaluators_real.py'
const REAL_TEST = 'test/parity/evaluators-real.test.ts'

export const evaluators: readonly Row[] = [
  dense('EmbeddingSimilarityEvaluator', OF_THE_CALL, ['test/parity/stsb.test.ts'], ['test/parity/make_goldens.py']),
  dense('BinaryClassificationEvaluator', OF_THE_CALL, [REAL_TEST], [REAL]),
  dense('InformationRetrievalEvaluator', 'ids are texts; similarities by name', [REAL_TEST], [REAL]),
  dense(
    'NanoBEIREvaluator',
    undefined,
    ['test/parity/evaluators-hub.test.ts'],
    ['test/parity/make_nano_beir_files.py'],
  ),
  dense('TripletEvaluator', OF_THE_CALL, ['test/addon/evaluation-reuse.test.ts']),
  dense('RerankingEvaluator', 'MRR orders documents of equal score; there their order is open'),
  dense('ParaphraseMiningEvaluator'),
  dense('TranslationEvaluator'),
  dense('MSEEvaluator'),
  built('evaluation', 'MSEEvaluatorFromDataFrame', 'MSEEvaluatorFromDataset', {
    golden: [SCRIPT],
    tests: [TEST],
    report: ['evaluators', 'MSEEvaluatorFromDataset'],
    note: 'a `Dataset` in place of a data frame',
  }),
  dense('LabelAccuracyEvaluator'),
  dense('SequentialEvaluator'),
  built('evaluation', ['BaseEvaluator', 'SentenceEvaluator'], 'SentenceEvaluator', {
    tests: ['test/unit/evaluation.test.ts'],
    note: 'anything with `evaluate` is an evaluator; called as a function one gives the metrics',
  }),
  built('evaluation', 'SimilarityFunction', [], {
    tests: ['test/unit/evaluation.test.ts'],
    note: 'similarities are named by texts',
  }),
  built('evaluation', 'mteb: Banking77Classification', 'Banking77Classification', {
    golden: ['test/parity/make_banking77.py'],
    tests: ['test/parity/banking77.test.ts'],
    report: ['banking77', 'Banking77Classification'],
  }),
  built('evaluation', 'mteb: MTEB', 'MTEB', {
    golden: ['test/parity/make_banking77.py'],
    tests: ['test/parity/banking77.test.ts'],
    report: ['banking77', 'Banking77Classification'],
    note: 'its one task is Banking77Classification, on data that the caller has',
  }),
  onlyHere(
    'evaluation',
    [...['pairedBootstrap', 'pairedBootstrapCorrelation', 'pairedBootstrapF1', 'metricInterval'], 'differenceText'],
    'whether a difference of two models is more than chance',
    ['test/unit/bootstrap.test.ts'],
  ),
  onlyHere('evaluation', 'retrieveAndRerank', 'there an example; its lists and metrics are compared', [
    'test/parity/retrieve-and-rerank.test.ts',
  ]),
  built('evaluation', ['SetFit: SetFitModel', 'SetFit: Trainer'], 'TextClassifier', {
    golden: ['test/parity/make_few_shot.py'],
    tests: ['test/parity/few-shot.test.ts', 'test/addon/recipe-few-shot.test.ts'],
    report: ['few-shot', 'TextClassifier'],
    note: 'one class; its head is a logistic regression, in safetensors in place of a pickle; one label a text',
  }),
  built('evaluation', 'SetFit: ContrastiveDataset', 'contrastivePairs', {
    golden: ['test/parity/make_few_shot.py'],
    tests: ['test/parity/few-shot.test.ts'],
    report: ['few-shot', 'contrastivePairs'],
    note: 'one label a text',
  }),
  built('evaluation', [], 'TextClassificationEvaluator', {
    golden: ['test/parity/make_few_shot.py'],
    tests: ['test/parity/few-shot.test.ts'],
    report: ['few-shot', 'TextClassificationEvaluator'],
    state: 'only here',
    note: 'accuracy and F1 of a logistic regression over embeddings',
  }),
  onlyHere('evaluation', 'loadBeir', 'reads BEIR folders; there a package of its own', [REAL_TEST]),
]

const crossEncoder = (name: string, note?: string): Row =>
  built('crossEncoderEvaluation', name, name, {
    golden: ['test/parity/make_cross_encoder_evaluators.py'],
    tests: ['test/parity/cross-encoder-evaluators.test.ts'],
    report: ['cross-encoder-evaluators', name],
    ...(note && { note }),
  })
const OLD = [
  ...['CEBinaryAccuracyEvaluator', 'CEBinaryClassificationEvaluator', 'CECorrelationEvaluator'],
  ...['CEF1Evaluator', 'CERerankingEvaluator', 'CESoftmaxAccuracyEvaluator'],
]

export const crossEncoderEvaluators: readonly Row[] = [
  crossEncoder('CrossEncoderClassificationEvaluator'),
  crossEncoder('CrossEncoderCorrelationEvaluator'),
  crossEncoder('CrossEncoderRerankingEvaluator', 'MRR orders documents of equal score; there their order is open'),
  crossEncoder('CrossEncoderNanoBEIREvaluator', 'from BEIR folders with `bm25.jsonl`; does not download'),
  built('crossEncoderEvaluation', OLD, OLD, {
    golden: ['test/parity/make_cross_encoder_evaluators.py'],
    tests: ['test/parity/cross-encoder-evaluators.test.ts'],
    note: 'deprecated names of the above, there as here',
    state: 'built',
  }),
]

export const otherEvaluators: readonly Row[] = [
  ...[
    ...['SparseEmbeddingSimilarityEvaluator', 'SparseBinaryClassificationEvaluator', 'SparseTripletEvaluator'],
    ...['SparseTranslationEvaluator', 'SparseMSEEvaluator', 'SparseRerankingEvaluator'],
    ...['SparseInformationRetrievalEvaluator', 'SparseNanoBEIREvaluator'],
  ].map((name) =>
    built('sparseEvaluation', name, name, {
      golden: ['test/parity/make_sparse_evaluators.py'],
      tests: ['test/parity/sparse-evaluators.test.ts'],
      report: ['sparseEvaluators', name],
    }),
  ),
  built('sparseEvaluation', 'ReciprocalRankFusionEvaluator', 'ReciprocalRankFusionEvaluator', {
    golden: ['test/parity/make_fusion.py'],
    tests: ['test/parity/fusion.test.ts'],
    report: ['fusion', 'ReciprocalRankFusionEvaluator'],
  }),
  ...[
    ...['MultiVectorInformationRetrievalEvaluator', 'MultiVectorNanoBEIREvaluator', 'MultiVectorTripletEvaluator'],
    ...['MultiVectorRerankingEvaluator', 'MultiVectorDistillationEvaluator'],
  ].map((name) =>
    built('multiVectorEvaluation', name, name, {
      golden: ['test/parity/make_sparse_evaluators.py'],
      tests: ['test/parity/multi-vector-evaluators.test.ts'],
      report: ['multiVectorEvaluators', name],
      ...(/Retrieval|Nano/.test(name) && { note: 'without `chunk_elements`: no scores of pairs of tokens are kept' }),
    }),
  ),
]
