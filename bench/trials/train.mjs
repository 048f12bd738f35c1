// One training trial of ours: dropout on, batches in the order of the rows, and how late a 10 ms timer fires meanwhile. With
// --trace a profile of the steps that count. One JSON line on stdout.
import { Dataset, engine, losses, SentenceTransformer, SentenceTransformerTrainer } from 'sentence-torch'
import { cpuMs, engineFacts, say, trialOptions } from './trial.mjs'

const TIMER_MS = 10

const { model: source, columns, batchSize, steps, warmUp, miniBatch, loss, dtype, threads, trace } = trialOptions()
const model = await SentenceTransformer.load(source, threads > 0 ? { threads } : {})
const lateness = []
const ends = []
const cpu = []
let counting = false
let running = true
let profile
let profiled

function tick() {
  const due = performance.now() + TIMER_MS
  setTimeout(() => {
    if (counting) lateness.push(performance.now() - due)
    if (running) tick()
  }, TIMER_MS)
}

const clock = {
  onTrainBegin: tick,
  onStepEnd({ state }) {
    if (state.globalStep < warmUp) return
    ends.push(performance.now())
    cpu.push(cpuMs())
    if (state.globalStep === warmUp) {
      counting = true
      if (trace) profile = engine.profile()
    } else if (state.globalStep === warmUp + steps) {
      profiled = profile?.stop(trace)
    }
  },
  onTrainEnd() {
    running = counting = false
  },
}
await new SentenceTransformerTrainer({
  model,
  trainDataset: Dataset.fromColumns(columns),
  loss: new losses[loss](miniBatch > 0 ? { miniBatchSize: miniBatch } : {}),
  args: {
    ...{ maxSteps: warmUp + steps, perDeviceTrainBatchSize: batchSize, learningRate: 2e-5, saveStrategy: 'no' },
    ...{ batchSampler: 'sequential', bf16: dtype === 'bfloat16' },
  },
  callbacks: [clock],
  progress: false,
}).train()
await model.dispose()

lateness.sort((a, b) => a - b)
const at = (share) =>
  Number(Math.max(0, lateness[Math.min(lateness.length - 1, Math.floor(share * lateness.length))] ?? 0).toFixed(2))
say({
  stepMs: (ends.at(-1) - ends[0]) / steps,
  stepCpuMs: (cpu.at(-1) - cpu[0]) / steps,
  ...{ steps, batchSize },
  timerLatenessMs: { p50: at(0.5), p99: at(0.99), max: at(1), timers: lateness.length },
  ...(profiled && { busyMs: profiled.busyMs, wallMs: profiled.wallMs, parts: profiled.parts }),
  ...(await engineFacts()),
})
