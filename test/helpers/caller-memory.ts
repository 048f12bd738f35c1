// Takes memory away, in the way that its mode names, from calls that are under way. Run with --expose-gc: what was taken away is
// gone at once.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Dataset, losses, SentenceTransformer, SentenceTransformerTrainer, util } from '../../lib/index.js'
import { type Embeddings, embeddings } from '../../lib/models/embeddings.js'
import { tinyFolder, tinyWords } from './tiny-folder.js'
import { mulberry32 } from './tiny-model.js'

const mode = isMainThread ? process.argv[2] : (workerData as string)
const { gc } = globalThis as unknown as { gc(): void }
type ResizableBuffer = ArrayBuffer & { resize(bytes: number): void }
const Resizable = ArrayBuffer as unknown as new (bytes: number, options: { maxByteLength: number }) => ResizableBuffer

// Large enough for an allocation of its own, which the system takes back when it is freed.
const ROWS = 33_000
const WIDTH = 256
const numbers = new Float32Array(ROWS * WIDTH).map(mulberry32(1)).map((x) => x - 0.5)

function rows(count = ROWS, resizable = false): Embeddings {
  const bytes = 4 * count * WIDTH
  const data = new Float32Array(resizable ? new Resizable(bytes, { maxByteLength: bytes }) : new ArrayBuffer(bytes))
  data.set(numbers.subarray(0, data.length))
  return embeddings(data, count, WIDTH)
}

/** How memory goes, while somebody may still read it. */
const WAYS: Record<string, ({ buffer }: Float32Array) => void> = {
  transfer: ({ buffer }) => {
    structuredClone(buffer, { transfer: [buffer as ArrayBuffer] })
    gc()
  },
  resize: ({ buffer }) => (buffer as ResizableBuffer).resize(0),
  worker: ({ buffer }) => {
    // It ends at once, with what it was given.
    new Worker('', { eval: true, workerData: buffer, transferList: [buffer as ArrayBuffer] }).unref()
    gc()
  },
}

/** Waits until the call has begun to work in the background. */
const later = (ms = 5) => new Promise((resolve) => setTimeout(resolve, ms))

type Search = (given: Embeddings, copy: boolean) => Promise<unknown>
const SEARCHES: Record<string, Search> = {
  semanticSearch: (given, copy) => util.semanticSearch(rows(100), given, { topK: 3, copy }),
  queries: (given, copy) => util.semanticSearch(given, rows(100), { topK: 1, queryChunkSize: 9000, copy }),
  paraphraseMining: (given, copy) =>
    util.paraphraseMiningEmbeddings(part(given), { topK: 3, queryChunkSize: 500, copy }),
  communityDetection: (given, copy) => util.communityDetection(part(given), { batchSize: 500, copy }),
  quantizeEmbeddings: async (given, copy) => (await util.quantizeEmbeddings(given, 'binary', { copy })).data.length,
}
const part = ({ data }: Embeddings): Embeddings => embeddings(data.subarray(0, 2000 * WIDTH), 2000, WIDTH)

/** What a call gave: whether it is what it gives undisturbed, or the code of its error. */
async function outcome(call: Promise<unknown>, right: string): Promise<string> {
  try {
    return JSON.stringify(await call) === right ? 'right' : 'wrong'
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}

async function search(): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const [name, run] of Object.entries(SEARCHES)) {
    const right = JSON.stringify(await run(rows(), true))
    for (const [way, take] of Object.entries(WAYS)) {
      if (way === 'worker' && name !== 'semanticSearch') continue
      for (const copy of [true, false]) {
        // Refused by name; the others are copied part by part.
        if (name === 'quantizeEmbeddings' && !copy) continue
        const given = rows(ROWS, way === 'resize')
        const call = outcome(run(given, copy), right)
        await later()
        take(given.data)
        found[`${name} ${way} ${copy ? 'copied' : 'in parts'}`] = await call
      }
    }
  }
  return found
}

