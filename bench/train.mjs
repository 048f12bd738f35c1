// One training trial of ours: fp32, dropout on, and how late a 10 ms timer fires meanwhile. One JSON line on stdout.
import { Dataset, losses, SentenceTransformer, SentenceTransformerTrainer } from 'sentence-torch'
import { engineFacts, trialOptions } from './trial.mjs'

const TIMER_MS = 10

const { model: source, columns, batchSize, steps, warmUp, load } = trialOptions()
const model = await SentenceTransformer.load(source, load)
const lateness = []
let start = 0
let end = 0
let counting = false
let running = true

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
    if (state.globalStep === warmUp) {
      start = performance.now()
      counting = true
    }
    end = performance.now()
  },
  onTrainEnd() {
    running = counting = false
  },
}
const trainer = new SentenceTransformerTrainer({
  model,
  trainDataset: Dataset.fromColumns(columns),
  loss: new losses.CosineSimilarityLoss(),
  args: { maxSteps: warmUp + steps, perDeviceTrainBatchSize: batchSize, learningRate: 2e-5, saveStrategy: 'no' },
  callbacks: [clock],
  progress: false,
})
await trainer.train()
await model.dispose()

lateness.sort((a, b) => a - b)
const at = (share) =>
  Number(Math.max(0, lateness[Math.min(lateness.length - 1, Math.floor(share * lateness.length))]).toFixed(2))
console.log(
  JSON.stringify({
    theme: 'train',
    program: 'sentence-torch',
    stepsPerSecond: (1000 * steps) / (end - start),
    steps,
    batchSize,
    timerLatenessMs: { p50: at(0.5), p99: at(0.99), max: at(1), timers: lateness.length },
    ...engineFacts(),
  }),
)
