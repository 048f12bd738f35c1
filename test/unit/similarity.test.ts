import test from 'ava'
import fc from 'fast-check'
import { embeddings } from '../../lib/models/embeddings.js'
import { pairwiseSimilarity, similarityMatrix } from '../../lib/models/similarity.js'
import { type SemanticSearchOptions, searchWith } from '../../lib/search/semantic-search.js'
import * as util from '../../lib/search/util.js'
import { fakeAddon } from '../helpers/fake-addon.js'

const a = embeddings(Float32Array.of(1, 0, 3, 4), 2, 2)
const b = embeddings(Float32Array.of(0, 2, 3, 4, -1, 0), 3, 2)
const near = (found: ArrayLike<number>, expected: number[]) =>
  found.length === expected.length && expected.every((value, i) => Math.abs(found[i]! - value) < 1e-6)

// Values of sentence_transformers.util on the same rows.
test('similarity of all with all', (t) => {
  t.deepEqual(similarityMatrix('dot', a, b).shape, [2, 3])
  t.true(near(similarityMatrix('dot', a, b).data, [0, 3, -1, 8, 25, -3]))
  t.true(near(similarityMatrix('cosine', a, b).data, [0, 0.6, -1, 0.8, 1, -0.6]))
  t.true(
    near(similarityMatrix('euclidean', a, b).data, [
      -Math.sqrt(5),
      -Math.sqrt(20),
      -2,
      -Math.sqrt(13),
      0,
      -Math.sqrt(32),
    ]),
  )
  t.true(near(similarityMatrix('manhattan', a, b).data, [-3, -6, -2, -5, 0, -8]))
  t.deepEqual(util.cosSim(a, b).data, similarityMatrix('cosine', a, b).data)
  t.deepEqual(util.dotScore(a, b).row(1), Float32Array.of(8, 25, -3))
})

test('pairwise similarity is the diagonal', (t) => {
  const rows = fc.array(fc.tuple(...Array.from({ length: 6 }, () => fc.double({ min: -10, max: 10, noNaN: true }))), {
    minLength: 1,
    maxLength: 5,
  })
  fc.assert(
    fc.property(rows, fc.constantFrom('cosine', 'dot', 'euclidean', 'manhattan'), (values, metric) => {
      const left = embeddings(Float32Array.from(values.flatMap((row) => row.slice(0, 3))), values.length, 3)
      const right = embeddings(Float32Array.from(values.flatMap((row) => row.slice(3))), values.length, 3)
      const all = similarityMatrix(metric, left, right)
      const pairs = pairwiseSimilarity(metric, left, right)
      t.true(values.every((_, i) => pairs[i] === all.row(i)[i]))
    }),
  )
})

test('one vector, lists of vectors, nothing', (t) => {
  t.deepEqual(
    similarityMatrix('dot', Float32Array.of(1, 2), [Float32Array.of(3, 4), Float32Array.of(5, 6)]).data,
    Float32Array.of(11, 17),
  )
  t.deepEqual(similarityMatrix('dot', [], a).shape, [0, 2])
  t.deepEqual(similarityMatrix('cosine', a, []).shape, [2, 0])
  t.is(pairwiseSimilarity('cosine', [], []).length, 0)
})

test('a zero vector has cosine 0 and stays zero when normalised', (t) => {
  t.is(similarityMatrix('cosine', new Float32Array(2), a).data[0], 0)
  const unit = util.normalize(embeddings(Float32Array.of(3, 4, 0, 0), 2, 2))
  t.true(near(unit.data, [0.6, 0.8, 0, 0]))
  t.deepEqual(unit.shape, [2, 2])
})

test('similarity of angles: complex halves, without the sign', (t) => {
  // (1 + 2i) / (3 + 4i) = (11 + 2i) / 25, over √5 / 5: 13 / (5 √5).
  t.true(near(util.pairwiseAngleSim(Float32Array.of(1, 2), Float32Array.of(3, 4)), [13 / (5 * Math.sqrt(5))]))
  t.true(near(util.pairwiseAngleSim(Float32Array.of(-1, -2), Float32Array.of(3, 4)), [13 / (5 * Math.sqrt(5))]))
  t.is(util.pairwiseAngleSim(Float32Array.of(1, 2), new Float32Array(2))[0], 0)
  t.is(util.pairwiseAngleSim(new Float32Array(3), new Float32Array(3))[0], 0)
  t.is(util.pairwiseAngleSim([], []).length, 0)
  t.throws(() => util.pairwiseAngleSim(a, b), { code: 'ERR_INVALID_ARGUMENT', message: /2 and 3/ })
})

test('misfits are refused', (t) => {
  const code = 'ERR_INVALID_ARGUMENT'
  t.throws(() => util.cosSim(a, Float32Array.of(1)), { code, message: /2 and 1/ })
  t.throws(() => pairwiseSimilarity('dot', a, b), { code, message: /2 and 3/ })
  t.throws(() => util.dotScore([1, 2] as unknown as Float32Array[], a), { code, message: /Float32Array/ })
  t.throws(() => util.normalize({ data: new Float32Array(3), shape: [2, 2] }), { code, message: /embeddings/ })
  t.throws(() => util.normalize([Float32Array.of(1, 2), Float32Array.of(1)]), {
    code,
    message: /length 2 for embeddings\[1\].*length 1/,
  })
})

test('semantic search gives the best rows per query', async (t) => {
  const search = (options: SemanticSearchOptions) => searchWith(() => fakeAddon(), a, b, options)
  t.deepEqual(await search({ topK: 2, scoreFunction: util.dotScore }), [
    [
      { corpusId: 1, score: 3 },
      { corpusId: 0, score: 0 },
    ],
    [
      { corpusId: 1, score: 25 },
      { corpusId: 0, score: 8 },
    ],
  ])
  t.deepEqual(
    (await search({})).map((hits) => hits.length),
    [3, 3],
  )
})

test('semantic search on nothing, with wrong shapes and options', async (t) => {
  const none = embeddings(new Float32Array(0), 0, 2)
  t.deepEqual(await util.semanticSearch(none, b), [])
  t.deepEqual(await util.semanticSearch(a, none), [[], []])
  const search = (options: object) => searchWith(() => fakeAddon(), a, b, options)
  await t.throwsAsync(search({ topK: 0 }), { code: 'ERR_INVALID_ARGUMENT', message: /topK/ })
  await t.throwsAsync(search({ scoreFunction: 'maxsim' }), { code: 'ERR_INVALID_ARGUMENT', message: /scoreFunction/ })
  await t.throwsAsync(search({ topk: 3 }), { code: 'ERR_UNKNOWN_OPTION', message: /topK/ })
  await t.throwsAsync(search({ corpusChunkSize: 0 }), { code: 'ERR_INVALID_ARGUMENT', message: /corpusChunkSize/ })
  await t.throwsAsync(search({ queryChunkSize: 1.5 }), { code: 'ERR_INVALID_ARGUMENT', message: /queryChunkSize/ })
  await t.throwsAsync(
    searchWith(() => fakeAddon(), Float32Array.of(1), b, {}),
    { code: 'ERR_INVALID_ARGUMENT', message: /1 and 2/ },
  )
})
