import test from 'ava'
import fc from 'fast-check'
import { Tokenizer } from '../../lib/data/tokenizer.js'
import { encodeInOrder, type InOrderRequest } from '../../lib/models/encode-in-order.js'
import { planInOrder } from '../../lib/models/plan-jobs.js'
import type { NativeEncoder } from '../../lib/native/types.js'
import { FakeEncoder } from '../helpers/fake-addon.js'
import { tinyTokenizer, wordId } from '../helpers/model-folders.js'

const WIDTH = 4

function setUp() {
  const spec = {
    architecture: 'fake',
    config: { hidden_size: WIDTH },
    modules: [],
    pooler: false,
    device: 'cpu',
    dtype: 'float32',
  }
  const encoder = new FakeEncoder(spec as unknown as ConstructorParameters<typeof FakeEncoder>[0])
  // As a table of word embeddings has it: no special tokens around a text.
  const json = { ...tinyTokenizer, post_processor: null }
  const tokenizer = Tokenizer.fromFiles(json, { tokenizer_class: 'PreTrainedTokenizerFast' }, { maxSeqLength: 1000 })
  const run = async (texts: readonly string[], more: Partial<InOrderRequest> = {}) => {
    const out = new Float32Array(texts.length * WIDTH)
    const request = {
      encoder: encoder as unknown as NativeEncoder,
      tokenizer,
      texts,
      prompt: '',
      out,
      zerosWhenEmpty: true,
    }
    await encodeInOrder({ ...request, ...more })
    return texts.map((_, i) => [...out.subarray(i * WIDTH, i * WIDTH + 2)])
  }
  const jobs = () =>
    encoder.jobs.map(({ batch: { offsets } }) => ({ rows: offsets.length - 1, tokens: offsets.at(-1)! }))
  return { encoder, run, jobs }
}

/** Texts of 0 to 39 tokens, some of them equal. */
const someTexts = (count: number) => Array.from({ length: count }, (_, i) => 'cat '.repeat((i * 7) % 40))
const expected = (texts: readonly string[]) => texts.map((text) => [text.length / 4, (text.length / 4) * wordId('cat')])

test('every text gets its own place, those without tokens zeros, and jobs are full', async (t) => {
  const { encoder, run, jobs } = setUp()
  for (const count of [1, 9, 1024, 1025, 5000]) {
    const texts = someTexts(count)
    encoder.jobs.length = 0
    t.deepEqual(await run(texts), expected(texts), String(count))
    t.is(
      jobs().reduce((sum, { rows }) => sum + rows, 0),
      count,
    )
    t.true(jobs().every(({ tokens }) => tokens <= 16 * 1024))
  }
  t.is(jobs().length, 10, 'two for each 1,024 texts with 19.5 tokens on average')
  t.true(encoder.mostRunning > 1 && encoder.mostRunning <= 3)
  t.true(encoder.jobs.every(({ options }) => options.lane === 'bulk'))
  t.deepEqual(await run([]), [])
})

test('the limits of a call hold, and so do its prompt and its priority', async (t) => {
  const { encoder, run, jobs } = setUp()
  const texts = someTexts(600)
  t.deepEqual(await run(texts, { maxBatchTokens: 100 }), expected(texts))
  t.true(jobs().every(({ tokens }) => tokens <= 100))
  encoder.jobs.length = 0
  await run(texts, { batchSize: 3 })
  t.true(jobs().every(({ tokens, rows }) => rows <= 3 || tokens <= 2048))
  t.true(jobs().some(({ rows }) => rows > 3))
  encoder.jobs.length = 0
  const prompted = await run(texts, { prompt: 'cat ', priority: 'query' })
  t.deepEqual(prompted, expected(texts.map((text) => `cat ${text}`)))
  t.true(encoder.jobs.every(({ options }) => options.lane === 'query'))
  t.true(jobs().every(({ tokens }) => tokens <= 2048))
})

test('it says how far it is', async (t) => {
  const { run } = setUp()
  const done: number[] = []
  await run(someTexts(3000), { onDone: (count) => done.push(count) })
  t.is(done.at(-1), 3000)
  t.deepEqual(
    done,
    done.toSorted((a, b) => a - b),
  )
})

test('a failure ends it once the jobs that run have ended, and names the text', async (t) => {
  const { encoder, run } = setUp()
  const many = someTexts(20_000)
  const empty = ['cat', ...new Array(1500).fill('cat'), '']
  const error = { code: 'ERR_INVALID_DATA', message: /^texts\[1501\] \(""\) .* no tokens/ }
  await t.throwsAsync(run(empty, { zerosWhenEmpty: false }), error)
  t.is(encoder.running, 0)
  encoder.jobs.length = 0
  const abort = new AbortController()
  const encoding = run(many, { signal: abort.signal, onDone: () => abort.abort(new Error('enough')) })
  const { cause } = await t.throwsAsync(encoding, { code: 'ERR_ABORTED' })
  t.is((cause as Error).message, 'enough')
  t.is(encoder.running, 0)
  t.true(encoder.jobs.length < 10)
  encoder.jobs.length = 0
  encoder.failOn = wordId('mat')
  await t.throwsAsync(run(['mat', ...many]), { code: 'ERR_INVALID_ARGUMENT', message: /beyond the vocabulary/ })
  t.is(encoder.running, 0)
  t.true(encoder.jobs.length < 10)
})

test('jobs in order hold every row once, within both limits', (t) => {
  const lengths = fc.array(fc.oneof(fc.nat(40), fc.integer({ min: 5000, max: 20_000 })), { maxLength: 60 })
  fc.assert(
    fc.property(lengths, fc.integer({ min: 1, max: 40 }), (rows, batchSize) => {
      const offsets = Int32Array.from([0, ...rows])
      for (let i = 1; i < offsets.length; i++) offsets[i]! += offsets[i - 1]!
      const jobs = planInOrder(offsets, { batchSize, maxTokens: 16 * 1024 })
      t.deepEqual(
        jobs.flatMap(([first, end]) => rows.slice(first, end)),
        rows,
      )
      for (const [i, [first, end]] of jobs.entries()) {
        const tokens = (to: number) => offsets[to]! - offsets[first]!
        const most = (count: number) => (count <= batchSize ? 16 * 1024 : 2048)
        t.true(end === first + 1 || tokens(end) <= most(end - first))
        if (i < jobs.length - 1) t.true(tokens(end + 1) > most(end + 1 - first), 'no job has room for the next row')
      }
    }),
  )
})
