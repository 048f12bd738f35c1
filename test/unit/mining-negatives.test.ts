import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { Dataset } from '../../lib/data/dataset.js'
import { TimeSlice } from '../../lib/data/time-slice.js'
import { type Embeddings, embeddings } from '../../lib/models/embeddings.js'
import type { EncodeOptions } from '../../lib/models/types.js'
import { type mineHardNegatives, mineNegativesWith } from '../../lib/search/hard-negatives/mine.js'
import type { MineHardNegativesOptions } from '../../lib/search/hard-negatives/options.js'
import { statistics } from '../../lib/search/hard-negatives/report.js'
import type { MiningStatistics } from '../../lib/search/hard-negatives/statistics-types.js'
import { fakeAddon } from '../helpers/fake-addon.js'

type Model = Parameters<typeof mineHardNegatives>[1]

/** A text is its angle in degrees behind a letter; `turn` stands for the weights. The fake engine's dot is the cosine. */
class Circle {
  readonly similarityFnName = 'cosine'
  readonly calls: { side: string; texts: readonly string[]; options: EncodeOptions }[] = []

  constructor(readonly turn = 0) {}

  encodeQuery = (texts: readonly string[], options: EncodeOptions) => this.#encode('query', texts, options)
  encodeDocument = (texts: readonly string[], options: EncodeOptions) => this.#encode('document', texts, options)

  async #encode(side: string, texts: readonly string[], options: EncodeOptions): Promise<Embeddings> {
    this.calls.push({ side, texts, options })
    const angles = texts.map((text) => ((Number(text.slice(1)) || 0) + this.turn) * (Math.PI / 180))
    return embeddings(Float32Array.from(angles.flatMap((angle) => [Math.cos(angle), Math.sin(angle)])), texts.length, 2)
  }
}

const pairs = Dataset.fromColumns({ query: ['q0', 'q90', 'q0'], answer: ['d5', 'd80', 'd20'], label: [1, 1, 1] })
const corpus = ['d1', 'd10', 'd30', 'd85', 'd91', 'd10', 'd180']

const mine = async (options: MineHardNegativesOptions, model = new Circle(), data = pairs) =>
  (await mineNegativesWith(fakeAddon, data, model as unknown as Model, { corpus, verbose: false, ...options })).columns

test('the closest texts that are no positives, for every positive', async (t) => {
  t.deepEqual(await mine({ numNegatives: 2 }), {
    query: ['q0', 'q0', 'q0', 'q0', 'q90', 'q90'],
    answer: ['d5', 'd5', 'd20', 'd20', 'd80', 'd80'],
    negative: ['d1', 'd10', 'd1', 'd10', 'd91', 'd85'],
  })
  t.deepEqual(await mine({ numNegatives: 1, rangeMin: 1, outputFormat: 'n-tuple' }), {
    query: ['q0', 'q0', 'q90'],
    answer: ['d5', 'd20', 'd80'],
    negative_1: ['d10', 'd10', 'd85'],
  })
})

test('a margin is measured from the lowest positive', async (t) => {
  // The positives of q0 lie at 5 and 20 degrees, that of q90 10 degrees away.
  const found = await mine({ absoluteMargin: 0.001, numNegatives: 1 })
  t.deepEqual(found.negative, ['d30', 'd30', 'd30'])
})

test('other columns, other directions', async (t) => {
  const data = Dataset.fromColumns({ note: ['n', 'n'], answer: ['d5', 'd80'], query: ['q0', 'q90'] })
  const columns = { anchorColumnName: 'query', positiveColumnName: 'answer' }
  t.deepEqual(await mine({ ...columns, numNegatives: 1, outputFormat: 'labeled-pair' }, new Circle(), data), {
    query: ['q0', 'q0', 'q90', 'q90'],
    answer: ['d5', 'd1', 'd80', 'd91'],
    label: [1, 0, 1, 0],
  })
})

test('the order of the columns does not depend on what they are called', async (t) => {
  const data = Dataset.fromColumns({ 1: ['q0', 'q90'], 0: ['d5', 'd80'] }, { columns: ['1', '0'] })
  const options = { corpus, verbose: false, numNegatives: 2 } as const
  const { names } = await mineNegativesWith(fakeAddon, data, new Circle() as unknown as Model, {
    ...options,
    outputFormat: 'n-tuple',
  })
  t.deepEqual(names, ['1', '0', 'negative_1', 'negative_2'])
})

