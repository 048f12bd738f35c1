// Rows of the losses: each is made from the loss's file. What is no class of sentence-transformers has its rows here.
import { existsSync } from 'node:fs'
import { type LossFile, lossFiles } from '../../docs/loss-files.js'
import { built, onlyHere, type Row } from './row.js'

const ROOT = new URL('../../../../', import.meta.url)
const LANGUAGE_MODELS = 'test/parity/make_language_models.py'
const LANGUAGE_MODELS_TEST = 'test/parity/language-models.test.ts'
const TEST = 'test/parity/losses.test.ts'
const CROSS_ENCODER = 'test/parity/make_cross_encoder_training.py'
const CROSS_ENCODER_TEST = 'test/parity/cross-encoder-training.test.ts'

/** What tests the losses that are another one with other options, by that one. */
const VARIANTS: Readonly<Record<string, string>> = {
  MultipleNegativesRankingLoss: 'test/unit/ranking-losses.test.ts',
  GISTEmbedLoss: 'test/unit/gist-losses.test.ts',
  AdaptiveLayerLoss: 'test/unit/wrapper-losses.test.ts',
}

/** The fixture that says how Python builds a loss. */
function fixtureOf({ path }: LossFile): string {
  return `test/parity/losses/${path.slice(path.lastIndexOf('/') + 1).replaceAll('-', '_')}.py`
}

/** The loss whose golden values count: itself, or the one that it extends. */
function goldenOf(file: LossFile): LossFile {
  if (!file.isForPairs && existsSync(new URL(fixtureOf(file), ROOT))) return file
  const base = lossFiles.find(({ name, isForPairs }) => name === file.base && isForPairs === file.isForPairs)
  return base === undefined ? file : goldenOf(base)
}

/** The row of a loss that is a class of sentence-transformers. */
function rowOf(file: LossFile): Row[] {
  const found = /sentence-transformers\s+`((?:cross|sparse)_encoder\/)?losses\/(\w+)`/.exec(file.comment.sources)
  if (found === null) return []
  const [, kind, python] = found as unknown as [string, string | undefined, string]
  if (file.name === 'CSRLoss') {
    const golden = ['test/parity/make_csr.py']
    const tests = ['test/parity/csr.test.ts', 'test/addon/csr.test.ts']
    const more = { golden, tests, report: ['csr', 'normalized'] as const, note: file.differs!.replace(/\.$/, '') }
    return [built('sparseLosses', ['CSRLoss', 'CSRReconstructionLoss'], 'CSRLoss', more)]
  }
  if (kind === 'sparse_encoder/') {
    // Python's SpladeLoss takes the labels of SparseMSELoss for those of its columns.
    const [name, fixture] =
      file.name === 'SparseMSELoss' ? (['MSELoss', 'mse'] as const) : (['SpladeLoss', 'splade'] as const)
    const golden = [`test/parity/losses/${fixture}.py`, 'test/parity/make_losses.py']
    const tests = [TEST, 'test/unit/splade-losses.test.ts', 'test/parity/sparse-steps.test.ts']
    const note = file.name === name ? {} : { note: `the cases of \`${name}\``, state: 'built' as const }
    const more = { golden, tests, report: ['losses', name] as const, ...note }
    return [built('sparseLosses', python, file.name, more)]
  }
  const source = goldenOf(file)
  const note = noteOf(file, source)
  const more = {
    ...(note !== '' && { note }),
    state: file.differs === undefined ? ('built' as const) : ('built differently' as const),
  }
  if (file.isForPairs) {
    const tests = [CROSS_ENCODER_TEST, ...(source === file ? [] : ['test/unit/cross-encoder-batches.test.ts'])]
    const report = ['cross-encoder-training', source.name] as const
    return [built('crossEncoderLosses', python, file.name, { golden: [CROSS_ENCODER], tests, report, ...more })]
  }
  return [
    built('losses', python, file.name, {
      golden: [fixtureOf(source), 'test/parity/make_losses.py'],
      tests: [TEST, ...(source === file ? [] : [VARIANTS[source.name] ?? []].flat())],
      report: ['losses', source.name],
      ...more,
    }),
  ]
}

function noteOf({ notBuilt, differs, name }: LossFile, source: LossFile): string {
  const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  const only = Object.entries(notBuilt).map(([name, { harmless }]) => `\`${snake(name)}\` only as \`${harmless![0]}\``)
  return [
    ...(source.name === name ? [] : [`the cases of \`${source.name}\``]),
    ...(differs === undefined ? [] : [differs.replace(/\.$/, '')]),
    ...only,
  ].join('; ')
}

