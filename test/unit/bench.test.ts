import { readdirSync } from 'node:fs'
import test from 'ava'

const bench = new URL('../../../bench/', import.meta.url)
const load = async <T>(file: string) => (await import(new URL(file, bench).href)) as T

interface Statistics {
  median(values: readonly number[]): number
  spread(values: readonly number[]): number
  spearman(a: ArrayLike<number>, b: ArrayLike<number>): number
  pairSpearman(embeddings: Float32Array, scores: readonly number[]): number
  maxDifference(a: Float32Array, b: Float32Array): number
  robustSlope(points: [number, number][]): number
}
interface Floor {
  forwardWork(sizes: Sizes, lengths: readonly number[]): Work
  floorMs(operations: number, gflops: number): number
}
interface Sizes {
  layers: number
  width: number
  inner: number
  gated?: boolean
}
interface Work {
  tokens: number
  operations: number
}

test('medians, spreads and correlations', async (t) => {
  const { median, spread, spearman, pairSpearman, maxDifference, robustSlope } =
    await load<Statistics>('common/statistics.mjs')
  t.deepEqual([median([3, 1, 2]), median([4, 1, 2, 3])], [2, 2.5])
  t.is(spread([9, 10, 11]), 10)
  t.is(spearman([1, 2, 3, 4], [10, 20, 30, 40]), 1)
  t.is(spearman([1, 2, 3, 4], [4, 3, 2, 1]), -1)
  // scipy.stats.spearmanr([1, 2, 2, 4], [1, 3, 2, 4]) = 0.9486832980505139: equal values share their rank.
  t.true(Math.abs(spearman([1, 2, 2, 4], [1, 3, 2, 4]) - 0.9486832980505139) < 1e-12)
  // Rows 0 and 2 are opposite, rows 1 and 3 equal.
  const embeddings = Float32Array.of(1, 0, 0, 1, -1, 0, 0, 2)
  t.is(pairSpearman(embeddings, [0, 5]), 1)
  t.is(pairSpearman(embeddings, [5, 0]), -1)
  t.is(maxDifference(Float32Array.of(1, 2), Float32Array.of(1, -1)), 3)
  // scipy.stats.theilslopes([1, 3, 5, 100, 9], [0, 1, 2, 3, 4])[0]; least squares would say 11.3.
  const points = [1, 3, 5, 100, 9].map((y, x): [number, number] => [x, y])
  t.is(robustSlope(points), 2)
  t.throws(() => maxDifference(new Float32Array(1), new Float32Array(2)), { message: /as many numbers as 1/ })
})

test('the floor counts the operations of matrix products and attention, of real tokens', async (t) => {
  const { forwardWork, floorMs } = await load<Floor>('common/floor.mjs')
  const minilm = { layers: 6, width: 384, inner: 1536 }
  // 6 layers of 384·384 four times and 384·1536 twice, two operations each.
  const perToken = 6 * 2 * (4 * 384 ** 2 + 2 * 384 * 1536)
  t.deepEqual(forwardWork(minilm, []), { tokens: 0, operations: 0 })
  t.deepEqual(forwardWork(minilm, [1]), { tokens: 1, operations: perToken + 6 * 4 * 384 })
  t.deepEqual(forwardWork(minilm, [3, 2]), { tokens: 5, operations: 5 * perToken + 6 * 4 * 384 * 13 })
  // A gate is one product more in the feed-forward part.
  t.is(forwardWork({ ...minilm, gated: true }, [1]).operations, perToken + 6 * 384 * (2 * 1536 + 4))
  t.is(floorMs(318e9, 318), 1000)
})

interface Bars {
  judged(bar: object, found: object, amx: boolean): { precision: string; figure: number | null; pass: boolean | null }[]
}

