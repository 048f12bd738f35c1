// A training run in a process of its own, which may kill itself: `node resume-worker.js '<RunRequest as JSON>'`.
import { appendFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import {
  type AdapterOptions,
  DataStream,
  Dataset,
  DenoisingAutoEncoderDataset,
  losses,
  SentenceTransformer,
  SentenceTransformerTrainer,
  type SentenceTransformerTrainerOptions,
  type TrainingArguments,
} from '../../lib/index.js'
import { tinyWords } from './tiny-folder.js'

export interface RunRequest {
  model: string
  args: Partial<TrainingArguments>
  data: 'datasets' | 'stream' | 'custom' | 'twins' | 'targets'
  /** Trains this adapter alone. */
  adapter?: AdapterOptions
  /** Every log record is appended here as a line of JSON. */
  log: string
  /** Where the model is saved in the end. */
  save?: string
  /** The process gets `signal` in the event of this step. */
  killAtStep?: number
  /** The process gets `signal` so many milliseconds after the first checkpoint. */
  killAfter?: number
  /** Default SIGKILL. */
  signal?: NodeJS.Signals
}

const words = tinyWords.slice(0, 21)
const anchor = words.map((word) => `the ${word}`)
const positive = words.map((word, i) => `a ${word} ${words[(i * 5) % words.length]}`)
const ranking = Dataset.fromColumns({ anchor, positive })
const classes = Dataset.fromColumns({ a: anchor, b: [...positive].reverse(), label: words.map((_, i) => i % 3) })

type Data = Pick<SentenceTransformerTrainerOptions, 'trainDataset' | 'loss'>
const datas: Record<RunRequest['data'], () => Data> = {
  datasets: () => ({
    trainDataset: { ranking, classes },
    loss: {
      ranking: new losses.MultipleNegativesRankingLoss(),
      classes: new losses.SoftmaxLoss({ numLabels: 3 }),
    },
  }),
  stream: () => ({
    trainDataset: DataStream.from(() => anchor.map((text, i) => ({ anchor: text, positive: positive[i]! })), {
      shuffleBuffer: 8,
    }),
    loss: new losses.MultipleNegativesRankingLoss(),
  }),
  // A loss with a model of its own, and one that draws in every step.
  twins: () => ({
    trainDataset: {
      tension: Dataset.fromColumns({ a: anchor, b: anchor.map((text, i) => (i % 4 === 0 ? text : positive[i]!)) }),
      layers: ranking,
    },
    loss: {
      tension: new losses.ContrastiveTensionLoss(),
      layers: new losses.AdaptiveLayerLoss({
        loss: new losses.MatryoshkaLoss({
          loss: new losses.MultipleNegativesRankingLoss(),
          ...{ matryoshkaDims: [32, 16, 8], nDimsPerStep: 2 },
        }),
      }),
    },
  }),
  // Losses that predict tokens: a decoder, masks that depend on epoch and row, noise that depends on the epoch.
  targets: () => ({
    trainDataset: {
      denoising: new DenoisingAutoEncoderDataset(positive).toStream(),
      masked: Dataset.fromColumns({ text: positive }),
      streamed: DataStream.from(() => positive.map((text) => ({ text })), { length: positive.length }),
    },
    loss: {
      denoising: new losses.DenoisingAutoEncoderLoss(),
      masked: new losses.MaskedLanguageModelLoss(),
      streamed: new losses.MaskedLanguageModelLoss({ wholeWordMask: true }),
    },
  }),
  // mean (‖u − v‖² w)
  custom: () => ({
    trainDataset: ranking,
    loss: new losses.Custom(
      ([u, v], _labels, { rows, parameters }) => {
        const w = parameters.w![0]!
        const difference = u!.map((value, i) => value - v![i]!)
        const square = difference.reduce((sum, d) => sum + d * d, 0) / rows
        const du = difference.map((d) => (2 * d * w) / rows)
        return {
          loss: square * w + w * w,
          gradients: [du, du.map((d) => -d)],
          parameterGradients: { w: Float32Array.of(square + 2 * w) },
          components: { square },
        }
      },
      { minColumns: 2, maxColumns: 2, parameters: { w: { shape: [1], init: 0.5 } } },
    ),
  }),
}

const request = JSON.parse(process.argv[2]!) as RunRequest
const kill = () => process.kill(process.pid, request.signal ?? 'SIGKILL')
const model = await SentenceTransformer.load(request.model)
if (request.adapter !== undefined) await model.addAdapter(request.adapter)
let saves = 0
const trainer = new SentenceTransformerTrainer({
  model,
  ...datas[request.data](),
  args: request.args,
  progress: false,
  callbacks: [
    {
      onLog: (record, { state }) => {
        const { train_runtime, train_samples_per_second, train_steps_per_second, ...rest } = record
        appendFileSync(request.log, `${JSON.stringify({ ...rest, step: state.globalStep })}\n`)
      },
      onStepEnd: ({ state }) => {
        if (state.globalStep === request.killAtStep) kill()
      },
      onSave: () => {
        if (saves++ === 0 && request.killAfter !== undefined) void setTimeout(request.killAfter).then(kill)
      },
    },
  ],
})
await trainer.train()
if (request.save !== undefined) await model.save(request.save)
await model.dispose()
