// What happens to the arguments of a call after the call, and to settings of a model, is for later calls.
import { setImmediate as turn } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import type { EvaluatedModel } from '../../lib/evaluation/evaluator.js'
import * as evaluation from '../../lib/evaluation/index.js'
import { copyOf, type Embeddings, type EmbeddingsLike, embeddings } from '../../lib/models/embeddings.js'
import { encodeRows } from '../../lib/models/encode.js'
import { loadWith } from '../../lib/models/sentence-transformer.js'
import { ownCopy } from '../../lib/options.js'
import type { SearchEngine } from '../../lib/search/blocks.js'
import { detectWith } from '../../lib/search/community-detection.js'
import { mineNegativesWith } from '../../lib/search/hard-negatives/mine.js'
import { mineEmbeddingsWith, mineWith } from '../../lib/search/paraphrase-mining.js'
import { searchWith } from '../../lib/search/semantic-search.js'
import { quantizeEmbeddings } from '../../lib/search/util.js'
import { fakeAddon } from '../helpers/fake-addon.js'
import { temporaryFolder, writeModel } from '../helpers/model-folders.js'
import { spoil } from '../helpers/spoil.js'

async function setUp(t: ExecutionContext) {
  const path = await temporaryFolder(t)
  await writeModel(path, '2.0')
  return loadWith(fakeAddon, path, { prompts: { query: 'the ' } })
}

// More than the first slice, of different lengths.
const texts = () => Array.from({ length: 1200 }, (_, i) => 'cat '.repeat(i % 11))

test('encode embeds the texts of the call, with the settings and options of the call', async (t) => {
  const model = await setUp(t)
  const options = () => ({ promptName: 'query', truncateDim: 8, normalizeEmbeddings: true })
  const right = await model.encode(texts(), options())

  const emptied = texts()
  let call = model.encode(emptied, options())
  emptied.length = 0
  t.deepEqual((await call).data, right.data)

  const filled = texts()
  call = model.encode(filled, options())
  filled.fill('dog')
  t.deepEqual((await call).data, right.data)

  const given: Record<string, unknown> = options()
  call = model.encode(texts(), given)
  Object.assign(given, { truncateDim: 3, normalizeEmbeddings: false })
  model.maxSeqLength = 3
  model.prompts.query = 'a a a '
  t.deepEqual((await call).data, right.data)
  t.notDeepEqual((await model.encode(texts(), options())).data, right.data)
})

test('rows that do not come are an error, and rows that come at once leave turns to timers', async (t) => {
  const encoder = { embeddingDimension: 1, tokenDimension: 1, encode: async () => {} }
  const request = {
    encoder: encoder as unknown as Parameters<typeof encodeRows>[0]['encoder'],
    output: 'sentence_embedding' as const,
    batchSize: 1,
    put: () => {},
  }
  const nothing = async () => ({ ids: new Int32Array(0), offsets: new Int32Array(1) })
  await t.throwsAsync(encodeRows({ ...request, count: 5, tokenize: nothing }), {
    code: 'ERR_INVALID_DATA',
    message: 'Expected 5 rows of tokens but received 0',
  })

  let turns = 0
  let done = false
  const count = async () => {
    while (!done) {
      await turn()
      turns++
    }
  }
  const counting = count()
  // 200,000 rows of 100 tokens, whose promises all settle without the event loop.
  const tokenize = async (start: number, end: number) => {
    const offsets = Int32Array.from({ length: end - start + 1 }, (_, i) => 100 * i)
    return { ids: new Int32Array(100 * (end - start)), offsets }
  }
  await encodeRows({ ...request, count: 200_000, tokenize })
  done = true
  await counting
  t.true(turns > 10, `${turns}`)
})

const rows = () => embeddings(Float32Array.of(1, 0, 0.8, 0.6, 0, 1, -1, 0, 0.6, 0.8, 0.9, 0.1), 6, 2)

/** Reads its arguments some turns after it was called, as the engine does. */
const slow: SearchEngine = {
  topK: async (...args) => {
    await turn()
    await turn()
    return fakeAddon().topK(...args)
  },
}

const SEARCHES: Record<string, (given: EmbeddingsLike) => Promise<unknown>> = {
  semanticSearch: (given) => searchWith(() => slow, given, given, { topK: 3, corpusChunkSize: 2 }),
  paraphraseMining: (given) => mineEmbeddingsWith(() => slow, given, { topK: 2, queryChunkSize: 2 }),
  communityDetection: (given) => detectWith(() => slow, given, { minCommunitySize: 1, batchSize: 2 }),
  quantizeEmbeddings: async (given) => (await quantizeEmbeddings(given, 'int8', { ranges: rangesOf(given) })).data,
}
const rangesOf = (given: EmbeddingsLike) => ({
  data: (given as { data: Float32Array }).data.subarray(0, 4),
  shape: [2, 2] as [number, number],
})

