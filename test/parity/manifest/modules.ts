import { built, notBuilt, type Row } from './row.js'

const golden = ['test/parity/make_modules.py']
const tests = ['test/parity/modules.test.ts', 'test/addon/from-modules.test.ts']
const measured = (name: string): [string, string] => ['modules', name]

const merging = (method: string): Row =>
  built('modules', `merge, method ${method}`, `merge, method ${method}`, {
    golden: ['test/parity/make_merging.py'],
    tests: ['test/parity/merging.test.ts', 'test/addon/merging.test.ts'],
    report: ['merging', method],
  })

/** Modules of sentence-transformers, and what models of them do. */
export const modules: readonly Row[] = [
  built('modules', 'Transformer', 'Transformer', { golden, tests, report: measured('all') }),
  built('modules', 'AutoModel.from_config', 'Transformer.create', {
    golden: ['test/parity/make_initial_values.py'],
    tests: ['test/parity/initial-values.test.ts'],
    note: 'the same distributions, not the same numbers',
  }),
  built('modules', ['Pooling', 'several pooling modes'], 'Pooling', { golden, tests, report: measured('two-modes') }),
  built('modules', ['Dense', 'Normalize', 'LayerNorm', 'Dropout'], ['Dense', 'Normalize', 'LayerNorm', 'Dropout'], {
    golden,
    tests,
    report: measured('all'),
    note: 'Dense without `use_residual`, over the sentence embedding',
  }),
  built('modules', 'WeightedLayerPooling', 'WeightedLayerPooling', { golden, tests, report: measured('all') }),
  built('modules', ['SpladePooling', 'SparseEncoder'], ['SpladePooling', 'SparseEncoder'], {
    golden: ['test/parity/make_sparse.py'],
    tests: ['test/parity/sparse-encoder.test.ts', 'test/addon/sparse-encoder.test.ts'],
    report: ['sparse', 'bert'],
    note: 'encode, decode, sparsity, intersection, similarities, save',
  }),
  built(
    'modules',
    ['MultiVectorEncoder', 'MultiVectorMask', 'query_expansion'],
    ['MultiVectorEncoder', 'MultiVectorMask', 'queryExpansion'],
    {
      golden: ['test/parity/make_multi_vector.py'],
      tests: ['test/parity/multi-vector.test.ts', 'test/addon/multi-vector-encoder.test.ts'],
      report: ['multi-vector', 'classic', 'vectors'],
      note: 'folders of PyLate and Stanford, too; `encode` takes a precision',
    },
  ),
  built(
    'modules',
    ['HierarchicalTokenPooling', 'LambdaTokenPooling'],
    ['HierarchicalTokenPooling', 'LambdaTokenPooling'],
    {
      golden: ['test/parity/make_multi_vector.py'],
      tests: ['test/parity/multi-vector.test.ts'],
      report: ['multi-vector', 'HierarchicalTokenPooling'],
    },
  ),
  built('modules', 'StaticEmbedding', 'StaticEmbedding', { golden, tests, report: measured('static') }),
  built('modules', ['StaticEmbedding.from_distillation', 'model2vec: distill'], 'StaticEmbedding', {
    golden: ['test/parity/make_distillation.py'],
    tests: ['test/parity/distillation.test.ts'],
    report: ['distillation', 'fromDistillation'],
    note: 'WordPiece and the mean over tokens; no vocabulary of the caller; unknown words count in the mean',
  }),
  built('modules', 'StaticEmbedding over Model2Vec', 'StaticEmbedding', {
    golden,
    tests,
    report: measured('model2vec'),
  }),
  built('modules', 'SentenceTransformer(modules=…)', 'SentenceTransformer.fromModules', { golden, tests }),
  built('modules', ['tokenize', 'forward'], ['tokenize', 'forward'], { tests: ['test/addon/from-modules.test.ts'] }),
  ...['linear', 'slerp', 'task_arithmetic', 'ties', 'model_stock'].map(merging),
  built('modules', ['Router', 'Router.for_query_document', 'Asym'], ['Router', 'Router.forQueryDocument'], {
    golden: ['test/parity/make_router.py'],
    tests: ['test/parity/router.test.ts', 'test/addon/router.test.ts'],
    report: ['router', 'towers'],
    note: 'texts alone; no weights that routes with different first modules share',
  }),
  built('modules', ['SparseStaticEmbedding', 'SparseEncoder with Router'], ['SparseStaticEmbedding', 'SparseEncoder'], {
    golden: ['test/parity/make_sparse_router.py'],
    tests: ['test/parity/sparse-router.test.ts', 'test/addon/sparse-from-modules.test.ts'],
    report: ['sparse-router', 'learned'],
    note: 'an unknown token of an `idf.json` is an error',
  }),
  built(
    'modules',
    ['SparseAutoEncoder', 'SparseEncoder(modules=…)'],
    ['SparseAutoEncoder', 'SparseEncoder.fromModules'],
    {
      golden: ['test/parity/make_csr.py'],
      tests: ['test/parity/csr.test.ts', 'test/addon/csr.test.ts', 'test/addon/sparse-from-modules.test.ts'],
      report: ['csr', 'mean'],
      note: 'none is put behind the folder of another model; no `decode` of latents; not in a Router',
    },
  ),
  notBuilt(
    'modules',
    ['CNN', 'LSTM', 'BoW', 'WordEmbeddings', 'WordWeights'],
    'no word vectors and no layers over them',
  ),
  notBuilt('modules', 'CLIPModel', 'no images'),
]
