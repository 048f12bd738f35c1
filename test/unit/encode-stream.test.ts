import { setImmediate, setTimeout } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { loadWith } from '../../lib/models/sentence-transformer.js'
import { fakeAddon } from '../helpers/fake-addon.js'
import { temporaryFolder, writeModel } from '../helpers/model-folders.js'

async function setUp(t: ExecutionContext) {
  const path = await temporaryFolder(t)
  await writeModel(path, '2.0')
  const engine = fakeAddon()
  const model = await loadWith(() => engine, path, {})
  return { model, encoder: engine.encoders[0]! }
}

const text = (i: number) => 'cat '.repeat(i % 7)

/** Counts what is read, and notes its end. */
function counted(count: number) {
  const seen = { read: 0, closed: false }
  const source = (async function* () {
    try {
      for (; seen.read < count; seen.read++) yield text(seen.read)
    } finally {
      seen.closed = true
    }
  })()
  return { seen, source }
}

async function all<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = []
  for await (const row of rows) out.push(row)
  return out
}

test('a stream gives what encode gives, in order', async (t) => {
  const { model } = await setUp(t)
  const texts = Array.from({ length: 1300 }, (_, i) => text(i))
  const rows = await model.encode(texts)
  for (const source of [texts, new Set(texts.slice(0, 7)), counted(1300).source]) {
    const found = await all(model.encodeStream(source))
    t.deepEqual(
      found.map((row) => [...row]),
      found.map((_, i) => [...rows.row(i)]),
    )
    t.is(found.length, source instanceof Set ? 7 : 1300)
  }
  const tokens = await all(model.encodeStream(texts.slice(0, 20), { outputValue: 'token_embeddings' }))
  t.deepEqual(
    tokens.map(({ shape }) => shape),
    texts.slice(0, 20).map((_, i) => [(i % 7) + 2, 32]),
  )
  t.deepEqual(await all(model.encodeStream([])), [])
})

test('it reads no more than a few parts ahead, and ends the source when the loop ends', async (t) => {
  const { model } = await setUp(t)
  const { seen, source } = counted(1e9)
  let taken = 0
  for await (const row of model.encodeStream(source)) {
    t.is(row[0], (taken % 7) + 2)
    taken++
    if (taken % 100 === 0) {
      await setTimeout(5)
      t.true(seen.read - taken <= 3 * 512, `${seen.read - taken}`)
    }
    if (taken === 2000) break
  }
  t.true(seen.closed)
})

test('texts that have come do not wait for those that have not', async (t) => {
  const { model } = await setUp(t)
  let more: (text: string) => void = () => {}
  let reads = 0
  const source = {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        reads++
        return reads === 1
          ? Promise.resolve({ done: false as const, value: 'cat' })
          : new Promise<IteratorResult<string>>((resolve) => {
              more = (value) => resolve({ done: false, value })
            })
      },
    }),
  }
  const rows = model.encodeStream(source)
  t.is((await rows.next()).value![0], 3)
  const second = rows.next()
  while (reads < 2) await setImmediate()
  more('cat cat')
  t.is((await second).value![0], 4)
  // The third text never comes; nobody waits for it.
  await rows.return()
})

test('errors: of the source, of a text, of what is no source, of an abort', async (t) => {
  const { model } = await setUp(t)
  const failing = (async function* () {
    yield 'cat'
    throw new Error('broken pipe')
  })()
  await t.throwsAsync(all(model.encodeStream(failing)), { message: 'broken pipe' })
  const code = 'ERR_INVALID_ARGUMENT'
  const wrong = ['cat', 7] as string[]
  await t.throwsAsync(all(model.encodeStream(wrong)), { code, message: /^Expected a string for texts\[1\]/ })
  for (const source of ['cat', 7, null, {}] as unknown as string[][]) {
    await t.throwsAsync(all(model.encodeStream(source)), { code, message: /iterable of strings for texts/ })
  }
  const abort = new AbortController()
  const { seen, source } = counted(1e9)
  const rows = model.encodeStream(source, { signal: abort.signal })
  await rows.next()
  abort.abort()
  await t.throwsAsync(all(rows), { code: 'ERR_ABORTED' })
  t.true(seen.closed)
  await t.throwsAsync(all(model.encodeStream(['cat'], { batchSize: 0 })), { code })
})

test('an abort ends the wait for a source that says nothing, and the source', async (t) => {
  const { model } = await setUp(t)
  for (const before of [0, 1]) {
    const seen = { reads: 0, closed: false }
    const silent = {
      [Symbol.asyncIterator]: () => ({
        next: () => {
          seen.reads++
          if (seen.reads <= before) return Promise.resolve({ done: false as const, value: 'cat' })
          return new Promise<IteratorResult<string>>(() => {})
        },
        return: async () => {
          seen.closed = true
          return { done: true as const, value: undefined }
        },
      }),
    }
    const abort = new AbortController()
    const found = all(model.encodeStream(silent, { signal: abort.signal }))
    while (seen.reads <= before) await setImmediate()
    await setTimeout(20)
    abort.abort()
    const ended = await Promise.race([found.catch((error) => error), setTimeout(5000, 'it still waits')])
    t.like(ended, { code: 'ERR_ABORTED' })
    t.true(seen.closed)
  }
  const wrong = model.encodeStream(['cat'], { signal: 7 } as never)
  await t.throwsAsync(all(wrong), { code: 'ERR_INVALID_ARGUMENT', message: /signal/ })
})
