import test from 'ava'
import { embeddings } from '../../lib/models/embeddings.js'
import { detectWith } from '../../lib/search/community-detection.js'
import { searchRows } from '../../lib/search/nearest.js'
import { rowsOf } from '../../lib/search/rows.js'
import { fakeAddon } from '../helpers/fake-addon.js'

// Unit vectors by angle in degrees; the fake engine compares by dot product, which is their cosine.
const circle = (...degrees: number[]) => {
  const data = degrees.flatMap((degree) => [Math.cos((degree * Math.PI) / 180), Math.sin((degree * Math.PI) / 180)])
  return embeddings(Float32Array.from(data), degrees.length, 2)
}
/** Rows at most 10.5 degrees apart are close. */
const threshold = Math.cos((10.5 * Math.PI) / 180)

test('the largest community first, its centre in front, what it took is gone for the others', async (t) => {
  //             0  1   2   3   4   5   6    7    8    9
  const rows = circle(0, 10, 20, 28, 90, 92, 180, 181, 183, 300)
  const detect = (minCommunitySize: number) => detectWith(fakeAddon, rows, { threshold, minCommunitySize })
  // Rows 1 and 2 have three each: the first comes first, then 6, 7 and 8, of which row 6 is the first.
  t.deepEqual(await detect(3), [
    [1, 0, 2],
    [6, 7, 8],
  ])
  t.deepEqual(await detect(2), [
    [1, 0, 2],
    [6, 7, 8],
    [4, 5],
  ])
  t.deepEqual(
    (await detect(1)).map((rows) => rows.length),
    [3, 3, 2, 1, 1],
  )
})

test('a community whose centre was taken by a larger one is gone, though others are left of it', async (t) => {
  // By degrees from the x axis, towards y or towards z.
  const vector = (y: number, z: number) => {
    const [a, b] = [(y * Math.PI) / 180, (z * Math.PI) / 180]
    return [Math.cos(a) * Math.cos(b), Math.sin(a) * Math.cos(b), Math.sin(b)]
  }
  // Row 0 is close to rows 1 and 2, which are not close to each other, and to row 3, which is close to 4, 5 and 6 too.
  const places = [
    vector(0, 0),
    vector(10, 0),
    vector(-10, 0),
    vector(0, 10),
    vector(0, 12),
    vector(0, 14),
    vector(0, 15),
  ]
  const rows = embeddings(Float32Array.from(places.flat()), places.length, 3)
  const detect = (minCommunitySize: number) => detectWith(fakeAddon, rows, { threshold, minCommunitySize })
  t.deepEqual(await detect(2), [[3, 4, 5, 6, 0]])
  t.deepEqual(await detect(1), [[3, 4, 5, 6, 0], [1], [2]])
})

test('batches and the bound of memory change nothing', async (t) => {
  const degrees = Array.from({ length: 120 }, (_, i) => (i * i * 7.3) % 360)
  const rows = circle(...degrees)
  const options = { threshold, minCommunitySize: 3 }
  const whole = await detectWith(fakeAddon, rows, options)
  t.true(whole.length > 5)
  for (const batchSize of [1, 7, 64]) {
    for (const kept of [0, 40, 1e9])
      t.deepEqual(await detectWith(fakeAddon, rows, { ...options, batchSize }, kept), whole)
  }
  // Communities larger than the first search gives: all rows are close to all.
  const all = await detectWith(fakeAddon, rows, { threshold: -1.1, minCommunitySize: 2 }, 0)
  t.deepEqual(
    all.map((rows) => rows.length),
    [120],
  )
})

test('no rows, few rows, wrong options', async (t) => {
  t.deepEqual(await detectWith(fakeAddon, embeddings(new Float32Array(0), 0, 2), {}), [])
  t.deepEqual(await detectWith(fakeAddon, circle(0, 1, 2), { threshold }), [])
  t.deepEqual(await detectWith(fakeAddon, circle(0, 1, 2), { threshold, minCommunitySize: 3 }), [[0, 1, 2]])
  t.deepEqual(await detectWith(fakeAddon, circle(...Array(9).fill(5)), { threshold }), [])
  const detect = (options: object) => detectWith(fakeAddon, circle(0), options)
  for (const name of ['threshold', 'minCommunitySize', 'batchSize', 'showProgressBar']) {
    const error = { code: 'ERR_INVALID_ARGUMENT', message: new RegExp(name) }
    await t.throwsAsync(detect({ [name]: Number.NaN }), error)
  }
  await t.throwsAsync(detect({ minSize: 1 }), { code: 'ERR_UNKNOWN_OPTION' })
  await t.throwsAsync(detect({ minCommunitySize: 1, signal: AbortSignal.abort() }), { code: 'ERR_ABORTED' })
})

test('a corpus that comes in parts gives what it gives as a whole', async (t) => {
  const numbers = Float32Array.from({ length: 46 }, (_, i) => Math.round(Math.sin(7 * i) * 4))
  const all = embeddings(numbers, 23, 2)
  const search = async (partRows: number, rowsPerJob: number, k: number) => {
    const options = { k, metric: 'dot', rowsPerJob } as const
    const found: [number[], number[]] = [[], []]
    for await (const { scores, indices } of searchRows(fakeAddon, all, rowsOf(all, 'rows', partRows), options)) {
      found[0].push(...scores)
      found[1].push(...indices)
    }
    return found
  }
  for (const k of [1, 5, 23]) {
    const whole = await search(23, 100, k)
    t.is(whole[1].length, 23 * k)
    for (const [partRows, rowsPerJob] of [
      [1, 100],
      [4, 3],
      [22, 1],
      [23, 7],
    ] as const) {
      t.deepEqual(await search(partRows, rowsPerJob, k), whole, `${k}, ${partRows}, ${rowsPerJob}`)
    }
  }
})
