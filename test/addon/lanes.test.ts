// Queries inside of a training: it has the same bits, and they have theirs. Streams, shared jobs and dropped ones on the engine.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import {
  CrossEncoder,
  Dataset,
  losses,
  SentenceTransformer,
  SentenceTransformerTrainer,
  type TrainingArguments,
} from '../../lib/index.js'
import { loadAddon } from '../../lib/native/load.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'
import { tinyBatch, tinyEncoder } from '../helpers/tiny-model.js'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const work = mkdtempSync(join(tmpdir(), 'sentence-torch-'))
const [trained, served] = [await tinyFolder(join(work, 'trained'), 1), await tinyFolder(join(work, 'served'), 2)]
test.after.always(() => rmSync(work, { recursive: true, force: true }))

const anchor = tinyWords.slice(0, 24).map((word) => `the ${word}`)
const positive = tinyWords.slice(0, 24).map((word) => `a ${word} is ${word}`)
/** Texts of which no two are equal: those would be computed once. */
function different(count: number): string[] {
  const place = (i: number, digit: number) => Math.floor(i / 24 ** digit) % 24
  return Array.from(
    { length: count },
    (_, i) => `${anchor[place(i, 0)]} ${positive[place(i, 1)]} ${anchor[place(i, 2)]}`,
  )
}
const label = anchor.map((_, i) => i % 2)
const score = anchor.map((_, i) => i / 24)

const ways: Record<string, { data: Record<string, readonly unknown[]>; loss: () => losses.Loss; args?: object }> = {
  ranking: { data: { anchor, positive }, loss: () => new losses.MultipleNegativesRankingLoss() },
  cosine: { data: { anchor, positive, score }, loss: () => new losses.CosineSimilarityLoss(), args: { bf16: true } },
  cached: {
    data: { anchor, positive },
    loss: () => new losses.CachedMultipleNegativesRankingLoss({ miniBatchSize: 3 }),
    args: { gradientCheckpointing: true },
  },
  softmax: {
    data: { anchor, positive, label },
    loss: () => new losses.SoftmaxLoss({ numLabels: 2 }),
    args: { optim: 'sgd' },
  },
}

for (const [name, { data, loss, args }] of Object.entries(ways)) {
  test(`queries beside a training change no bit of its weights, nor it theirs: ${name}`, async (t) => {
    const place = await temporaryFolder(t)
    await using other = await SentenceTransformer.load(served)
    const texts = ['the cat', 'a', ...positive.slice(0, 4)]
    const expected: Float32Array[] = []
    for (const text of texts) expected.push(await other.encode(text))
    const run = async (beside: boolean) => {
      await using model = await SentenceTransformer.load(trained)
      let runs = true
      let answers = 0
      const ask = async (i: number) => {
        for (; runs; i++) {
          // Alone, so that every answer is computed as the expected one was.
          const found = await other.encode(texts[i % texts.length]!)
          t.deepEqual(found, expected[i % texts.length])
          answers++
        }
      }
      const asking = beside ? ask(0) : undefined
      const given: Partial<TrainingArguments> = {
        ...{ outputDir: place, perDeviceTrainBatchSize: 8, learningRate: 1e-3, maxSteps: 12, saveStrategy: 'no' },
        ...args,
      }
      const trainDataset = Dataset.fromColumns(data as Parameters<typeof Dataset.fromColumns>[0])
      const training = new SentenceTransformerTrainer({
        model,
        trainDataset,
        loss: loss(),
        args: given,
        progress: false,
      })
      await training.train()
      runs = false
      await asking
      await model.save(join(place, String(beside)))
      return { answers, weights: readFileSync(join(place, String(beside), 'model.safetensors')) }
    }
    const alone = await run(false)
    const beside = await run(true)
    t.true(beside.answers > 5, `${beside.answers}`)
    t.true(alone.weights.equals(beside.weights))
  })
}

test('queries beside a big encode of the same model: both have the results that they have alone', async (t) => {
  await using model = await SentenceTransformer.load(served)
  const many = different(3000)
  const rows = await model.encode(many)
  const query = await model.encode('the cat')
  let runs = true
  const bulk = model.encode(many).finally(() => {
    runs = false
  })
  let answers = 0
  while (runs) {
    t.deepEqual(await model.encode('the cat'), query)
    answers++
  }
  t.deepEqual((await bulk).data, rows.data)
  t.true(answers > 1, `${answers}`)
})