test('every format is a dataset', async (t) => {
  const dataset = async (options: MineHardNegativesOptions) =>
    Dataset.fromColumns(await mine({ numNegatives: 1, ...options }))
  const triplets = await dataset({ outputScores: true })
  t.deepEqual([...triplets.columnNames], ['query', 'answer', 'negative', 'scores'])
  t.is(triplets.labelColumn, 'scores')
  const lists = await dataset({ outputFormat: 'labeled-list', minScore: 0.99, numNegatives: 3 })
  t.is(lists.labelColumn, 'labels')
  t.deepEqual(lists.row(0), { query: 'q0', answer: ['d5', 'd1'], labels: [1, 0] })
  t.is((await dataset({ outputFormat: 'labeled-pair', outputScores: true })).labelColumn, 'score')
})

test('columns that hold no texts are no anchors', async (t) => {
  const data = Dataset.fromColumns({ id: [{}, {}], tags: [['a'], ['b']], query: ['q0', 'q90'], answer: ['d5', 'd80'] })
  t.deepEqual(Object.keys(await mine({ numNegatives: 1 }, new Circle(), data)), ['query', 'answer', 'negative'])
})

test('random negatives: of the candidates, none twice, the best first, the same for the same seed', async (t) => {
  const far = Array.from({ length: 40 }, (_, i) => `d${100 + i}`)
  const options = {
    corpus: far,
    samplingStrategy: 'random',
    rangeMax: 30,
    numNegatives: 6,
    outputFormat: 'n-tuple',
  } as const
  const draw = async (seed?: number) => {
    const { query, answer, ...negatives } = await mine({ ...options, ...(seed === undefined ? {} : { seed }) })
    return Object.values(negatives).map((column) => column[0])
  }
  const seen = new Set<unknown>()
  for (let seed = 0; seed < 60; seed++) {
    const drawn = await draw(seed)
    t.is(new Set(drawn).size, 6)
    t.deepEqual(
      drawn,
      drawn.toSorted((a, b) => Number(String(a).slice(1)) - Number(String(b).slice(1))),
    )
    for (const text of drawn) seen.add(text)
  }
  // The 30 best that are no positives, with d80, the positive of the other query.
  t.deepEqual([...seen].sort(), ['d80', ...far.slice(0, 29)].sort())
  t.deepEqual(await draw(7), await draw(7))
  t.deepEqual(await draw(), await draw(42))
})

test('random takes what there is when there are too few', async (t) => {
  const options = { samplingStrategy: 'random', numNegatives: 5, minScore: 0.9 } as const
  t.deepEqual((await mine(options)).negative, ['d1', 'd10', 'd1', 'd10', 'd91', 'd85'])
})

test('includePositives gives the whole ranking', async (t) => {
  const found = await mine({ includePositives: true, numNegatives: 4 })
  t.deepEqual(
    Object.values(found).map((column) => column[0]),
    ['q0', 'd5', 'd1', 'd5', 'd10', 'd20'],
  )
})

test('prompts and options of encode reach the model', async (t) => {
  const model = new Circle()
  const { signal } = new AbortController()
  await mine({ queryPrompt: 'Q ', corpusPromptName: 'doc', batchSize: 7, signal }, model)
  const base = { batchSize: 7, normalizeEmbeddings: true, showProgressBar: false, signal }
  t.deepEqual(model.calls, [
    { side: 'document', texts: [...new Set(corpus), 'd5', 'd80', 'd20'], options: { ...base, promptName: 'doc' } },
    { side: 'query', texts: ['q0', 'q90'], options: { ...base, prompt: 'Q ' } },
  ])
})

test('a cross-encoder decides on candidates and positives', async (t) => {
  const asked: unknown[] = []
  const crossEncoder = {
    predict: async (chunk: readonly (readonly [string, string])[], options: object) => {
      asked.push(options)
      return { data: Float32Array.from(chunk, ([, text]) => (text === 'd180' ? 0.4 : text === 'd30' ? 0.3 : 0.9)) }
    },
  }
  const found = await mine({ crossEncoder, absoluteMargin: 0.1, numNegatives: 2, batchSize: 5, outputScores: true })
  t.deepEqual(found.negative?.slice(0, 2), ['d180', 'd30'])
  t.deepEqual(found.scores?.[0], [0.9, 0.4].map(Math.fround))
  t.true(asked.length >= 2)
  t.deepEqual(asked[0], { batchSize: 5 })
  const short = { predict: () => [1] }
  const error = { code: 'ERR_INVALID_ARGUMENT', message: /one number for each of 3 pairs/ }
  await t.throwsAsync(mine({ crossEncoder: short, maxScore: 1 }), error)
})

