import { mkdirSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { Dataset } from '../../lib/data/dataset.js'
import { createFeed, type DataSource } from '../../lib/data/feed.js'
import { type Loss, MultipleNegativesRankingLoss } from '../../lib/losses/index.js'
import type {
  LossScalerState,
  NativeTrainer,
  PackedBatch,
  StepOptions,
  StepReport,
  TensorInfo,
  TensorRange,
} from '../../lib/native/types.js'
import { resolveArguments, type TrainingArguments } from '../../lib/training/arguments/arguments.js'
import { BatchMaker } from '../../lib/training/batches/batch-maker.js'
import type { BatchSource } from '../../lib/training/batches/source.js'
import type { LogRecord, TrainerCallback } from '../../lib/training/callbacks/callbacks.js'
import type { OwnState } from '../../lib/training/checkpoint/checkpoint.js'
import { trainLoop } from '../../lib/training/run/loop.js'
import { type RunParts, TrainingRun } from '../../lib/training/run/run.js'

/** An engine that takes one turn of the event loop per batch and answers with loss = number of the batch. */
export class FakeEngine
  implements Pick<NativeTrainer, 'step' | 'evaluate' | 'tensors' | 'dump' | 'counters' | 'lossScaler'>
{
  readonly calls: (StepOptions & { batch: PackedBatch })[] = []
  inFlight = 0
  mostInFlight = 0
  failAt = Number.POSITIVE_INFINITY
  nonFiniteAt = 0
  /** Set: losses are scaled by it, and it is halved where one is not finite. */
  lossScale: number | undefined
  #gradNorm = 0.5
  /** What losses log beside their value, in every batch. */
  components: Record<string, number> = {}
  /** Tensors of the trainer. */
  readonly owned = new Map<string, Float32Array>()
  #before = 0
  #queue: Promise<unknown> = Promise.resolve()
  #losses: number[] = []
  #updates = 0
  #skipped = 0
  #isFinite = true

  step(batch: PackedBatch, options: StepOptions): Promise<StepReport | undefined> {
    this.calls.push({ batch, ...options })
    const number = this.#before + this.calls.length
    this.inFlight++
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight)
    const job = this.#queue.then(async () => {
      await setImmediate()
      this.inFlight--
      if (number >= this.failAt) throw Object.assign(new Error('no memory'), { code: 'ERR_OUT_OF_MEMORY' })
      if (number === this.nonFiniteAt) this.#isFinite = false
      else this.#losses.push(number)
      if (options.update ?? true) {
        this.#isFinite ? this.#updates++ : this.#skipped++
        this.#gradNorm = this.#isFinite || this.lossScale === undefined ? 0.5 : Number.NaN
        if (!this.#isFinite && this.lossScale !== undefined) this.lossScale /= 2
        this.#isFinite = true
      }
      return options.report ? this.#report() : undefined
    })
    this.#queue = job.catch(() => {})
    return job
  }

  /** As if so many batches had been there before. */
  startAt(batches: number): void {
    this.#before = batches
  }

  tensors(): TensorInfo[] {
    return [...this.owned.keys()].map((name) => ({ name, shape: [this.owned.get(name)!.length], group: 'decay' }))
  }

  async dump(ranges: TensorRange[]): Promise<void> {
    for (const { name, start, data } of ranges) {
      new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4).set(
        this.owned.get(name)!.subarray(start, start + data.byteLength / 4),
      )
    }
  }

  #report(): StepReport {
    const batches = this.#losses.length
    const loss = this.#losses.reduce((sum, value) => sum + value, 0) / batches
    const report: StepReport = {
      loss,
      batches,
      components: batches === 0 ? {} : this.components,
      gradNorm: this.#gradNorm,
      ...(this.lossScale !== undefined && { lossScale: this.lossScale }),
      updates: this.#updates,
      skipped: this.#skipped,
      times: { forward: 1, backward: 2, optimizer: 1 },
      tokens: 100,
      meanCosine: 0.5,
    }
    this.#losses = []
    this.#updates = 0
    this.#skipped = 0
    return report
  }

  async evaluate(batch: PackedBatch): Promise<{ loss: number; components: Record<string, number> }> {
    return { loss: (batch.offsets.length - 1) / batch.columns, components: this.components }
  }

  async copyWeights(): Promise<void> {}

  async lossScaler(): Promise<LossScalerState | undefined> {
    return this.lossScale === undefined ? undefined : { scale: this.lossScale, growthTracker: 7 }
  }

  async counters(): Promise<number[]> {
    return [this.#before + this.calls.length, this.calls.filter(({ update }) => update).length]
  }
}

