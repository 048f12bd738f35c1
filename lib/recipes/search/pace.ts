/** How fast this machine is: a few steps, and an evaluation of some rows. */
import { SentenceTorchError } from '../../errors.js'
import { signalOf, throwIfAborted } from '../../io/abort.js'
import { SentenceTransformer } from '../../models/sentence-transformer.js'
import { loadAddon } from '../../native/load.js'
import type { PartialTrainingArguments, TrainerCallback } from '../../training/index.js'
import type { RecipeModel } from '../model-kind.js'
import type { SearchParts } from './parts.js'
import { rowsPerStep, UNSAVED } from './trial.js'

/** Share of the budget in which steps are timed, and steps at least. */
const SHARE = 0.02
const LEAST_STEPS = 3
/** Rows of dev that are timed, and fewest that compare trials. */
const TIMED_ROWS = 256
/** Share of the budget that an evaluation between rungs may take. */
const DEV_SHARE = 0.02
/** How much faster bfloat16 has to be to be taken: it rounds more. */
const WORTH_IT = 1.2

export interface Pace {
  /** Rows a second in training. */
  rate: number
  /** Seconds of a training beside its steps: measured on a sample of dev, and on all of it. */
  perTraining: { sample: number; all: number }
  /** Rows of the sample of dev; absent: all. */
  devRows?: number
  /** How many times as fast bfloat16 is, where trainings take it. */
  bf16?: number
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

/** Of a config that leaves the type of numbers open, on a processor that is fast in bfloat16, trainings get the faster type. */
export async function measurePace(parts: SearchParts): Promise<Pace> {
  const { run, load, dev, first, budget } = parts
  const start = performance.now()
  const since = (from: number) => (performance.now() - from) / 1000
  const model = await load()
  const loading = since(start)
  const plain = await stepsPerSecond(parts, model)
  const factor = mayTakeBfloat16(parts) ? (await bfloat16Steps(parts, model)) / plain : 0
  const bf16 = factor >= WORTH_IT ? Number(factor.toPrecision(3)) : undefined

  const rate = (bf16 ?? 1) * plain * rowsPerStep(parts, first)
  const found = { rate, ...(bf16 !== undefined && { bf16 }) }
  const timed = dev.rows === undefined ? undefined : Math.min(TIMED_ROWS, dev.rows)
  const evaluator = timed === undefined ? dev.all : await dev.sample!(timed)
  const from = performance.now()
  await evaluator.evaluate(model as never, signalOf(run))
  const measuring = since(from)
  await model.dispose()
  if (timed === undefined) {
    const perTraining = loading + measuring
    return { ...found, perTraining: { sample: perTraining, all: perTraining }, seconds: since(start) }
  }
  const perRow = measuring / timed
  const rows = Math.round(Math.min(dev.rows!, Math.max(timed, (DEV_SHARE * budget) / perRow)))
  return {
    ...found,
    perTraining: { sample: loading + rows * perRow, all: loading + dev.rows! * perRow },
    ...(rows < dev.rows! && { devRows: rows }),
    seconds: since(start),
  }
}

function mayTakeBfloat16({ args, first, space }: SearchParts): boolean {
  const given = { ...args, ...first.args, ...space.choices }
  const isOpen = given.bf16 === undefined && given.fp16 === undefined
  return isOpen && loadAddon().runtime().fastDTypes.includes('bfloat16')
}

/** 0 where the model, or the loss, does not train in bfloat16. */
async function bfloat16Steps(parts: SearchParts, model: RecipeModel): Promise<number> {
  try {
    return await stepsPerSecond(parts, model, { bf16: true })
  } catch (error) {
    throwIfAborted(parts.run.signal, 'Measuring the pace')
    return refusesBfloat16(error) ? 0 : Promise.reject(error)
  }
}

const refusesBfloat16 = (error: unknown): boolean =>
  error instanceof SentenceTorchError && ['ERR_INVALID_ARGUMENT', 'ERR_NOT_IMPLEMENTED'].includes(error.code)

async function stepsPerSecond(
  { run, kind, train, args, first, budget }: SearchParts,
  model: RecipeModel,
  more: PartialTrainingArguments = {},
): Promise<number> {
  const timer = new Timer(SHARE * budget)
  const loss = await kind.makeLosses(first.loss, (guide) => run.loadModel(() => SentenceTransformer.load(guide)))
  const own = { ...kind.batching(loss), ...args, ...first.args, ...more, ...UNSAVED }
  const of = run.training({}, { args: { ...own, numTrainEpochs: 1000, reportTo: 'none' }, isMeasured: false })
  const trainer = kind.trainer({ model, trainDataset: train, loss, ...of, callbacks: [timer] })
  await trainer.train(signalOf(run))
  return timer.rate
}