test('a bar: rates and times against another program, shares of the floor, what is only reported', async (t) => {
  const { judged } = await load<Bars>('themes/bars.mjs')
  const trials = new Map([
    [
      'ours',
      [
        { stepMs: 90, perSecond: 90 },
        { stepMs: 100, perSecond: 100 },
        { stepMs: 300, perSecond: 300 },
      ],
    ],
    ['ours-bf16', [{ stepMs: 50, perSecond: 200 }]],
    ['python', [{ stepMs: 350, perSecond: 50 }]],
  ])
  const found = { trials, floor: (program: string) => (program === 'ours' ? 60 : 10) }
  const rows = (bar: object, amx = true) =>
    judged(bar, found, amx).map(({ precision, figure, pass }) => [precision, figure, pass])
  const against = { against: 'python', fp32: 3.5, bf16: 8 }
  t.deepEqual(rows({ ...against, key: 'stepMs', least: true }), [
    ['fp32', 3.5, true],
    ['bf16', 7, false],
  ])
  t.deepEqual(rows({ ...against, key: 'stepMs', least: true }, false)[1], ['bf16', 7, null])
  t.deepEqual(rows({ ...against, key: 'perSecond', least: true }), [
    ['fp32', 2, false],
    ['bf16', 4, false],
  ])
  // At most: a share of the other's time.
  t.deepEqual(rows({ key: 'stepMs', against: 'python', fp32: 0.2 }), [['fp32', 100 / 350, false]])
  t.deepEqual(rows({ key: 'stepMs', least: true, fp32: 0.6, bf16: null }), [
    ['fp32', 0.6, true],
    ['bf16', 0.2, null],
  ])
  t.deepEqual(rows({ key: 'stepMs', against: 'js', fp32: 0.7 }), [['fp32', null, null]])
})

interface Architectures {
  judged(found: Map<string, object>, time: 'clock' | 'cpu'): ArchitectureRow[]
}
interface ArchitectureRow {
  architecture: string
  task: string
  program: string
  ratio: number
  share: number
  ofBert?: number
  pass?: boolean
}

test("an architecture is held to BERT's ratio to Python and to its share of the floor", async (t) => {
  const { judged } = await load<Architectures>('themes/architectures.mjs')
  const encoding = (ours: number, python: number, floor: number) => ({
    trials: new Map([
      ['ours', [{ perSecond: ours, perCpuSecond: 1 }]],
      ['python', [{ perSecond: python, perCpuSecond: 1 }]],
      ['ours-bf16', [{ perSecond: 1 }]],
    ]),
    floor: () => floor,
  })
  const training = { trials: new Map(), floor: () => 1 }
  const found = new Map([
    ['bert', { encoding: encoding(200, 100, 250), training }],
    ['slow', { encoding: encoding(178, 100, 200), training }],
    ['far', { encoding: encoding(200, 100, 270), training }],
    ['good', { encoding: encoding(182, 100, 240), training }],
  ])
  const rows = judged(found, 'clock')
  t.deepEqual(
    rows.map(({ architecture, task, program, pass }) => [architecture, task, program, pass]),
    [
      ['bert', 'encoding', 'ours', undefined],
      ['slow', 'encoding', 'ours', false],
      ['far', 'encoding', 'ours', false],
      ['good', 'encoding', 'ours', true],
    ],
  )
  t.deepEqual([rows[0]?.ratio, rows[0]?.share, rows[1]?.ofBert], [2, 80, 0.89])
  t.is(judged(found, 'cpu')[1]?.ratio, 1)
})

test('every theme that the help lists has its file, and each of its programs a trial', async (t) => {
  const themes = readdirSync(new URL('themes/', bench)).map((file) => file.replace('.mjs', ''))
  const { execFileSync } = await import('node:child_process')
  const help = execFileSync(process.execPath, [new URL('run.mjs', bench).pathname, '--help'], { encoding: 'utf8' })
  for (const theme of themes) t.regex(help, new RegExp(`^ {2}${theme} `, 'm'))
  const trials = readdirSync(new URL('trials/', bench))
  for (const theme of ['train', 'encode', 'tokenize', 'load', 'ir'])
    for (const end of ['.mjs', '_peer.py']) t.true(trials.includes(theme + end), theme + end)
  for (const theme of ['encode', 'tokenize', 'load']) t.true(trials.includes(`${theme}_js.mjs`), theme)
})
