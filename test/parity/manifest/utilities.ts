import { built, notBuilt, onlyHere, type Row } from './row.js'

const GOLDEN = { golden: ['test/parity/make_utilities.py'], tests: ['test/parity/utilities.test.ts'] }
const same = (python: string, ours: string, note?: string, tests: string[] = []): Row =>
  built('util', python, ours, {
    ...GOLDEN,
    tests: [...GOLDEN.tests, ...tests],
    report: ['utilities', ours],
    ...(note && { note }),
  })

const EXACT = 'the engine searches exactly, on all cores and in bounded memory'
const SPARSE = 'there are no sparse encoders or multi-vector models yet'

export const utilities: readonly Row[] = [
  same('mine_hard_negatives', 'mineHardNegatives', `without \`use_faiss\`, \`use_multi_process\`: ${EXACT}`, [
    'test/unit/mining-negatives.test.ts',
  ]),
  same('paraphrase_mining_embeddings', 'paraphraseMiningEmbeddings'),
  built('util', 'paraphrase_mining', 'paraphraseMining', {
    ...GOLDEN,
    tests: [...GOLDEN.tests, 'test/unit/mining.test.ts'],
    report: ['utilities', 'paraphraseMiningEmbeddings'],
  }),
  same('semantic_search', 'semanticSearch', undefined, ['test/unit/search.test.ts']),
  built('util', '`semantic_search` of sparse tensors', ['semanticSearch', 'InvertedIndex'], {
    golden: ['test/parity/make_sparse_search.py'],
    tests: ['test/parity/sparse-search.test.ts', 'test/addon/sparse-search.test.ts'],
    report: ['sparseSearch', 'semanticSearch'],
    state: 'built',
  }),
  onlyHere('util', 'reciprocalRankFusion', 'the ranking of ReciprocalRankFusionEvaluator', [
    'test/parity/fusion.test.ts',
  ]),
  built('util', 'information_retrieval', 'semanticSearch', {
    ...GOLDEN,
    report: ['utilities', 'semanticSearch'],
    note: 'the older name is not taken over',
  }),
  same('community_detection', 'communityDetection'),
  same(
    'quantize_embeddings',
    'quantizeEmbeddings',
    'ranges and calibration that a precision has no use for are refused',
    ['test/unit/quantize.test.ts'],
  ),
  notBuilt('util', ['semantic_search_faiss', 'semantic_search_usearch'], `no index libraries: ${EXACT}`),
  onlyHere('util', 'EmbeddingIndex', 'a file of embeddings; its hits in float32 are those of semanticSearch', [
    'test/addon/embedding-index.test.ts',
  ]),
  onlyHere('util', 'encodeFiles', 'files of rows that several processes write; the rows are those of encode', [
    'test/addon/encode-files.test.ts',
  ]),
  built('util', 'truncate_embeddings', 'truncateEmbeddings', {
    ...GOLDEN,
    tests: [...GOLDEN.tests, 'test/unit/quantize.test.ts'],
    report: ['utilities', 'pairwiseAngleSim'],
    note: 'measured through the similarity of truncated rows',
    state: 'built',
  }),
  built('util', 'normalize_embeddings', ['normalizeEmbeddings', 'normalize'], {
    ...GOLDEN,
    report: ['utilities', 'mineHardNegatives'],
    note: 'measured through mining, which uses it',
    state: 'built',
  }),
  same('cos_sim', 'cosSim'),
  same('dot_score', 'dotScore'),
  same('euclidean_sim', 'euclideanSim'),
  same('manhattan_sim', 'manhattanSim'),
  same('pairwise_cos_sim', 'pairwiseCosSim'),
  same('pairwise_dot_score', 'pairwiseDotScore'),
  same('pairwise_euclidean_sim', 'pairwiseEuclideanSim'),
  same('pairwise_manhattan_sim', 'pairwiseManhattanSim'),
  same('pairwise_angle_sim', 'pairwiseAngleSim'),
  built('util', 'pytorch_cos_sim', 'pytorchCosSim', {
    ...GOLDEN,
    report: ['utilities', 'cosSim'],
    note: 'another name of cosSim',
    state: 'built',
  }),
  built('util', 'SimilarityFunction', [], { tests: ['test/unit/similarity.test.ts'], note: 'similarities are texts' }),
  built('util', 'embeddings that are kept (`cache_folder`)', 'cacheFolder', {
    ...GOLDEN,
    report: ['utilities', 'npy files'],
    note: 'the name of the file covers the weights too',
  }),
  built('util', 'masking of transformers (MLM)', 'maskTokens', {
    golden: ['test/parity/make_data_goldens.py'],
    tests: ['test/parity/data.test.ts', 'test/unit/masking.test.ts'],
    report: ['data', 'masking'],
  }),
  built('util', '`truncate_dim` of encode and evaluators', 'truncateDim', {
    tests: ['test/unit/encode.test.ts'],
    state: 'built',
  }),
  notBuilt('util', 'resolve_ids', 'join the texts with `dataset.map`'),
  built('util', 'query generation (GenQ, GPL)', ['Seq2SeqModel', 'genq', 'gpl'], {
    golden: ['test/parity/make_generation.py', 'test/parity/make_gpl.py'],
    tests: ['test/addon/seq2seq-model.test.ts', 'test/addon/recipe-genq.test.ts', 'test/addon/recipe-gpl.test.ts'],
    state: 'built',
    note: 'draws come from another random generator',
  }),
  built('util', '`decode` and `batch_decode` of transformers', ['decode', 'batchDecode'], {
    golden: ['test/parity/make_decoding.py'],
    tests: ['test/parity/decoding.test.ts', 'test/unit/decoding.test.ts'],
    report: ['decoding', 'decoders of tokenizers'],
  }),
  built('util', 'Augmented SBERT (examples)', 'augmentedSbert', {
    golden: ['test/parity/make_bm25.py'],
    tests: ['test/addon/recipe-augmented-sbert.test.ts', 'test/unit/bm25.test.ts'],
    state: 'built',
    note: 'BM25 is that of rank_bm25, not of Elasticsearch',
  }),
  notBuilt('util', 'search engines for sparse vectors', SPARSE),
  built('util', ['maxsim', 'maxsim_pairwise', 'mean_maxsim', 'mean_maxsim_pairwise'], ['maxSimMatrix', 'maxSimPairs'], {
    golden: ['test/parity/make_multi_vector.py'],
    tests: ['test/parity/multi-vector.test.ts'],
    report: ['multi-vector', 'similarity'],
  }),
  built('util', '`quantize_embeddings` of vectors of tokens', 'TokenEmbeddings.toPrecision', {
    golden: ['test/parity/make_token_precision.py'],
    tests: ['test/parity/token-precision.test.ts', 'test/addon/embedding-index-kinds.test.ts'],
    report: ['multi-vector', 'quantize_embeddings'],
    note: 'also float16; codes are compared by the numbers that they stand for, without ranges as they are',
  }),
  notBuilt('util', ['select_max_active_dims', 'compute_count_vector', 'to_scipy_coo'], SPARSE),
  notBuilt(
    'util',
    ['cat_padded_token_embeddings', 'stack_padded_token_embeddings', 'repad_flattened_features', 'batch_to_device'],
    'nothing is padded here, and no tensor is in JavaScript',
  ),
  notBuilt(
    'util',
    [
      ...['_convert_to_batch', '_convert_to_batch_tensor', '_convert_to_tensor', '_move_tensors_to_cpu'],
      'append_to_last_row',
    ],
    'of tensors and files in Python',
  ),
  notBuilt(
    'util',
    ['all_gather', 'all_gather_padded', 'all_gather_with_grad', 'get_rank', 'get_world_size', 'is_dist_initialized'],
    'training runs on one device',
  ),
  notBuilt(
    'util',
    [
      ...['check_package_availability', 'check_version_requirements', 'is_accelerate_available'],
      ...['is_datasets_available', 'is_training_available', 'get_device_name', 'import_from_string'],
      ...['import_module_class', 'fullname', 'similarity_fct_name', 'check_teacher_targets'],
    ],
    'of packages and classes in Python',
  ),
  notBuilt(
    'util',
    [
      ...['LoggingHandler', 'install_logger', 'disable_logging', 'disabled_tqdm', 'disable_datasets_caching'],
      ...['save_to_hub_args_decorator', 'http_get', 'load_dir_path', 'load_file_path'],
      ...['is_sentence_transformer_model', 'ORIGINAL_TRANSFORMER_MODELS'],
    ],
    'of logging and files in Python; `load` and `Dataset.fromHub` find their files',
  ),
]