test('64 calls at once have the results of one call, also of a cross-encoder', async (t) => {
  await using model = await SentenceTransformer.load(served)
  const texts = Array.from({ length: 64 }, (_, i) => positive[i % 24]!)
  const rows = await model.encode(texts)
  const close = (a: Float32Array, b: Float32Array) =>
    a.length === b.length && a.every((x, i) => Math.abs(x - b[i]!) < 1e-6)
  const alone = await Promise.all(texts.map((text) => model.encode(text)))
  t.true(alone.every((row, i) => close(row, rows.row(i))))
  await using cross = await CrossEncoder.load(served, { numLabels: 1 })
  const pairs = texts.map((text, i): [string, string] => [anchor[i % 24]!, text])
  const { data } = await cross.predict(pairs)
  const scores = await Promise.all(pairs.map((pair) => cross.predict(pair)))
  t.true(scores.every((found, i) => close(found, data.subarray(i, i + 1))))
})

test('the engine: a query overtakes bulk jobs, but not what changes its model; a dropped job does not run', async (t) => {
  const addon = loadAddon()
  const [one, two] = [await tinyEncoder(addon), await tinyEncoder(addon)]
  const order: string[] = []
  const encode = (name: string, encoder: typeof one, rows: number, options: Parameters<typeof one.encode>[3]) => {
    const batch = tinyBatch(new Array<number>(rows).fill(8))
    const out = new Float32Array(rows * encoder.embeddingDimension)
    return encoder.encode(batch, out, 'sentence_embedding', options).then(() => order.push(name))
  }
  const running = encode('running', one, 4000, {})
  const dropped = t.throwsAsync(encode('dropped', one, 1, { ticket: 2 ** 40 + 1 }), {
    ...{ code: 'ERR_ABORTED', message: /dropped before it began/ },
  })
  t.true(one.drop(2 ** 40 + 1))
  await Promise.all([dropped, running])
  const all = [
    encode('bulk 1', one, 4000, {}),
    encode('bulk 2', one, 4000, {}),
    encode('bulk 3', one, 4000, {}),
    encode('query', two, 1, { lane: 'query' }),
    encode('query of one', one, 1, { lane: 'query' }),
  ]
  await Promise.all(all)
  t.true(order.indexOf('query') < order.indexOf('bulk 2'), order.join())
  t.true(order.indexOf('query of one') < order.indexOf('bulk 3'), order.join())
  const last = encode('last', one, 1, { lane: 'query' })
  await Promise.all([last, one.dispose(), two.dispose()])
  t.is(order.at(-1), 'last')
  t.false(one.drop(7))
  const wrong = { code: 'ERR_INVALID_ARGUMENT' }
  const three = await tinyEncoder(addon)
  await t.throwsAsync(encode('', three, 1, { lane: 'fast' as 'query' }), { ...wrong, message: /query or bulk/ })
  await t.throwsAsync(encode('', three, 1, { ticket: 0 }), { ...wrong, message: /options\.ticket/ })
  await t.throwsAsync(encode('', three, 1, { lanes: 'query' } as object), { code: 'ERR_UNKNOWN_OPTION' })
  await three.dispose()
})

test('an aborted call leaves the queue of a busy engine', async (t) => {
  await using model = await SentenceTransformer.load(served)
  const abort = new AbortController()
  const busy = model.encode(different(6000))
  await setTimeout(1)
  const gone = model.encode(positive, { priority: 'bulk', signal: abort.signal })
  abort.abort(new Error('closed'))
  const error = await t.throwsAsync(gone, { code: 'ERR_ABORTED', message: 'Encoding was aborted' })
  t.is((error.cause as Error).message, 'closed')
  t.is((await busy).shape[0], 6000)
})

test('docs/encode.md', async (t) => {
  // Inside of the package: there its name is known.
  mkdirSync(join(root, 'dist/run'), { recursive: true })
  const folder = mkdtempSync(join(root, 'dist/run/encode-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const page = readFileSync(join(root, 'docs/encode.md'), 'utf8')
  const blocks = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, block]) => block!)
  const program = blocks.join('\n').replace('sentence-transformers/all-MiniLM-L6-v2', served)
  const file = join(folder, 'page.mjs')
  writeFileSync(file, program)
  const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: folder })
  t.deepEqual(stdout.trim().split('\n'), ['3', '2000'])
})