const rows = lossFiles.flatMap(rowOf)

export const losses: readonly Row[] = [
  ...rows.filter(({ section }) => section === 'losses'),
  built('losses', ['decoder_name_or_path', 'AutoModelForCausalLM', 'AutoModelForMaskedLM'], 'decoderNameOrPath', {
    golden: [LANGUAGE_MODELS],
    tests: [LANGUAGE_MODELS_TEST],
    report: ['language-models', 'MaskedLanguageModelLoss', 'checkpoints'],
    note: 'of tied weights too, where Python takes the head of the model’s own checkpoint',
  }),
  built('losses', 'dict losses: components that are logged', 'components', {
    golden: ['test/parity/losses/global_orthogonal_regularization.py'],
    tests: [TEST],
    report: ['losses', 'GlobalOrthogonalRegularizationLoss', 'components'],
  }),
  built('losses', 'GradCache (`mini_batch_size`, `mini_batch_num_tokens`)', ['miniBatchSize', 'miniBatchTokens'], {
    tests: [TEST],
    report: ['losses', 'CoSENTLoss', 'in mini-batches, float64'],
    note: 'an argument of the trainer too: for every loss, and `auto`; held against the whole batch',
  }),
  built('losses', ['BatchHardTripletLossDistanceFunction', 'SiameseDistanceMetric', 'TripletDistanceMetric'], [], {
    tests: ['test/unit/losses-pairs.test.ts'],
    note: 'distances are named by texts: `distanceMetric`',
  }),
  built('losses', 'ContrastiveTensionDataLoader', 'ContrastiveTensionDataLoader', {
    golden: ['test/parity/make_data_goldens.py'],
    tests: ['test/parity/data.test.ts'],
    report: ['data', 'ContrastiveTensionDataLoader'],
  }),
  built('losses', 'examples/…/MLM/train_mlm.py', 'MaskedLanguageModelLoss', {
    golden: ['test/parity/losses/masked_language_model.py', 'test/parity/make_losses.py'],
    tests: [TEST],
    report: ['losses', 'MaskedLanguageModelLoss'],
    note: 'there a script over transformers, here a loss',
  }),
  built('losses', 'BertForMaskedLM.save_pretrained', 'saveMaskedLanguageModel', {
    golden: [LANGUAGE_MODELS],
    tests: [LANGUAGE_MODELS_TEST, 'test/python/run.mjs'],
    note: 'a method of the model, which takes the head that the loss trained',
  }),
  onlyHere('losses', 'Custom', 'a loss in TypeScript; there every loss is a class in Python', [
    'test/addon/custom-loss.test.ts',
  ]),
]

const SCHEMES = ['NoWeightingScheme', 'NDCGLoss1Scheme', 'NDCGLoss2Scheme', 'LambdaRankScheme', 'NDCGLoss2PPScheme']

export const crossEncoderLosses: readonly Row[] = [
  ...rows.filter(({ section }) => section === 'crossEncoderLosses'),
  built('crossEncoderLosses', SCHEMES, 'LambdaLoss', {
    golden: [CROSS_ENCODER],
    tests: [CROSS_ENCODER_TEST],
    report: ['cross-encoder-training', 'LambdaLoss'],
    note: '`weightingScheme` by name, `mu`',
  }),
  built('crossEncoderLosses', 'PListMLELambdaWeight', 'PListMLELoss', {
    golden: [CROSS_ENCODER],
    tests: [CROSS_ENCODER_TEST],
    report: ['cross-encoder-training', 'PListMLELoss'],
    note: '`lambdaWeight`: true or false',
  }),
]

const multiVector = (name: string, note?: string): Row =>
  built('multiVectorLosses', name, name, {
    golden: ['test/parity/make_multi_vector_losses.py'],
    tests: ['test/parity/multi-vector-losses.test.ts'],
    report: ['multi-vector-losses', name],
    ...(note !== undefined && { note }),
  })

export const otherLosses: readonly Row[] = [
  ...rows.filter(({ section }) => section === 'sparseLosses'),
  multiVector('MultiVectorMultipleNegativesRankingLoss'),
  built(
    'multiVectorLosses',
    'CachedMultiVectorMultipleNegativesRankingLoss',
    'CachedMultiVectorMultipleNegativesRankingLoss',
    {
      golden: ['test/parity/make_multi_vector_losses.py'],
      tests: ['test/parity/multi-vector-losses.test.ts', 'test/addon/multi-vector-encoder.test.ts'],
    },
  ),
  multiVector('MultiVectorDistillKLDivLoss'),
  multiVector('MultiVectorMarginMSELoss'),
]
