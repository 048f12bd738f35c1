import test from 'ava'
import fc from 'fast-check'
import { Random } from '../../lib/data/random.js'
import { embeddings } from '../../lib/models/embeddings.js'
import { type Block, searchBlocks } from '../../lib/search/blocks.js'
import { PairHeap, PairSet } from '../../lib/search/pair-heap.js'
import { mineEmbeddingsWith, mineWith, type ParaphraseMiningOptions } from '../../lib/search/paraphrase-mining.js'
import { searchWith } from '../../lib/search/semantic-search.js'
import { fakeAddon } from '../helpers/fake-addon.js'

// The fake engine compares by dot product. Row 3 repeats row 0.
const rows = embeddings(Float32Array.of(1, 0, 0.5, 0.5, 0, 2, 1, 0), 4, 2)
const mine = (options: Record<string, unknown>) => mineEmbeddingsWith(fakeAddon, rows, options)

test('every pair once, best first, the smaller number in front', async (t) => {
  t.deepEqual(await mine({}), [
    [1, 0, 3],
    [1, 1, 2],
    [0.5, 0, 1],
    [0.5, 1, 3],
    [0, 0, 2],
    [0, 2, 3],
  ])
})

test('topK counts other rows than the row itself, in the whole corpus whatever its parts', async (t) => {
  // Row 2 is most like itself and row 1; with dot products row 1 is more like row 2 than like itself.
  const best = [
    [1, 0, 3],
    [1, 1, 2],
  ]
  t.deepEqual(await mine({ topK: 1 }), best)
  for (const corpusChunkSize of [1, 2, 3]) {
    for (const queryChunkSize of [1, 3, 9]) t.deepEqual(await mine({ topK: 1, corpusChunkSize, queryChunkSize }), best)
  }
})

test('parts of rows and corpus change nothing in what is found', async (t) => {
  const random = new Random(4)
  const many = embeddings(
    Float32Array.from({ length: 90 * 3 }, () => random.below(7) - 3),
    90,
    3,
  )
  const options = { topK: 6, maxPairs: 200 }
  const whole = await mineEmbeddingsWith(fakeAddon, many, options)
  t.is(whole.length, 200)
  for (const corpusChunkSize of [1, 8, 50]) {
    const parts = { ...options, corpusChunkSize, queryChunkSize: 13 }
    t.deepEqual(await mineEmbeddingsWith(fakeAddon, many, parts), whole)
  }
})

test('maxPairs bounds the pairs that are given, however low they score', async (t) => {
  t.deepEqual(await mine({ maxPairs: 2 }), [
    [1, 0, 3],
    [1, 1, 2],
  ])
  t.deepEqual(await mine({ maxPairs: 1 }), [[1, 0, 3]])
  t.is((await mine({ maxPairs: 5 })).length, 5)
  const opposite = embeddings(Float32Array.of(3, 0, -3, 0), 2, 2)
  t.deepEqual(await mineEmbeddingsWith(fakeAddon, opposite, {}), [[-9, 0, 1]])
})

test('the model embeds with the options of encode, the rest goes to the search', async (t) => {
  const calls: unknown[] = []
  const { signal } = new AbortController()
  const model = {
    encode: async (...args: unknown[]) => {
      calls.push(args)
      return rows
    },
  } as unknown as Parameters<typeof mineWith>[1]
  const encoding = { batchSize: 8, prompt: 'p: ', truncateDim: 2, showProgressBar: false }
  const options: ParaphraseMiningOptions = { ...encoding, topK: 3, maxPairs: 2, signal }
  t.is((await mineWith(fakeAddon, model, ['a', 'b', 'c', 'd'], options)).length, 2)
  t.deepEqual(calls, [[['a', 'b', 'c', 'd'], { ...encoding, signal }]])
})

test('wrong options are refused before anything is embedded', async (t) => {
  const model = { encode: () => t.fail() } as unknown as Parameters<typeof mineWith>[1]
  for (const name of ['topK', 'maxPairs', 'queryChunkSize', 'corpusChunkSize']) {
    const error = { code: 'ERR_INVALID_ARGUMENT', message: new RegExp(name) }
    await t.throwsAsync(mineWith(fakeAddon, model, [], { [name]: 0 }), error)
  }
  const noModel = {} as typeof model
  await t.throwsAsync(mineWith(fakeAddon, noModel, [], {}), { code: 'ERR_INVALID_ARGUMENT', message: /for model/ })
  const text = 'one text' as unknown as string[]
  await t.throwsAsync(mineWith(fakeAddon, model, text, {}), { code: 'ERR_INVALID_ARGUMENT', message: /for sentences/ })
  await t.throwsAsync(mine({ scoreFunction: 'hamming' }), { code: 'ERR_INVALID_ARGUMENT', message: /scoreFunction/ })
  await t.throwsAsync(mine({ maxpairs: 1 }), { code: 'ERR_UNKNOWN_OPTION', message: /maxPairs/ })
  await t.throwsAsync(mine({ batchSize: 1 }), { code: 'ERR_UNKNOWN_OPTION' })
})