test('minScore alone makes a cross-encoder decide, and ten times as many candidates are looked at', async (t) => {
  // By the model d1 and d10 come first; the cross-encoder likes only the last candidate.
  const crossEncoder = {
    predict: async (chunk: readonly (readonly [string, string])[]) =>
      chunk.map(([, text]) => (text === 'd180' ? 1 : 0)),
  }
  const lines: string[] = []
  const verbose = { write: (line: string) => lines.push(line.trimEnd()) }
  const found = await mine({ crossEncoder, minScore: 0.5, numNegatives: 1, verbose })
  t.deepEqual(found.negative, ['d180', 'd180', 'd180'])
  t.is(lines[0], 'Setting rangeMax to 12 based on the provided parameters.')
  lines.length = 0
  await mine({ minScore: 0.5, numNegatives: 1, verbose })
  t.is(lines[0], 'Setting rangeMax to 3 based on the provided parameters.')
})

test('embeddings are kept under a name that tells texts, prompts and weights apart', async (t) => {
  const cacheFolder = await mkdtemp(join(tmpdir(), 'sentence-torch-mining-'))
  t.teardown(() => rm(cacheFolder, { recursive: true }))
  const lines: string[] = []
  const verbose = { write: (line: string) => lines.push(line) }
  const files = async () => (await readdir(cacheFolder)).length
  const first = await mine({ cacheFolder, verbose })
  t.true((await readdir(cacheFolder)).every((name) => /^(query|corpus)_embeddings_[0-9a-f]{64}\.npy$/.test(name)))
  t.is(await files(), 2)
  t.is(lines.filter((line) => line.startsWith('[Cache] Saved')).length, 2)

  const again = new Circle()
  t.deepEqual(await mine({ cacheFolder, verbose }, again), first)
  // One text each, which stands for the weights.
  t.deepEqual(
    again.calls.map(({ texts }) => texts.length),
    [1, 1],
  )
  t.is(lines.filter((line) => line.startsWith('[Cache] Loaded')).length, 2)
  t.is(await files(), 2)

  await mine({ cacheFolder }, new Circle(3))
  t.is(await files(), 4)
  await mine({ cacheFolder, queryPrompt: 'Q ' })
  t.is(await files(), 5)
  await mine({ cacheFolder, corpus: ['d1'], numNegatives: 1 })
  t.is(await files(), 6)

  for (const name of await readdir(cacheFolder)) await writeFile(join(cacheFolder, name), 'damaged')
  await t.throwsAsync(mine({ cacheFolder }), { code: 'ERR_INVALID_FILE', message: /\.npy/ })
})

test('the report counts what a bound refused', async (t) => {
  const lines: string[] = []
  await mine({ minScore: 0.9, numNegatives: 2, verbose: { write: (line: string) => lines.push(line) } })
  // Of q0: d30, d80, d85, d91 and d180 are further than 25.8 degrees away; of q90 all but d80, d85 and d91.
  const line = lines.find((each) => each.includes('minScore'))
  t.regex(line ?? '', /^Skipped \d+ potential negatives \(\d+\.\d\d%\) due to the minScore of 0\.9\.\n$/)
})

test('statistics are those of sorting and summing, also of more numbers than one run holds', async (t) => {
  const scores = Array.from({ length: 100_000 }, (_, i) => Math.sin(i * 12.9898) * 43758.5453).map(
    (x) => x - Math.floor(x),
  )
  const found = await statistics(scores, new TimeSlice())
  const sorted = scores.toSorted((a, b) => a - b)
  t.is(found.Min, sorted[0]!)
  t.is(found.Max, sorted.at(-1)!)
  t.is(found.Median, sorted[49_999]!)
  t.true(Math.abs(found['50%'] - (sorted[49_999]! + sorted[50_000]!) / 2) < 1e-12)
  t.true(Math.abs(found.Mean - sorted.reduce((sum, score) => sum + score) / 100_000) < 1e-9)
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        // no -0, which no comparison tells from 0
        fc.double({ min: -1, max: 1, noNaN: true }).map((score) => score + 0),
        { minLength: 1, maxLength: 9 },
      ),
      async (list) => {
        const { Min, Max, Median } = await statistics(list, new TimeSlice())
        const order = list.toSorted((a, b) => a - b)
        t.deepEqual([Min, Max, Median], [order[0]!, order.at(-1)!, order[(list.length - 1) >> 1]!])
      },
    ),
  )
})

