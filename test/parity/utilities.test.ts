// Search and mining against sentence-transformers' own (make_utilities.py), on the real engine.
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import { embeddings } from '../../lib/models/embeddings.js'
import { loadAddon } from '../../lib/native/load.js'
import type { Metric } from '../../lib/native/types.js'
import { mineNegativesWith } from '../../lib/search/hard-negatives/mine.js'
import { readNpy, writeNpy } from '../../lib/search/hard-negatives/npy.js'
import type { MineHardNegativesOptions } from '../../lib/search/hard-negatives/options.js'
import type { Precision } from '../../lib/search/quantize.js'
import * as util from '../../lib/search/util.js'
import { camel, sameRanking, sameScore } from './rankings.js'
import { equal } from './report.js'

const GOLDEN = new URL('../../../test/parity/golden/utilities/', import.meta.url)
const golden = <T>(name: string): T => JSON.parse(readFileSync(new URL(`${name}.json`, GOLDEN), 'utf8')) as T

const matrix = (data: number[], dim: number) => embeddings(Float32Array.from(data), data.length / dim, dim)
interface SearchGolden {
  dim: number
  queries: number[]
  corpus: number[]
  cases: { metric: Metric; options: Record<string, number>; hits: [number, number][][] }[]
}

test('semanticSearch finds what util.semantic_search finds', async (t) => {
  const { dim, queries, corpus, cases } = golden<SearchGolden>('search')
  t.is(cases.length, 16)
  for (const { metric, options, hits } of cases) {
    const found = await util.semanticSearch(matrix(queries, dim), matrix(corpus, dim), {
      ...camel(options),
      scoreFunction: metric,
    })
    t.is(found.length, hits.length)
    found.forEach((row, i) => {
      const mine = row.map((hit): [number, string] => [hit.score, `${hit.corpusId}`])
      const theirs = hits[i]!.map(([id, score]): [number, string] => [score, `${id}`])
      t.true(
        sameRanking('utilities', 'semanticSearch', mine, theirs, true),
        `${metric} ${JSON.stringify(options)}, query ${i}`,
      )
    })
  }
})

