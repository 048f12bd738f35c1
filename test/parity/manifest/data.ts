import { built, onlyHere, type Row } from './row.js'

const DATA = { golden: ['test/parity/make_data_goldens.py'], tests: ['test/parity/data.test.ts'] }
const UNIT = 'test/unit/samplers.test.ts'
const FEED = 'test/unit/feed.test.ts'
const BATCHES = 'test/unit/trainer-batches.test.ts'

export const samplers: readonly Row[] = [
  built('samplers', 'batch_sampler', 'batch_sampler', {
    tests: [UNIT],
    note: 'the same by seed and epoch; other random numbers than torch’s',
  }),
  built('samplers', 'no_duplicates', 'no_duplicates', {
    ...DATA,
    tests: [...DATA.tests, UNIT],
    report: ['data', 'no_duplicates'],
    note: 'the same rows, by other random numbers than torch’s',
  }),
  built('samplers', 'no_duplicates_hashed', 'no_duplicates_hashed', {
    ...DATA,
    tests: [...DATA.tests, UNIT],
    report: ['data', 'no_duplicates'],
    note: 'the same as `no_duplicates`, which compares numbers anyway',
  }),
  built('samplers', 'group_by_label', 'group_by_label', {
    ...DATA,
    tests: [...DATA.tests, UNIT],
    report: ['data', 'group_by_label'],
    note: 'the same rows, by other random numbers than torch’s',
  }),
  built('samplers', 'proportional', 'proportional', { ...DATA, report: ['data', 'proportional'] }),
  built('samplers', 'round_robin', 'round_robin', { ...DATA, report: ['data', 'round_robin'] }),
  onlyHere('samplers', 'sequential', 'the order of the dataset; there a class of your own', [UNIT]),
  built('samplers', 'a sampler of your own', 'customBatchSampler', {
    tests: [UNIT, FEED],
    note: 'a generator; of datasets, a function',
  }),
  built('samplers', 'loss per dataset', 'loss: { name: loss }', {
    golden: ['test/parity/make_training_run.py'],
    tests: ['test/parity/training-run.test.ts', BATCHES],
    report: ['training-run', 'SentenceTransformerTrainer'],
  }),
  built('samplers', 'streaming: IterableDataset', 'DataStream', {
    tests: [FEED, 'test/addon/trainer-arguments.test.ts'],
    note: 'also among several datasets, and for cross-encoders',
  }),
  built('samplers', 'column rules', 'Dataset', { tests: ['test/unit/dataset.test.ts', BATCHES], state: 'built' }),
  built('samplers', 'datasets: rows, loops, `print`', ['row', 'head', 'select'], {
    tests: ['test/unit/dataset-access.test.ts'],
    note: '`dataset.row(-1)` for `dataset[-1]`; `head` as pandas has it',
  }),
  built('samplers', 'datasets: ClassLabel.names', 'Dataset.classNames', {
    ...DATA,
    tests: [...DATA.tests, 'test/unit/dataset-access.test.ts'],
    report: ['data', 'class names'],
    note: '`map` drops the names of a column that it changes; there they stay',
  }),
  onlyHere('samplers', 'Dataset<Row>', 'rows with types of their own', ['test/unit/dataset-types.test.ts']),
  built('samplers', 'prompts in training', 'prompts', {
    golden: ['test/parity/make_training_run.py'],
    tests: ['test/parity/training-run.test.ts', BATCHES],
    report: ['training-run', 'SentenceTransformerTrainer'],
  }),
  built('samplers', '`learning_rate_mapping`', 'learningRateMapping', {
    golden: ['test/parity/make_training_run.py'],
    tests: ['test/parity/training-run.test.ts', 'test/unit/trainer-groups.test.ts'],
    report: ['training-run', 'SentenceTransformerTrainer'],
  }),
  built('samplers', '`router_mapping`', '`routerMapping`', {
    golden: ['test/parity/make_router.py'],
    tests: ['test/parity/router.test.ts'],
    report: ['router', 'shared'],
  }),
  onlyHere('samplers', 'maxSeqLength by column', 'there `max_length` of multi-vector models alone, by task', [BATCHES]),
  built('samplers', 'tokenizer (transformers)', 'Tokenizer', {
    golden: ['test/parity/make_tokenizer_golden.py'],
    tests: ['test/parity/tokenizer.test.ts'],
    report: ['tokenizer', 'token ids'],
  }),
  built('samplers', 'tokenizers of other kinds and classes (transformers)', 'Tokenizer', {
    golden: ['test/parity/make_tokenizer_kinds.py'],
    tests: ['test/parity/tokenizer-kinds.test.ts', 'test/unit/tokenizer-texts.test.ts'],
    report: ['tokenizer-kinds', 'kinds of tokenizers'],
  }),
  built('samplers', 'tokenizer classes and folders without tokenizer.json (transformers)', 'Tokenizer', {
    golden: ['test/parity/make_tokenizer_classes.py'],
    tests: ['test/parity/tokenizer-classes.test.ts', 'test/unit/unigram.test.ts'],
    report: ['tokenizer-classes', 'tokenizer classes'],
  }),
  built('samplers', 'tokenizer of pairs (transformers)', 'PairTokenizer', {
    golden: ['test/parity/make_pairs.py', 'test/parity/make_cross_encoder.py'],
    tests: ['test/parity/pairs.test.ts', 'test/parity/cross-encoder.test.ts'],
    report: ['pairs', 'token ids'],
  }),
]