for (const [name, search] of Object.entries(SEARCHES)) {
  test(`${name} sees the rows of the call`, async (t) => {
    const right = await search(rows())
    const written = rows()
    const call = search(written)
    written.data.fill(0.5)
    t.deepEqual(await call, right)

    const taken = rows()
    const another = search(taken)
    structuredClone(taken.data.buffer, { transfer: [taken.data.buffer as ArrayBuffer] })
    t.is(taken.data.length, 0)
    t.deepEqual(await another, right)

    const shared = new Float32Array(new SharedArrayBuffer(4 * 12))
    shared.set(rows().data)
    t.deepEqual(await search({ data: shared, shape: [6, 2] }), right)
  })
}

test('rows that were transferred before the call are not called a lack of memory', (t) => {
  const { data } = rows()
  structuredClone(data.buffer, { transfer: [data.buffer as ArrayBuffer] })
  t.throws(() => copyOf(data, 'corpus'), { code: 'ERR_INVALID_ARGUMENT', message: /corpus .* transferred/ })
})

test('a large corpus is copied part by part, and one that is taken away is an error', async (t) => {
  const search = (corpus: EmbeddingsLike) => searchWith(() => slow, rows(), corpus, { topK: 4 }, 16)
  const right = await searchWith(() => slow, rows(), rows(), { topK: 4 })
  t.deepEqual(await search(rows()), right)
  const parts: ArrayBufferLike[] = []
  const given = rows()
  const watching: SearchEngine = {
    topK: (queries, corpus, ...rest) => {
      parts.push(corpus.buffer)
      t.true(corpus.length <= 4)
      return slow.topK(queries, corpus, ...rest)
    },
  }
  t.deepEqual(await searchWith(() => watching, rows(), given, { topK: 4 }, 16), right)
  t.is(parts.length, 3)
  t.false(parts.includes(given.data.buffer))

  const call = search(given)
  structuredClone(given.data.buffer, { transfer: [given.data.buffer as ArrayBuffer] })
  await t.throwsAsync(call, { code: 'ERR_INVALID_ARGUMENT', message: /corpus/ })
})

test('copy: false copies each part when its turn comes, so that the engine never holds memory of the caller', async (t) => {
  const buffers = new Set<ArrayBufferLike>()
  const watching: SearchEngine = {
    topK: (queries, corpus, ...rest) => {
      buffers.add(queries.buffer)
      buffers.add(corpus.buffer)
      return slow.topK(queries, corpus, ...rest)
    },
  }
  const engine = () => watching
  const searches: Record<string, (given: EmbeddingsLike, copy: boolean) => Promise<unknown>> = {
    semanticSearch: (given, copy) => searchWith(engine, given, given, { copy, queryChunkSize: 2 }),
    paraphraseMining: (given, copy) => mineEmbeddingsWith(engine, given, { copy, queryChunkSize: 2 }),
    communityDetection: (given, copy) => detectWith(engine, given, { copy, batchSize: 2, minCommunitySize: 1 }),
  }
  const Resizable = ArrayBuffer as unknown as new (
    bytes: number,
    options: { maxByteLength: number },
  ) => ArrayBuffer & { resize(bytes: number): void }
  for (const [name, search] of Object.entries(searches)) {
    const right = await search(rows(), true)
    const given = rows()
    t.deepEqual(await search(given, false), right, name)
    t.false(buffers.has(given.data.buffer), name)

    const taken = rows()
    const call = search(taken, false)
    structuredClone(taken.data.buffer, { transfer: [taken.data.buffer as ArrayBuffer] })
    await t.throwsAsync(call, { code: 'ERR_INVALID_ARGUMENT', message: /memory was taken away/ }, name)

    const buffer = new Resizable(48, { maxByteLength: 96 })
    const shrunk = { data: new Float32Array(buffer), shape: [6, 2] as [number, number] }
    shrunk.data.set(rows().data)
    const another = search(shrunk, false)
    buffer.resize(8)
    await t.throwsAsync(another, { code: 'ERR_INVALID_ARGUMENT', message: /memory was taken away/ }, name)

    const shared = new Float32Array(new SharedArrayBuffer(48))
    shared.set(rows().data)
    t.deepEqual(await search({ data: shared, shape: [6, 2] }, false), right, name)
    t.false(buffers.has(shared.buffer), name)
  }
  const unsafe = { 'shared memory': new SharedArrayBuffer(48), resizable: new Resizable(48, { maxByteLength: 96 }) }
  for (const [message, buffer] of Object.entries(unsafe)) {
    const there = { data: new Float32Array(buffer), shape: [6, 2] as [number, number] }
    const error = { code: 'ERR_INVALID_ARGUMENT', message: new RegExp(message) }
    await t.throwsAsync(quantizeEmbeddings(there, 'binary', { copy: false }), error)
  }
  await t.throwsAsync(searchWith(engine, rows(), rows(), { copy: 1 as unknown as boolean }), { message: /copy/ })
})