export function pairs(rows: number, extra: Record<string, number[]> = {}): Dataset {
  const texts = (kind: string) => Array.from({ length: rows }, (_, i) => `${kind}${i}`)
  return Dataset.fromColumns({ anchor: texts('a'), positive: texts('p'), ...extra })
}

/** Every text becomes one token: its number. */
export async function tokenize(texts: readonly string[]) {
  const ids = Int32Array.from(texts, (text) => Number(text.slice(1)))
  return { ids, offsets: Int32Array.from({ length: texts.length + 1 }, (_, i) => i) }
}

export function source(
  data: DataSource,
  loss: Loss,
  args: Readonly<TrainingArguments>,
  batchSize: number,
): BatchSource {
  const { seed, dataloaderDropLast: dropLast, batchSampler, multiDatasetBatchSampler } = args
  const maker = new BatchMaker({ requirements: loss.requirements, tokenize })
  return {
    feed: createFeed(data, { batchSampler, multiDatasetBatchSampler, batchSize, seed, dropLast }),
    prepare: async (batch, position) => {
      return { batch: await maker.make(batch, position), loss: 0, weight: 1, rows: batch.rows.length }
    },
  }
}

export interface Setup {
  rows?: number
  /** Instead of `rows` pairs. */
  data?: DataSource
  /** What a checkpoint says. */
  resume?: OwnState
  engine?: FakeEngine
  callbacks?: TrainerCallback[]
  parts?: Partial<RunParts>
  signal?: AbortSignal
}

export function prepare(given: Partial<TrainingArguments>, setup: Setup = {}) {
  const args = resolveArguments({ saveStrategy: 'no', perDeviceTrainBatchSize: 2, numTrainEpochs: 1, ...given })
  const engine = setup.engine ?? new FakeEngine()
  const loss = new MultipleNegativesRankingLoss()
  const run = new TrainingRun({
    args,
    native: engine,
    train: source(setup.data ?? pairs(setup.rows ?? 10), loss, args, args.perDeviceTrainBatchSize),
    save: async (folder) => {
      mkdirSync(folder, { recursive: true })
    },
    reportsAreFree: false,
    callbacks: setup.callbacks ?? [],
    signal: setup.signal,
    ...setup.parts,
  })
  if (setup.resume) run.restore(setup.resume)
  return { engine, run, train: () => trainLoop(run, setup.signal) }
}

/** Notes every event; `requests` are run inside. */
export function recorder(requests: TrainerCallback = {}): TrainerCallback & { events: string[]; records: LogRecord[] } {
  const events: string[] = []
  const records: LogRecord[] = []
  return {
    events,
    records,
    onTrainBegin: () => void events.push('trainBegin'),
    onEpochBegin: () => void events.push('epochBegin'),
    onStepBegin: () => void events.push('stepBegin'),
    onSubstepEnd: () => void events.push('substepEnd'),
    onPredictionStep: () => void events.push('predictionStep'),
    onWarning: ({ code }) => void events.push(code),
    onStepEnd(context) {
      events.push(`stepEnd ${context.state.globalStep}`)
      return requests.onStepEnd?.(context)
    },
    onEpochEnd: () => void events.push('epochEnd'),
    onLog(record, context) {
      events.push(`log ${context.state.globalStep}`)
      records.push(record)
      return requests.onLog?.(record, context)
    },
    onEvaluate(metrics, context) {
      events.push(`evaluate ${context.state.globalStep}`)
      return requests.onEvaluate?.(metrics, context)
    },
    onSave: (_, { state }) => void events.push(`save ${state.globalStep}`),
    onTrainEnd: () => void events.push('trainEnd'),
  }
}