test('what cannot be is refused before anything is embedded', async (t) => {
  const never = { encodeQuery: () => t.fail(), encodeDocument: () => t.fail() } as unknown as Circle
  const refused = async (options: object, error: { code: string; message: RegExp }, data = pairs) =>
    t.throwsAsync(mine(options, never, data), error)
  const invalid = (message: RegExp) => ({ code: 'ERR_INVALID_ARGUMENT', message })
  for (const name of ['rangeMax', 'numNegatives', 'batchSize']) await refused({ [name]: 0 }, invalid(new RegExp(name)))
  for (const name of ['rangeMin', 'seed']) await refused({ [name]: -1 }, invalid(new RegExp(name)))
  for (const name of [
    'maxScore',
    'minScore',
    'absoluteMargin',
    'relativeMargin',
    'verbose',
    'cacheFolder',
    'queryPrompt',
  ]) {
    await refused({ [name]: Number.NaN }, invalid(new RegExp(name)))
  }
  await refused({ samplingStrategy: 'best' }, invalid(/samplingStrategy/))
  await refused({ outputFormat: 'tuple' }, invalid(/n-tuple.*outputFormat/))
  await refused({ corpus: ['a', 1] }, invalid(/corpus\[1\]/))
  await refused({ rangeMin: 4, rangeMax: 6 }, invalid(/at least rangeMin \+ numNegatives = 7, but received 6/))
  await refused({ crossEncoder: {}, maxScore: 1 }, invalid(/predict/))
  await refused(
    { crossEncoder: { predict: () => [] } },
    invalid(/absoluteMargin, relativeMargin, maxScore or minScore/),
  )
  await refused({ queryPrompt: 'a', queryPromptName: 'b' }, invalid(/both/))
  await refused({ includePositives: true, outputFormat: 'triplet' }, invalid(/n-tuple/))
  await refused({ anchorColumnName: 'q' }, invalid(/query, answer/))
  await refused({ anchorColumnName: 'label' }, invalid(/query, answer/))
  for (const [name, value] of [
    ['useFaiss', true],
    ['faissBatchSize', 64],
    ['useMultiProcess', true],
    ['margin', 1],
  ] as const) {
    await refused({ [name]: value }, { code: 'ERR_NOT_IMPLEMENTED', message: new RegExp(`${name}.*;`) })
  }
  await refused({ numNegative: 1 }, { code: 'ERR_UNKNOWN_OPTION', message: /numNegatives/ })
  await refused({}, invalid(/for dataset/), {} as Dataset)
  await t.throwsAsync(mine({}, {} as Circle), invalid(/for model/))
  const empty = Dataset.fromColumns({ query: [], answer: [] })
  await refused({}, { code: 'ERR_INVALID_DATA', message: /0 rows/ }, empty)
  await refused({}, { code: 'ERR_INVALID_DATA', message: /columns query/ }, Dataset.fromColumns({ query: ['q1'] }))
  await t.throwsAsync(mine({ signal: AbortSignal.abort() }), { code: 'ERR_ABORTED' })
})

test('a judge is asked about no more than is needed, and its answers are left out', async (t) => {
  const asked: string[][] = []
  const judge = {
    judge: async (given: readonly (readonly [string, string])[]) => {
      asked.push(given.map((pair) => pair.join(' ')))
      return given.map(([, text]) => text === 'd1' || text === 'd85')
    },
  }
  let told: MiningStatistics | undefined
  const onStatistics = (found: MiningStatistics) => {
    told = found
  }
  const found = await mine({ numNegatives: 2, judge, onStatistics, outputScores: true })
  t.deepEqual(found.query, ['q0', 'q0', 'q0', 'q0', 'q90', 'q90'])
  t.deepEqual(found.negative, ['d10', 'd30', 'd10', 'd30', 'd91', 'd30'])
  t.deepEqual(asked, [
    ['q0 d1', 'q0 d10', 'q90 d91', 'q90 d85'],
    ['q0 d30', 'q90 d30'],
  ])
  const { refused, queries, rows, missingRows, positiveScores, closest, samples } = told!
  t.deepEqual(
    refused.map(({ reason, count }) => [reason, count]),
    [['judge', 2]],
  )
  t.deepEqual([queries, rows, missingRows, positiveScores.length], [2, 6, 0, 3])
  t.deepEqual([closest[0]!.query, closest[0]!.negative], ['q90', 'd91'])
  t.is(samples.length, 4)
})