test('embeddings are kept as the file that numpy.save writes', async (t) => {
  const { dim, corpus } = golden<SearchGolden>('search')
  const theirs = fileURLToPath(new URL('corpus.npy', GOLDEN))
  const rows = await readNpy(theirs, corpus.length / dim, dim)
  t.deepEqual(rows?.data, Float32Array.from(corpus))
  const folder = await mkdtemp(join(tmpdir(), 'sentence-torch-npy-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await writeNpy(join(folder, 'mine.npy'), matrix(corpus, dim))
  t.deepEqual(readFileSync(join(folder, 'mine.npy')), readFileSync(theirs))
  equal('utilities', 'npy files')
  await t.throwsAsync(readNpy(theirs, 3, dim), { code: 'ERR_INVALID_FILE', message: /41 × 8 values instead of 3 × 8/ })
  await writeFile(join(folder, 'short.npy'), readFileSync(theirs).subarray(0, 300))
  await t.throwsAsync(readNpy(join(folder, 'short.npy'), 41, 8), { code: 'ERR_INVALID_FILE', message: /too early/ })
  await writeFile(join(folder, 'other.npy'), 'something else')
  await t.throwsAsync(readNpy(join(folder, 'other.npy'), 41, 8), { code: 'ERR_INVALID_FILE', message: /NumPy/ })
  t.is(await readNpy(join(folder, 'none.npy'), 1, 1), undefined)
})

interface ParaphraseGolden {
  rows: Record<string, { dim: number; data: number[] }>
  cases: { rows: string; metric: Metric; options: Record<string, number>; pairs: [number, number, number][] }[]
}

test('paraphraseMiningEmbeddings finds the pairs of util.paraphrase_mining_embeddings', async (t) => {
  const MINING = 'paraphraseMiningEmbeddings'
  const { rows, cases } = golden<ParaphraseGolden>('paraphrases')
  t.is(cases.length, 44)
  const entry = ([score, i, j]: [number, number, number]): [number, string] => [score, `${i}-${j}`]
  for (const { rows: name, metric, options, pairs } of cases) {
    const { dim, data } = rows[name]!
    const found = await util.paraphraseMiningEmbeddings(matrix(data, dim), { ...camel(options), scoreFunction: metric })
    t.true(found.every(([, i, j]) => i < j))
    t.true(
      sameRanking('utilities', MINING, found.map(entry), pairs.map(entry), false),
      `${name} ${metric} ${JSON.stringify(options)}`,
    )
  }
})

interface CommunityGolden {
  rows: Record<string, { dim: number; data: number[] }>
  cases: { rows: string; options: Record<string, number>; communities: number[][] }[]
}

test('communityDetection finds the communities of util.community_detection in their order', async (t) => {
  const { rows, cases } = golden<CommunityGolden>('communities')
  t.is(cases.length, 24)
  for (const { rows: name, options, communities } of cases) {
    const where = `${name} ${JSON.stringify(options)}`
    const { dim, data } = rows[name]!
    const all = matrix(data, dim)
    const found = await util.communityDetection(all, camel(options))
    t.is(found.length, communities.length, where)
    equal('utilities', 'communityDetection')
    found.forEach((community, i) => {
      t.deepEqual(community.toSorted(), communities[i]!.toSorted(), where)
      // Most alike first; only rows that are repeated score alike.
      const values = (list: number[]) => list.map((row) => [...all.row(row)])
      t.deepEqual(values(community), values(communities[i]!), where)
    })
  }
})

interface NegativesGolden {
  dim: number
  texts: Record<string, number[]>
  scores: number[][]
  pairs: Record<string, string[]>
  corpus: string[]
  cases: {
    options: Record<string, unknown>
    corpus: boolean
    crossed: boolean
    similarity: Metric
    columns: Record<string, unknown[]>
    report: string[]
  }[]
}

/** Equal, numbers to within the rounding of float32 sums. */
function alike(name: string, found: unknown, expected: unknown): boolean {
  if (typeof expected === 'number') return typeof found === 'number' && sameScore('utilities', name, found, expected)
  if (!Array.isArray(expected)) return found === expected
  return (
    Array.isArray(found) && found.length === expected.length && found.every((each, i) => alike(name, each, expected[i]))
  )
}

test('mineHardNegatives makes the columns and the report of util.mine_hard_negatives', async (t) => {
  const { dim, texts, scores, pairs, corpus, cases } = golden<NegativesGolden>('hard-negatives')
  t.is(cases.length, 54)
  const encode = async (input: readonly string[]) =>
    util.normalize(
      matrix(
        input.flatMap((text) => texts[text]!),
        dim,
      ),
    )
  const crossEncoder = {
    predict: async (input: readonly (readonly [string, string])[]) =>
      input.map(([query, text]) => scores[Number(query.slice(1))]![Number(text.slice(1))]!),
  }
  for (const { options, corpus: wider, crossed, similarity, columns, report } of cases) {
    const where = `${JSON.stringify(options)} ${similarity}${wider ? ', corpus' : ''}${crossed ? ', cross-encoder' : ''}`
    const lines: string[] = []
    const model = { encodeQuery: encode, encodeDocument: encode, similarityFnName: similarity }
    const chosen = {
      ...camel(options),
      ...(options.include_positives ? { outputFormat: 'n-tuple' } : {}),
      ...(wider ? { corpus } : {}),
      ...(crossed ? { crossEncoder } : {}),
      verbose: { write: (text: string) => lines.push(text.trimEnd()) },
    } as unknown as MineHardNegativesOptions
    const found = await mineNegativesWith(
      loadAddon,
      Dataset.fromColumns(pairs),
      model as unknown as Parameters<typeof util.mineHardNegatives>[1],
      chosen,
    )
    t.deepEqual(Object.keys(found.columns), Object.keys(columns), where)
    for (const [name, values] of Object.entries(columns)) {
      t.true(alike('mineHardNegatives', found.columns[name], values), `${where}: ${name}`)
    }
    // There minScore counts all that was refused before it once more ("140.66%").
    const told = (line: string) => !line.includes('minScore of')
    const expected = report.map((line) => line.trimEnd().replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()))
    t.deepEqual(lines.filter(told), expected.filter(told), where)
  }
})

interface GridGolden extends Omit<NegativesGolden, 'cases'> {
  cases: { options: Record<string, number>; crossed: boolean; rows: number[] }[]
}

test('mineHardNegatives finds the same negatives with all combinations of margins, bounds and ranges', async (t) => {
  const { dim, texts, scores, pairs, corpus, cases } = golden<GridGolden>('negatives-grid')
  t.is(cases.length, 128)
  const encode = async (input: readonly string[]) =>
    util.normalize(
      matrix(
        input.flatMap((text) => texts[text]!),
        dim,
      ),
    )
  const model = { encodeQuery: encode, encodeDocument: encode, similarityFnName: 'cosine' }
  const crossEncoder = {
    predict: async (input: readonly (readonly [string, string])[]) =>
      input.map(([query, text]) => scores[Number(query.slice(1))]![Number(text.slice(1))]!),
  }
  const names = new Map([
    ['{"relative_margin":0.05}', 'hard'],
    ['{"relative_margin":0.05,"range_min":10,"range_max":50}', 'semi-hard'],
    ['{"relative_margin":0.05,"range_min":100,"range_max":1000}', 'easy'],
  ])
  let presets = 0
  for (const { options, crossed, rows } of cases) {
    const where = `${JSON.stringify(options)}${crossed ? ', cross-encoder' : ''}`
    const difficulty = names.get(JSON.stringify(options))
    for (const chosen of difficulty === undefined ? [camel(options)] : [camel(options), { difficulty }]) {
      if ('difficulty' in chosen) presets++
      const found = await util.mineHardNegatives(
        Dataset.fromColumns(pairs),
        model as unknown as Parameters<typeof util.mineHardNegatives>[1],
        { ...chosen, corpus, verbose: false, ...(crossed && { crossEncoder }) } as MineHardNegativesOptions,
      )
      const numbers = [...found].flatMap((row) => Object.values(row).map((text) => Number(String(text).slice(1))))
      t.deepEqual(numbers, rows, where)
    }
  }
  t.is(presets, 6)
})

interface SimilarityGolden {
  dim: number
  a: number[]
  b: number[]
  values: Record<string, number[]>
  even_angle: number[]
}

test('similarities are those of util', (t) => {
  const { dim, a, b, values, even_angle } = golden<SimilarityGolden>('similarities')
  const [left, right] = [matrix(a, dim), matrix(b, dim)]
  const functions = new Map<string, unknown>(Object.entries(util))
  for (const [name, expected] of Object.entries(camel(values))) {
    const compare = functions.get(name) as typeof util.cosSim | typeof util.pairwiseCosSim
    const found = compare(left, right)
    t.true(alike(name, Array.from('data' in found ? found.data : found), expected), name)
  }
  t.is(Object.keys(values).length, 9)
  const even = util.pairwiseAngleSim(util.truncateEmbeddings(left, 6), util.truncateEmbeddings(right, 6))
  t.true(alike('pairwiseAngleSim', Array.from(even), even_angle))
})

interface QuantizationGolden {
  dim: number
  embeddings: number[]
  calibration: number[]
  ranges: number[]
  cases: { precision: Precision; option: string | null; type: string; shape: number[]; data: number[] }[]
  matrices: { precision: Precision; data: number[][] }[]
}

test('quantizeEmbeddings gives the bytes of util.quantize_embeddings', async (t) => {
  const all = golden<QuantizationGolden>('quantization')
  const rows = matrix(all.embeddings, all.dim)
  const given: Record<string, object> = {
    none: {},
    ranges: { ranges: matrix(all.ranges, all.dim) },
    calibration_embeddings: { calibrationEmbeddings: matrix(all.calibration, all.dim) },
  }
  t.is(all.cases.length, 9)
  for (const { precision, option, type, shape, data } of all.cases) {
    const where = `${precision} ${option}`
    const found = await util.quantizeEmbeddings(rows, precision, given[option ?? 'none']!)
    t.is(found.data.constructor.name.toLowerCase(), `${type}array`, where)
    t.deepEqual(found.shape, shape as [number, number], where)
    t.deepEqual([...found.data], [...data].map(type === 'float32' ? Math.fround : Number), where)
    t.deepEqual([...found.row(2)], [...found.data].slice(2 * shape[1]!, 3 * shape[1]!))
    equal('utilities', 'quantizeEmbeddings')
  }
  for (const { precision, data } of all.matrices) {
    const cut = (from: number, to: number) =>
      embeddings(rows.data.subarray(from * all.dim, to * all.dim), to - from, all.dim)
    const found = await util.quantizeEmbeddings([cut(0, 4), cut(4, 11), cut(11, 11), cut(11, 30)], precision)
    t.deepEqual(
      found.map((part) => [...part.data]),
      data,
    )
  }
})