test('what a model of one’s own gave may be taken away while it is searched', async (t) => {
  const given: Embeddings[] = []
  const give = async (texts: readonly string[]) => {
    const { data } = rows()
    given.push(embeddings(data.slice(0, 2 * texts.length), texts.length, 2))
    return given.at(-1)!
  }
  const taking = (take: boolean): SearchEngine => ({
    topK: (...args) => {
      for (const { data } of take ? given.splice(0) : []) {
        structuredClone(data.buffer, { transfer: [data.buffer as ArrayBuffer] })
      }
      return fakeAddon().topK(...args)
    },
  })
  const own = { encode: give, encodeQuery: give, encodeDocument: give, similarityFnName: 'cosine' as const }
  const texts = ['a', 'b', 'c', 'd', 'e', 'f']
  const pairs = Dataset.fromColumns({ anchor: texts.slice(0, 3), positive: texts.slice(3) })
  const searches = {
    paraphraseMining: (take: boolean) => mineWith(() => taking(take), own as never, texts, { topK: 2 }),
    mineHardNegatives: (take: boolean) =>
      mineNegativesWith(() => taking(take), pairs, own as never, { numNegatives: 1, verbose: false }),
  }
  for (const [name, search] of Object.entries(searches)) {
    const right = await search(false)
    given.length = 0
    t.deepEqual(await search(true), right as never, name)
    t.is(given.length, 0, name)
  }
})

/** Embeds a text as a direction that its letters say. */
const encode: EvaluatedModel['encode'] = async (given) => {
  const data = given.flatMap((text) => [text.length, text.charCodeAt(0) % 7, text.charCodeAt(text.length - 1) % 5])
  await turn()
  return embeddings(Float32Array.from(data), given.length, 3)
}
const model: EvaluatedModel = { encode, encodeQuery: encode, encodeDocument: encode, similarityFnName: 'cosine' }
const pairModel = {
  numLabels: 1,
  predict: async (pairs: readonly (readonly [string, string])[]) => {
    const data = Float32Array.from(pairs, ([a, b]) => a.length * 0.3 - b.length * 0.2)
    return { data, shape: [pairs.length], row: (i: number) => data.subarray(i, i + 1) }
  },
}

const left = () => ['a cat', 'the dogs', 'one mat', 'nobody', 'cats and dogs']
const right = () => ['cats', 'a dog', 'mats on mats', 'somebody else', 'dogs']
const samples = () =>
  left().map((query, i) => ({ query, positive: [right()[i]!], negative: right().filter((_, j) => j !== i) }))

/** What each evaluator is made of, and what it is then given. */
const EVALUATORS: Record<string, [options: () => object, judged?: unknown]> = {
  BinaryClassificationEvaluator: [() => ({ sentences1: left(), sentences2: right(), labels: [1, 0, 0, 1, 1] })],
  EmbeddingSimilarityEvaluator: [() => ({ sentences1: left(), sentences2: right(), scores: [1, 0.2, 0.4, 0, 0.7] })],
  TripletEvaluator: [
    () => ({ anchors: left(), positives: right(), negatives: left().reverse(), margin: { cosine: 0.001 } }),
  ],
  LabelAccuracyEvaluator: [
    () => ({
      ...{ sentences1: left(), sentences2: right(), labels: [0, 1, 2, 0, 1] },
      logits: (a: unknown) => a,
    }),
  ],
  MSEEvaluator: [() => ({ sourceSentences: left(), targetSentences: right(), teacherModel: { encode } })],
  RerankingEvaluator: [() => ({ samples: samples() })],
  CrossEncoderClassificationEvaluator: [
    () => ({ sentencePairs: left().map((text, i) => [text, right()[i]]), labels: [1, 0, 1, 1, 0] }),
    pairModel,
  ],
  CrossEncoderCorrelationEvaluator: [
    () => ({ sentencePairs: left().map((text, i) => [text, right()[i]]), scores: [1, 0, 0.3, 0.4, 0.9] }),
    pairModel,
  ],
  CrossEncoderRerankingEvaluator: [() => ({ samples: samples() }), pairModel],
}

for (const [name, [options, judged = model]] of Object.entries(EVALUATORS)) {
  test(`${name} measures what it was made of`, async (t) => {
    const make = (evaluation as unknown as Record<string, new (options: object) => evaluation.Evaluator>)[name]!
    const expected = await new make(options()).evaluate(judged as EvaluatedModel)
    t.true(Object.values(expected.metrics).every(Number.isFinite))
    const given = options()
    const evaluator = new make(given)
    spoil(given)
    t.deepEqual(await evaluator.evaluate(judged as EvaluatedModel), expected)
  })
}

test('a copy of one’s own is as deep as what a caller can write to, and no deeper', (t) => {
  class Other {}
  const kept = { other: new Other(), data: new Float32Array(2), call: () => 1 }
  const given = { list: [[1], { a: ['x'] }], map: new Map([['k', new Set([1])]]), nothing: null, ...kept }
  const copy = ownCopy(given)
  t.deepEqual(copy, given)
  for (const name of ['other', 'data', 'call'] as const) t.is(copy[name], given[name])
  spoil(given)
  t.deepEqual(copy.list, [[1], { a: ['x'] }])
  t.deepEqual(copy.map, new Map([['k', new Set([1])]]))
})