test('the judge of random candidates leaves a random choice, in the order of their scores', async (t) => {
  const judge = { judge: (given: readonly (readonly [string, string])[]) => given.map(([, text]) => text === 'd30') }
  const options = { numNegatives: 2, samplingStrategy: 'random', outputFormat: 'n-tuple', rangeMax: 5, judge } as const
  const seen = new Set<string>()
  for (let seed = 0; seed < 20; seed++) {
    const found = await mine({ ...options, seed })
    const first = [found.negative_1![0], found.negative_2![0]] as string[]
    t.false(first.includes('d30'))
    t.true(Number(first[0]!.slice(1)) < Number(first[1]!.slice(1)), first.join())
    seen.add(first.join())
  }
  t.true(seen.size > 2, [...seen].join('; '))
})

test('written negatives are scored, and margins hold for them', async (t) => {
  const asked: unknown[] = []
  const writer = {
    write: async (given: readonly (readonly [string, string])[], { count }: { count: number }) => {
      asked.push([...given.map((pair) => pair.join(' ')), count])
      return given.map(([query]) => (query === 'q0' ? ['d40', 'd2', ' ', 'd5'] : ['d70']))
    },
  }
  const options = {
    corpus: undefined,
    writer,
    numNegatives: 4,
    outputScores: true,
  } as unknown as MineHardNegativesOptions
  const found = await mine({ ...options, absoluteMargin: 0.001 })
  t.deepEqual(asked, [['q0 d5', 'q90 d80', 4]])
  // d2 is nearer than the positives, d5 is one of them.
  t.deepEqual(found.negative, ['d40', 'd40', 'd70'])
  t.true(Math.abs((found.scores as number[][])[0]![1]! - Math.cos((40 * Math.PI) / 180)) < 1e-6)
  // A cross-encoder gets nothing but what was written.
  const pairsSeen: string[] = []
  const crossEncoder = {
    predict: (given: readonly (readonly [string, string])[]) => {
      pairsSeen.push(...given.map((pair) => pair.join(' ')))
      return given.map(() => 0.5)
    },
  }
  await mine({ ...options, crossEncoder, maxScore: 0.9 })
  t.deepEqual(pairsSeen.slice(3), ['q0 d40', 'q0 d2', 'q0 d5', 'q90 d70'])
})

test('judges and writers that are none, and what does not go with them', async (t) => {
  const bad = (options: object, message: RegExp) =>
    t.throwsAsync(mine(options as MineHardNegativesOptions), { code: 'ERR_INVALID_ARGUMENT', message })
  await bad({ difficulty: 'brutal' }, /difficulty/)
  await bad({ judge: {} }, /judge\(\) for judge/)
  await bad({ writer: () => [] }, /write\(\) for writer/)
  await bad({ onStatistics: 1 }, /onStatistics/)
  await bad({ writer: { write: () => [] } }, /leave corpus out/)
  // Nothing that is paid for is asked.
  const writer = { write: () => t.fail() }
  for (const difficulty of ['easy', 'semi-hard'])
    await bad(
      { corpus: undefined, writer, difficulty },
      new RegExp(`rangeMin 0, found 10+, with difficulty ${difficulty}`),
    )
  await bad({ corpus: undefined, writer, difficulty: 'hard', rangeMin: 3 }, /rangeMin 0, found 3/)
  await bad({ judge: { judge: () => [] }, includePositives: true }, /includePositives/)
  await bad({ judge: { judge: () => ['no'] } }, /true or false for each of 6 pairs/)
  await bad({ corpus: undefined, writer: { write: () => [['a']] } }, /a list of texts for each of 2 pairs/)
})