const texts = Array.from({ length: 64 }, (_, i) => tinyWords.slice(i % 20, (i % 20) + 6).join(' '))
const pairs = Dataset.fromColumns({
  anchor: texts,
  positive: texts.map((text) => `a ${text}`),
})

async function withModel<T>(work: (model: SentenceTransformer) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'sentence-torch-'))
  try {
    await using model = await SentenceTransformer.load(await tinyFolder(folder))
    return await work(model)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const ARGS = {
  perDeviceTrainBatchSize: 8,
  maxSteps: 6,
  learningRate: 1e-3,
  saveStrategy: 'no',
  evalStrategy: 'no',
  seed: 1,
} as const

type Take = ((data: Float32Array) => void) | undefined
const SIDE = 3000

/** Mean ½ ‖u − v‖² and the first of its parameters; what the function is given is taken away when it is done. */
function custom(take: Take): losses.Custom {
  const init = new Float32Array(SIDE * SIDE)
  const loss = new losses.Custom(
    ([u, v], _, { rows: count, parameters }) => {
      const du = u!.map((value, i) => (value - v![i]!) / count)
      const value = du.reduce((sum, d) => sum + (d * d * count) / 2, parameters.w![0]!)
      const first = new Float32Array(SIDE * SIDE)
      first[0] = 1
      for (const data of [u!, parameters.w!]) take?.(data)
      return { loss: value, gradients: [du, du.map((d) => -d)], parameterGradients: { w: first } }
    },
    { parameters: { w: { shape: [SIDE, SIDE], init } } },
  )
  take?.(init)
  return loss
}

/** Trains, evaluates and encodes, and takes away everything that a caller can reach as soon as it can be reached. */
function train(take?: Take): Promise<number[]> {
  return withModel(async (model) => {
    const options = { model, trainDataset: pairs, evalDataset: pairs, args: ARGS, progress: false } as const
    const trainer = new SentenceTransformerTrainer({ ...options, loss: custom(take) })
    const { lossTensors } = await trainer.train()
    const evaluating = trainer.evaluate()
    for (const { data } of Object.values(lossTensors)) take?.(data)
    const { eval_loss: loss } = await evaluating
    const encoding = model.encode(texts)
    take?.((await model.encode(texts.slice(0, 9))).data)
    return [loss!, ...(await encoding).data]
  })
}

switch (mode) {
  case 'search':
    console.log(JSON.stringify(await search()))
    break
  case 'train':
    console.log(JSON.stringify({ train: await outcome(train(WAYS.transfer), JSON.stringify(await train())) }))
    break
  case 'busy search': {
    // Until the thread ends: its memory goes with it.
    parentPort!.postMessage('started')
    const corpus = rows()
    for (;;) {
      await Promise.all([true, false].map((copy) => util.semanticSearch(rows(300), corpus, { copy })))
    }
  }
  case 'busy train':
    await withModel(async (model) => {
      parentPort!.postMessage('started')
      const loss = new losses.MultipleNegativesRankingLoss()
      const args = { ...ARGS, maxSteps: 100_000 }
      await new SentenceTransformerTrainer({
        model,
        loss,
        trainDataset: pairs.selectColumns(['anchor', 'positive']),
        args,
        progress: false,
      }).train()
    })
    break
  case 'threads':
    for (const busy of ['busy search', 'busy train']) {
      for (const ms of [1, 30, 150]) {
        const worker = new Worker(new URL(import.meta.url), { workerData: busy })
        await new Promise((resolve) => worker.once('message', resolve))
        await later(ms)
        await worker.terminate()
        gc()
      }
    }
    console.log(
      JSON.stringify({
        after: await outcome(
          util.semanticSearch(rows(2), rows(5), { topK: 1 }).then((hits) => hits.length),
          '2',
        ),
      }),
    )
    break
  default:
    throw new Error(`unknown mode ${mode}`)
}
