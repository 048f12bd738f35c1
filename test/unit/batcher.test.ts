// Calls that come together share jobs of the engine, and nothing else.
import { setImmediate, setTimeout } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { loadWith } from '../../lib/models/sentence-transformer.js'
import { type FakeAddon, fakeAddon } from '../helpers/fake-addon.js'
import { temporaryFolder, wordId, writeModel } from '../helpers/model-folders.js'

async function setUp(t: ExecutionContext) {
  const path = await temporaryFolder(t)
  await writeModel(path, '2.0')
  const engine: FakeAddon = fakeAddon()
  const model = await loadWith(() => engine, path, {})
  const encoder = engine.encoders[0]!
  /** Texts and lane of each job. */
  const jobs = () => encoder.jobs.map(({ batch, options }) => [batch.offsets.length - 1, options.lane])
  /** Keeps the engine's queue from moving. */
  const stop = () => {
    let go = () => {}
    encoder.busy = new Promise((resolve) => {
      go = () => {
        encoder.busy = undefined
        resolve()
      }
    })
    return go
  }
  return { model, encoder, jobs, stop }
}

const until = async (isSo: () => boolean) => {
  while (!isSo()) await setImmediate()
}

const words = ['cat', 'dog', 'mat', 'fast']
const text = (i: number) => `${words[i % 4]} `.repeat(1 + (i % 5))
const head = (row: Float32Array) => [...row.subarray(0, 3)]

test('calls that come together are one job, with the results that each has alone', async (t) => {
  const { model, encoder, jobs } = await setUp(t)
  const alone: number[][] = []
  for (let i = 0; i < 64; i++) alone.push(head(await model.encode(text(i))))
  encoder.jobs.length = 0
  const together = await Promise.all(Array.from({ length: 64 }, (_, i) => model.encode(text(i))))
  t.deepEqual(together.map(head), alone)
  // One, unless the machine is so slow that tokenising takes several turns of the event loop.
  t.true(jobs().length <= 6 && encoder.jobs[0]!.batch.columns === 1, String(jobs()))
})

test('what comes while the engine works is one job behind it', async (t) => {
  const { model, encoder, jobs, stop } = await setUp(t)
  const go = stop()
  const calls: Promise<Float32Array>[] = []
  for (let i = 0; i < 6; i++) {
    calls.push(model.encode(text(i)))
    await until(() => encoder.jobs.length >= Math.min(i + 1, 2))
  }
  await setTimeout(5)
  t.deepEqual(jobs(), [
    [1, 'query'],
    [1, 'query'],
  ])
  go()
  const rows = await Promise.all(calls)
  t.deepEqual(jobs().slice(2), [[4, 'query']])
  t.deepEqual(
    rows.map(([length]) => length),
    [3, 4, 5, 6, 7, 3],
  )
})

test('callers that ask again wait until they are as much as the job that runs', async (t) => {
  const { model, encoder, jobs, stop } = await setUp(t)
  const go = stop()
  const first = Array.from({ length: 8 }, () => model.encode('cat'))
  await until(() => encoder.jobs.length === 1)
  const again: Promise<Float32Array>[] = []
  for (let i = 0; i < 5; i++) again.push(model.encode('cat'))
  await setTimeout(5)
  t.deepEqual(jobs(), [[8, 'query']])
  for (let i = 0; i < 3; i++) again.push(model.encode('cat'))
  await until(() => encoder.jobs.length === 2)
  t.deepEqual(jobs()[1], [8, 'query'])
  go()
  await Promise.all([...first, ...again])
})

test('jobs keep within their tokens, and calls with other options have jobs of their own', async (t) => {
  const { model, encoder, jobs, stop } = await setUp(t)
  const long = 'cat '.repeat(22)
  const encode = (count: number, options = {}) =>
    Promise.all(Array.from({ length: count }, () => model.encode(long, options)))
  await encode(100)
  t.true(encoder.jobs.length <= 8 && encoder.jobs.every(({ batch }) => batch.ids.length <= 2048))
  encoder.jobs.length = 0
  await encode(10, { maxBatchTokens: 100 })
  t.true(encoder.jobs.length <= 8 && encoder.jobs.every(({ batch }) => batch.offsets.length <= 5))
  encoder.jobs.length = 0
  const go = stop()
  const all = Promise.all([
    encode(3),
    encode(2, { priority: 'bulk' }),
    encode(2, { prompt: 'the ' }),
    model.encode(long, { outputValue: 'token_embeddings' }),
    model.encode(Array.from({ length: 9 }, (_, i) => 'cat'.padEnd(i + 3))),
    model.encode(
      Array.from({ length: 9 }, (_, i) => 'cat'.padEnd(i + 3)),
      { priority: 'query' },
    ),
  ])
  go()
  await all
  t.deepEqual(
    encoder.jobs.filter(({ output }) => output === 'token_embeddings').map(({ batch }) => batch.ids.length),
    [24],
  )
  const inLane = (lane: string) => jobs().reduce((sum, [rows, of]) => sum + (of === lane ? (rows as number) : 0), 0)
  t.deepEqual([inLane('query'), inLane('bulk')], [15, 11])
})

