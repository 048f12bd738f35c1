import { built, notBuilt, onlyHere, type Row } from './row.js'

const LANGUAGE_MODELS = 'test/parity/make_language_models.py'
const LANGUAGE_MODELS_TEST = 'test/parity/language-models.test.ts'
const TEST = 'test/parity/losses.test.ts'

/** A loss with golden values of its own: the fixture that says how Python builds it. */
const dense = (name: string, fixture: string, note?: string, state: Row['state'] = 'built'): Row =>
  built('losses', name, name, {
    golden: [`test/parity/losses/${fixture}.py`, 'test/parity/make_losses.py'],
    tests: [TEST],
    report: ['losses', name],
    ...(note && { note, state }),
  })

/** A loss that is another one with other options: the golden values are the other's. */
const variant = (name: string, base: string, fixture: string, tests: string[], note: string): Row =>
  built('losses', name, name, {
    golden: [`test/parity/losses/${fixture}.py`, 'test/parity/make_losses.py'],
    tests: [TEST, ...tests],
    report: ['losses', base],
    note,
    state: 'built',
  })

const RANKING = 'test/unit/ranking-losses.test.ts'
const NO_GATHER = '`gather_across_devices`: training runs on one device'

export const losses: readonly Row[] = [
  dense('SoftmaxLoss', 'softmax', '`loss_fct` is cross-entropy, with classes or their probabilities'),
  dense('CosineSimilarityLoss', 'cosine_similarity', '`loss_fct` is the squared error; transformations by name'),
  dense('CoSENTLoss', 'cosent'),
  dense('AnglELoss', 'angle'),
  dense('ContrastiveLoss', 'contrastive'),
  dense('OnlineContrastiveLoss', 'online_contrastive'),
  dense('TripletLoss', 'triplet'),
  dense('BatchAllTripletLoss', 'batch_all_triplet'),
  dense('BatchHardTripletLoss', 'batch_hard_triplet'),
  dense('BatchHardSoftMarginTripletLoss', 'batch_hard_soft_margin_triplet'),
  dense('BatchSemiHardTripletLoss', 'batch_semi_hard_triplet'),
  dense('MultipleNegativesRankingLoss', 'multiple_negatives_ranking', `without ${NO_GATHER}`),
  variant(
    'MultipleNegativesSymmetricRankingLoss',
    'MultipleNegativesRankingLoss',
    'multiple_negatives_ranking',
    [RANKING],
    'its options of the loss above, among whose cases they are',
  ),
  variant(
    'CachedMultipleNegativesRankingLoss',
    'MultipleNegativesRankingLoss',
    'multiple_negatives_ranking',
    [RANKING],
    `the loss above in mini-batches; without ${NO_GATHER}`,
  ),
  variant(
    'CachedMultipleNegativesSymmetricRankingLoss',
    'MultipleNegativesRankingLoss',
    'multiple_negatives_ranking',
    [RANKING],
    `both; without ${NO_GATHER}`,
  ),
  dense('GISTEmbedLoss', 'gist_embed', `without ${NO_GATHER}`),
  variant(
    'CachedGISTEmbedLoss',
    'GISTEmbedLoss',
    'gist_embed',
    ['test/unit/gist-losses.test.ts'],
    `the loss above in mini-batches; without ${NO_GATHER}`,
  ),
  dense('MegaBatchMarginLoss', 'mega_batch_margin'),
  dense('MarginMSELoss', 'margin_mse'),
  dense('DistillKLDivLoss', 'distill_kl_div'),
  dense('MSELoss', 'mse'),
  dense('EmbedDistillLoss', 'embed_distill'),
  dense('ContrastiveTensionLoss', 'contrastive_tension'),
  dense('ContrastiveTensionLossInBatchNegatives', 'contrastive_tension_in_batch_negatives'),
  dense('DenoisingAutoEncoderLoss', 'denoising_auto_encoder', 'decoders are BERT models'),
  built('losses', ['decoder_name_or_path', 'AutoModelForCausalLM', 'AutoModelForMaskedLM'], 'decoderNameOrPath', {
    golden: [LANGUAGE_MODELS],
    tests: [LANGUAGE_MODELS_TEST],
    report: ['language-models', 'MaskedLanguageModelLoss', 'checkpoints'],
    note: 'of tied weights too, where Python takes the head of the model’s own checkpoint',
  }),
  dense('GlobalOrthogonalRegularizationLoss', 'global_orthogonal_regularization'),
  dense('MatryoshkaLoss', 'matryoshka'),
  dense('AdaptiveLayerLoss', 'adaptive_layer'),
  variant(
    'Matryoshka2dLoss',
    'AdaptiveLayerLoss',
    'adaptive_layer',
    ['test/unit/wrapper-losses.test.ts'],
    'AdaptiveLayerLoss around MatryoshkaLoss, which is among its cases',
  ),
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

const crossEncoder = (name: string, note?: string, ours = name): Row =>
  built('crossEncoderLosses', name, ours, {
    golden: ['test/parity/make_cross_encoder_training.py'],
    tests: ['test/parity/cross-encoder-training.test.ts'],
    report: ['cross-encoder-training', ours],
    ...(note && { note }),
  })

const SCHEMES = ['NoWeightingScheme', 'NDCGLoss1Scheme', 'NDCGLoss2Scheme', 'LambdaRankScheme', 'NDCGLoss2PPScheme']
const PACKED = '`mini_batch_size` asks for gradient caching: pairs are packed without padding'

export const crossEncoderLosses: readonly Row[] = [
  crossEncoder('BinaryCrossEntropyLoss'),
  crossEncoder('CrossEntropyLoss', 'with classes or their probabilities'),
  crossEncoder('MSELoss'),
  crossEncoder('MarginMSELoss'),
  crossEncoder('MultipleNegativesRankingLoss', 'other negatives are drawn; values are compared with the same ones'),
  built('crossEncoderLosses', 'CachedMultipleNegativesRankingLoss', 'CachedMultipleNegativesRankingLoss', {
    golden: ['test/parity/make_cross_encoder_training.py'],
    tests: ['test/parity/cross-encoder-training.test.ts', 'test/unit/cross-encoder-batches.test.ts'],
    report: ['cross-encoder-training', 'MultipleNegativesRankingLoss'],
    note: 'the loss above in mini-batches',
    state: 'built',
  }),
  crossEncoder('LambdaLoss', PACKED),
  built('crossEncoderLosses', SCHEMES, 'LambdaLoss', {
    golden: ['test/parity/make_cross_encoder_training.py'],
    tests: ['test/parity/cross-encoder-training.test.ts'],
    report: ['cross-encoder-training', 'LambdaLoss'],
    note: '`weightingScheme` by name, `mu`',
  }),
  crossEncoder('RankNetLoss', PACKED),
  crossEncoder('ListNetLoss', PACKED),
  crossEncoder('ListMLELoss', PACKED),
  crossEncoder('PListMLELoss', PACKED),
  built('crossEncoderLosses', 'PListMLELambdaWeight', 'PListMLELoss', {
    golden: ['test/parity/make_cross_encoder_training.py'],
    tests: ['test/parity/cross-encoder-training.test.ts'],
    report: ['cross-encoder-training', 'PListMLELoss'],
    note: '`lambdaWeight`: true or false',
  }),
  crossEncoder('ADRMSELoss', PACKED),
]

const SPARSE = 'there are no sparse encoders yet'
const MULTI_VECTOR = 'there are no multi-vector models yet'

export const otherLosses: readonly Row[] = [
  notBuilt('sparseLosses', ['SpladeLoss', 'CachedSpladeLoss', 'FlopsLoss'], SPARSE),
  notBuilt('sparseLosses', ['CSRLoss', 'CSRReconstructionLoss'], SPARSE),
  notBuilt(
    'sparseLosses',
    ['SparseMultipleNegativesRankingLoss', 'SparseCoSENTLoss', 'SparseAnglELoss', 'SparseCosineSimilarityLoss'],
    SPARSE,
  ),
  notBuilt(
    'sparseLosses',
    ['SparseTripletLoss', 'SparseMarginMSELoss', 'SparseMSELoss', 'SparseDistillKLDivLoss'],
    SPARSE,
  ),
  notBuilt(
    'multiVectorLosses',
    ['MultiVectorMultipleNegativesRankingLoss', 'CachedMultiVectorMultipleNegativesRankingLoss'],
    MULTI_VECTOR,
  ),
  notBuilt('multiVectorLosses', ['MultiVectorDistillKLDivLoss', 'MultiVectorMarginMSELoss'], MULTI_VECTOR),
]