const LEGACY = 'test/unit/legacy-data.test.ts'

export const datasets: readonly Row[] = [
  built('datasets', 'DenoisingAutoEncoderDataset', 'DenoisingAutoEncoderDataset', {
    golden: ['test/parity/make_word_goldens.py'],
    tests: ['test/parity/words.test.ts', LEGACY],
    report: ['words', 'words'],
    note: 'words as NLTK’s; the draws are by seed, epoch and row; ends of sentences by a simple rule',
  }),
  built('datasets', 'SentenceLabelDataset', 'SentenceLabelDataset', {
    ...DATA,
    tests: [...DATA.tests, LEGACY],
    report: ['data', 'SentenceLabelDataset'],
  }),
  built('datasets', 'NoDuplicatesDataLoader', 'NoDuplicatesDataLoader', { tests: [LEGACY] }),
  built('datasets', 'ParallelSentencesDataset', 'ParallelSentencesDataset', { tests: [LEGACY] }),
  built('datasets', 'SentencesDataset', 'Dataset', {
    tests: ['test/unit/dataset.test.ts'],
    note: 'deprecated there: a list of examples',
  }),
  built('datasets', 'torch.utils.data.DataLoader', 'DataLoader', {
    tests: [LEGACY, 'test/addon/cross-encoder-trainer.test.ts'],
    note: 'rows, their order, batch size, length and a loop over the batches',
  }),
]

export const readers: readonly Row[] = [
  built('readers', 'InputExample', 'InputExample', { tests: [LEGACY] }),
  built('readers', ['LabelSentenceReader', 'PairedFilesReader', 'TripletReader'], 'Dataset.fromFile', {
    tests: ['test/unit/readers.test.ts'],
    note: 'files are datasets: columns by name',
  }),
  built('readers', ['NLIDataReader', 'STSBenchmarkDataReader', 'STSDataReader'], 'Dataset.fromHub', {
    tests: ['test/unit/dataset-hub.test.ts'],
    note: 'the data sets are on the hub; scores are divided with `map`',
  }),
  built('readers', ['datasets: CSV', 'datasets: JSON'], ['Dataset.fromFile', 'DataStream.fromFile'], {
    golden: ['test/parity/make_reader_goldens.py'],
    tests: ['test/parity/readers.test.ts', 'test/unit/reader-options.test.ts'],
    report: ['readers', 'files'],
    note: 'missing texts stay texts; integers beyond 2^53 are bigints; rows with other keys or too few fields are refused',
  }),
  built('readers', 'datasets: Parquet', 'Dataset.fromFile', { ...DATA, report: ['data', 'Parquet'] }),
]