test('normalising, truncation and single texts stay with their call', async (t) => {
  const { model } = await setUp(t)
  const [one, several, short, unit] = await Promise.all([
    model.encode('cat'),
    model.encode(['dog', 'cat cat']),
    model.encode('cat', { truncateDim: 2 }),
    model.encode('cat', { normalizeEmbeddings: true }),
  ])
  t.deepEqual(head(one), [3, wordId('[CLS]') + wordId('cat') + wordId('[SEP]'), -1])
  t.deepEqual([several.shape, several.row(0)[0], several.row(1)[0]], [[2, 32], 3, 4])
  t.deepEqual([...short], [...one.subarray(0, 2)])
  t.true(Math.abs(Math.hypot(...unit) - 1) < 1e-6)
})

test('the error of a call stays in that call', async (t) => {
  const { model, encoder, jobs, stop } = await setUp(t)
  encoder.failOn = wordId('mat')
  // Both that may be under way, so that the four share a job.
  const go = stop()
  const before = [model.encode('cat')]
  await until(() => encoder.jobs.length === 1)
  before.push(model.encode('cat'))
  await until(() => encoder.jobs.length === 2)
  const settled = Promise.allSettled([0, 1, 2, 3].map((i) => model.encode(words[i]!)))
  await setTimeout(20)
  go()
  await Promise.all(before)
  const calls = await settled
  t.deepEqual(
    calls.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
  )
  t.like((calls[2] as PromiseRejectedResult).reason, { code: 'ERR_INVALID_ARGUMENT' })
  t.deepEqual(jobs().slice(2), [[4, 'query'], ...new Array(4).fill([1, 'query'])])
  t.deepEqual(head((calls[3] as PromiseFulfilledResult<Float32Array>).value), head(await model.encode('fast')))
})

test('what is aborted before it reaches the engine is not computed', async (t) => {
  const { model, encoder, stop } = await setUp(t)
  const go = stop()
  const abort = new AbortController()
  const first = [model.encode('cat')]
  await until(() => encoder.jobs.length === 1)
  first.push(model.encode('cat'))
  await until(() => encoder.jobs.length === 2)
  const gone = model.encode('mat', { signal: abort.signal })
  const other = model.encode('dog')
  await setTimeout(5)
  abort.abort(new Error('closed'))
  const error = await t.throwsAsync(gone, { code: 'ERR_ABORTED', message: 'Encoding was aborted' })
  t.is((error.cause as Error).message, 'closed')
  go()
  await Promise.all([...first, other])
  t.false(encoder.jobs.some(({ batch }) => batch.ids.includes(wordId('mat'))))
})

test('a queued job leaves the queue when nobody waits for it any more', async (t) => {
  const { model, encoder, stop } = await setUp(t)
  const go = stop()
  const aborts = [new AbortController(), new AbortController()]
  const gone = aborts.map(({ signal }, i) => model.encode(words[i]!, { signal }))
  const failed = gone.map((call) => t.throwsAsync(call, { code: 'ERR_ABORTED' }))
  await until(() => encoder.jobs.reduce((sum, { batch }) => sum + batch.offsets.length - 1, 0) === 2)
  aborts[0]!.abort()
  await failed[0]
  aborts[1]!.abort()
  await failed[1]
  t.is(encoder.mostRunning, 0)
  go()
  t.is((await model.encode('cat'))[0], 3)
  t.is(encoder.mostRunning, 1)
})

test('who shares a job with an aborted call has its result', async (t) => {
  const { model, encoder, stop } = await setUp(t)
  const go = stop()
  const abort = new AbortController()
  const gone = model.encode('mat mat', { signal: abort.signal })
  const stays = model.encode('dog')
  await until(() => encoder.jobs.length > 0)
  abort.abort()
  await t.throwsAsync(gone, { code: 'ERR_ABORTED' })
  go()
  t.is((await stays)[0], 3)
})

test('wrong priorities and limits are refused', async (t) => {
  const { model } = await setUp(t)
  const code = 'ERR_INVALID_ARGUMENT'
  await t.throwsAsync(model.encode('cat', { priority: 'high' as 'query' }), {
    code,
    message: /"query", "bulk" for priority/,
  })
  await t.throwsAsync(model.encode('cat', { maxBatchTokens: 0 }), { code, message: /maxBatchTokens/ })
})
