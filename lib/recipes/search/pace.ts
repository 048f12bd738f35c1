/** How fast this machine is: a few steps, and an evaluation of some rows. */
import { signalOf } from '../../io/abort.js'
import { SentenceTransformer } from '../../models/sentence-transformer.js'
import type { TrainerCallback } from '../../training/index.js'
import type { SearchParts } from './parts.js'
import { UNSAVED } from './trial.js'

/** Share of the budget in which steps are timed, and steps at least. */
const SHARE = 0.02
const LEAST_STEPS = 3
/** Rows of dev that are timed, and fewest that compare trials. */
const TIMED_ROWS = 256
/** Share of the budget that an evaluation between rungs may take. */
const DEV_SHARE = 0.02

export interface Pace {
  /** Rows a second in training. */
  rate: number
  /** Seconds of a training beside its steps: measured on a sample of dev, and on all of it. */
  perTraining: { sample: number; all: number }
  /** Rows of the sample of dev; absent: all. */
  devRows?: number
  /** What the measurement took. */
  seconds: number
}

/** Stops when enough steps are timed. The first step also makes buffers. */
class Timer implements TrainerCallback {
  readonly #seconds: number
  #first: number | undefined
  rate = 0

  constructor(seconds: number) {
    this.#seconds = seconds
  }

  onStepEnd({ state, control }: Parameters<NonNullable<TrainerCallback['onStepEnd']>>[0]): void {
    const now = performance.now()
    this.#first ??= now
    const passed = (now - this.#first) / 1000
    this.rate = (state.globalStep - 1) / Math.max(1e-3, passed)
    if (state.globalStep > LEAST_STEPS && passed >= this.#seconds) control.shouldTrainingStop = true
  }
}

export async function measurePace(parts: SearchParts): Promise<Pace> {
  const { run, kind, train, load, args, dev, first, budget } = parts
  const start = performance.now()
  const since = (from: number) => (performance.now() - from) / 1000
  const model = await load()
  const loading = since(start)
  const batch = first.args.perDeviceTrainBatchSize!
  const timer = new Timer(SHARE * budget)
  const loss = await kind.makeLosses(first.loss, (guide) => run.loadModel(() => SentenceTransformer.load(guide)))
  const own = { ...kind.batching(loss), ...args, ...first.args, ...UNSAVED }
  const of = run.training({}, { args: { ...own, numTrainEpochs: 1000, reportTo: 'none' }, isMeasured: false })
  const trainer = kind.trainer({ model, trainDataset: train, loss, ...of, callbacks: [timer] })
  await trainer.train(signalOf(run))

  const timed = dev.rows === undefined ? undefined : Math.min(TIMED_ROWS, dev.rows)
  const evaluator = timed === undefined ? dev.all : await dev.sample!(timed)
  const from = performance.now()
  await evaluator.evaluate(model as never, signalOf(run))
  const measuring = since(from)
  await model.dispose()
  if (timed === undefined) {
    const perTraining = loading + measuring
    return { rate: timer.rate * batch, perTraining: { sample: perTraining, all: perTraining }, seconds: since(start) }
  }
  const perRow = measuring / timed
  const rows = Math.round(Math.min(dev.rows!, Math.max(timed, (DEV_SHARE * budget) / perRow)))
  return {
    rate: timer.rate * batch,
    perTraining: { sample: loading + rows * perRow, all: loading + dev.rows! * perRow },
    ...(rows < dev.rows! && { devRows: rows }),
    seconds: since(start),
  }
}