test('a search ends at its signal, between two jobs, and passes the errors of the engine on', async (t) => {
  const controller = new AbortController()
  let jobs = 0
  const engine = fakeAddon()
  const counting = {
    topK: async (...args: Parameters<typeof engine.topK>) => {
      if (++jobs === 2) controller.abort()
      return engine.topK(...args)
    },
  }
  const { signal } = controller
  const search = mineEmbeddingsWith(() => counting, rows, { queryChunkSize: 1, signal })
  await t.throwsAsync(search, { code: 'ERR_ABORTED' })
  t.is(jobs, 2)
  const failing = { topK: () => Promise.reject(Object.assign(new Error('none left'), { code: 'ERR_OUT_OF_MEMORY' })) }
  await t.throwsAsync(
    searchWith(() => failing, rows, rows, {}),
    { code: 'ERR_OUT_OF_MEMORY', message: 'none left' },
  )
})

test('chunks change nothing in what a search finds', async (t) => {
  const whole = await searchWith(fakeAddon, rows, rows, { topK: 3 })
  for (const corpusChunkSize of [1, 2, 3, 4]) {
    t.deepEqual(await searchWith(fakeAddon, rows, rows, { topK: 3, corpusChunkSize, queryChunkSize: 3 }), whole)
  }
})

test('blocks cover all queries in order, in jobs of the size asked for', async (t) => {
  const blocks: Block[] = []
  const options = { k: 2, metric: 'dot', rowsPerJob: 3 } as const
  for await (const block of searchBlocks(fakeAddon, rows, rows, options)) blocks.push(block)
  t.deepEqual(
    blocks.map(({ first, rows }) => [first, rows]),
    [
      [0, 3],
      [3, 1],
    ],
  )
  t.deepEqual([...blocks[1]!.indices], [0, 3])
})

test('the heap gives the lowest first, of equal ones the largest numbers', (t) => {
  const entries = fc.array(fc.tuple(fc.integer({ min: -3, max: 3 }), fc.nat(3), fc.nat(3)), { maxLength: 60 })
  fc.assert(
    fc.property(entries, (values) => {
      const heap = new PairHeap()
      for (const [score, i, j] of values) heap.push(score, i, j)
      const found = Array.from({ length: values.length }, () => heap.pop())
      const sorted = values.toSorted((a, b) => a[0] - b[0] || b[1] - a[1] || b[2] - a[2])
      t.deepEqual(
        found.map(({ score, i, j }) => [score, i, j]),
        sorted,
      )
      t.is(heap.size, 0)
    }),
  )
})

test('the heap grows', (t) => {
  const heap = new PairHeap()
  for (let i = 5000; i > 0; i--) heap.push(i, i, 0)
  t.is(heap.size, 5000)
  for (let i = 1; i <= 5000; i++) t.is(heap.pop().i, i)
})

test('the set knows which pairs it has', (t) => {
  const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(12), fc.nat(12)), { maxLength: 200 })
  fc.assert(
    fc.property(steps, (changes) => {
      const [set, known] = [new PairSet(), new Set<string>()]
      for (const [adds, i, j] of changes) {
        if (adds) {
          t.is(set.add(i, j), !known.has(`${i},${j}`))
          known.add(`${i},${j}`)
        } else {
          set.delete(i, j)
          known.delete(`${i},${j}`)
        }
      }
    }),
  )
})

test('the set grows, and what is taken out leaves the others where they are found', (t) => {
  const set = new PairSet()
  // Beyond the first size of the table, so that many share a place.
  for (let i = 0; i < 5000; i++) t.true(set.add(i % 71, i))
  for (let i = 0; i < 5000; i += 2) set.delete(i % 71, i)
  for (let i = 0; i < 5000; i++) t.is(set.add(i % 71, i), i % 2 === 0)
})

test('the event loop runs while pairs are collected and sorted', async (t) => {
  // An engine that answers at once: every row is close to the rows behind it.
  const instant = {
    topK: async (...[queries, , dim, k, , scores, indices]: Parameters<ReturnType<typeof fakeAddon>['topK']>) => {
      for (let i = 0; i < (queries.length / dim) * k; i++) {
        scores[i] = 1 / (1 + (i % 7919))
        indices[i] = (i * 31) % 3000
      }
    },
  }
  let turns = 0
  let running = true
  const turn = () => {
    turns++
    if (running) setImmediate(turn)
  }
  setImmediate(turn)
  const pairs = await mineEmbeddingsWith(() => instant, embeddings(new Float32Array(3000), 3000, 1), {})
  running = false
  t.true(pairs.length > 50_000)
  t.true(turns > 5, `${turns} turns`)
})
