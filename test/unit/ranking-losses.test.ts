import test from 'ava'
import * as losses from '../../lib/losses/index.js'

const code = 'ERR_INVALID_ARGUMENT'

test('options of MultipleNegativesRankingLoss reach the spec, directions in a fixed order', (t) => {
  const spec = new losses.MultipleNegativesRankingLoss({
    directions: ['doc_to_query', 'query_to_doc'],
    partitionMode: 'per_direction',
    hardnessMode: 'hard_negatives',
    hardnessStrength: 5,
    maskDuplicates: true,
    falseNegativeMargin: -0.1,
  }).spec()
  t.deepEqual(spec, {
    type: 'MultipleNegativesRankingLoss',
    scale: 20,
    similarity: 'cosine',
    directions: ['query_to_doc', 'doc_to_query'],
    partitionMode: 'per_direction',
    hardnessMode: 'hard_negatives',
    hardnessStrength: 5,
    maskDuplicates: true,
    falseNegativeMargin: -0.1,
  })
})

test('the numbers of the texts are asked for only where duplicates are masked', (t) => {
  t.is(new losses.MultipleNegativesRankingLoss().requirements.textIds, undefined)
  t.is(new losses.MultipleNegativesRankingLoss({ falseNegativeMargin: 0 }).requirements.textIds, undefined)
  t.true(new losses.MultipleNegativesRankingLoss({ maskDuplicates: true }).requirements.textIds)
})

test('options that do not fit together are refused', (t) => {
  const refused = (options: object, message: RegExp) =>
    t.throws(() => new losses.MultipleNegativesRankingLoss(options), { code, message })
  refused({ directions: [] }, /query_to_doc among the directions/)
  refused({ directions: ['doc_to_query'] }, /received "doc_to_query"/)
  refused({ directions: 'query_to_doc' }, /an array of directions/)
  refused({ directions: ['query_to_doc', 'doc_to_docs'] }, /did you mean doc_to_doc\?/)
  refused({ directions: ['query_to_doc', undefined] }, /one of "query_to_doc"/)
  refused(
    { directions: ['query_to_doc', 'doc_to_doc'], partitionMode: 'per_direction' },
    /doc_to_doc holds no positive/,
  )
  refused({ partitionMode: 'both' }, /partitionMode/)
  refused({ hardnessMode: 'hard', hardnessStrength: 1 }, /hardnessMode/)
  refused({ hardnessMode: 'all_negatives' }, /together, or neither: found all_negatives and 0/)
  refused({ hardnessStrength: 5 }, /together, or neither: found null and 5/)
  refused({ hardnessMode: 'all_negatives', hardnessStrength: -1 }, /at least 0/)
  refused({ maskDuplicates: 1 }, /true or false/)
  refused({ falseNegativeMargin: Number.NaN }, /falseNegativeMargin/)
})

test('the symmetric losses are the ranking loss in both directions', (t) => {
  const symmetric = new losses.MultipleNegativesRankingLoss({
    scale: 7,
    directions: ['query_to_doc', 'doc_to_query'],
    partitionMode: 'per_direction',
  }).spec()
  t.deepEqual(new losses.MultipleNegativesSymmetricRankingLoss({ scale: 7 }).spec(), symmetric)
  const cached = new losses.CachedMultipleNegativesSymmetricRankingLoss({ scale: 7, miniBatchSize: 4 })
  t.deepEqual(cached.spec(), symmetric)
  t.deepEqual(cached.caching, { miniBatchSize: 4 })
  t.is(cached.type, 'CachedMultipleNegativesSymmetricRankingLoss')
  const other = { directions: ['query_to_doc'] } as never
  t.throws(() => new losses.MultipleNegativesSymmetricRankingLoss(other), { code: 'ERR_UNKNOWN_OPTION' })
  t.throws(() => new losses.CachedMultipleNegativesSymmetricRankingLoss(other), { code: 'ERR_UNKNOWN_OPTION' })
})

test('a cached loss is the plain loss with mini-batches', (t) => {
  const cached = new losses.CachedMultipleNegativesRankingLoss({
    scale: 3,
    maskDuplicates: true,
    miniBatchNumTokens: 512,
  })
  t.deepEqual(cached.spec(), new losses.MultipleNegativesRankingLoss({ scale: 3, maskDuplicates: true }).spec())
  t.deepEqual(cached.requirements, new losses.MultipleNegativesRankingLoss({ maskDuplicates: true }).requirements)
  t.deepEqual(cached.caching, { miniBatchTokens: 512 })
  t.deepEqual(new losses.CachedMultipleNegativesRankingLoss().caching, { miniBatchSize: 32 })
  const plain: losses.Loss = new losses.MultipleNegativesRankingLoss()
  t.is(plain.caching, undefined)
  const refused = (options: object, message: RegExp) =>
    t.throws(() => new losses.CachedMultipleNegativesRankingLoss(options), { code, message })
  refused({ miniBatchSize: 0 }, /CachedMultipleNegativesRankingLoss miniBatchSize/)
  refused({ miniBatchNumTokens: 1.5 }, /miniBatchNumTokens/)
  refused({ miniBatchSize: 8, miniBatchNumTokens: 64 }, /not both/)
  refused({ scale: 0 }, /CachedMultipleNegativesRankingLoss scale/)
  t.notThrows(() => new losses.CachedMultipleNegativesRankingLoss({ showProgressBar: false } as never))
  t.throws(() => new losses.CachedMultipleNegativesRankingLoss({ showProgressBar: true } as never), {
    code: 'ERR_NOT_IMPLEMENTED',
  })
  t.throws(() => new losses.MultipleNegativesRankingLoss({ miniBatchSize: 8 } as never), { code: 'ERR_UNKNOWN_OPTION' })
})
