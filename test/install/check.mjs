// What every case runs in its folder: loads the tiny model in ./model, encodes, trains three steps, saves, loads again, encodes again.
// The last line is JSON: when the first embedding was there, the losses and two sums over the embeddings.
import { Dataset, losses, SentenceTransformer, SentenceTransformerTrainer } from 'sentence-torch'

const texts = ['the red cat is one', 'a green dog and the blue bird', 'very like milk', 'snow']
const words = ['red', 'green', 'blue', 'cat', 'dog', 'cow', 'rain', 'sun', 'snow', 'bread', 'milk', 'cheese']
const pairs = words.map((word, i) => ({ anchor: `the ${word}`, positive: `a ${word} is ${words[(i * 5 + 1) % 12]}` }))

/** Two numbers that see every value and its place. */
async function digest(model) {
  const { data } = await model.encode(texts)
  let sum = 0
  let weighted = 0
  data.forEach((value, i) => {
    sum += value
    weighted += value * ((i % 97) + 1)
  })
  return [sum, weighted]
}

const model = await SentenceTransformer.load('./model')
await model.encode(texts)
const first = Date.now()
const before = await digest(model)

const steps = []
const trainer = new SentenceTransformerTrainer({
  model,
  trainDataset: Dataset.fromRows(pairs),
  // Not 20: scores of that size leave the loss, their difference, six digits, which is too few to compare processors.
  loss: new losses.MultipleNegativesRankingLoss({ scale: 1 }),
  args: {
    ...{ outputDir: 'run', maxSteps: 3, perDeviceTrainBatchSize: 4, learningRate: 1e-3, seed: 7 },
    ...{ loggingSteps: 1, saveStrategy: 'no' },
  },
  callbacks: [
    {
      onLog: (record) => {
        if (typeof record.loss === 'number') steps.push(record.loss)
      },
    },
  ],
  progress: false,
})
await trainer.train()
await model.save('run/model')
const after = await digest(model)
await model.dispose()

const again = await SentenceTransformer.load('./run/model')
const reloaded = await digest(again)
await again.dispose()
if (after.some((value, i) => value !== reloaded[i])) throw new Error(`saved ${after} but loaded ${reloaded}`)
if (before.some((value, i) => value === after[i])) throw new Error('three steps of training changed nothing')
if (steps.length !== 3) throw new Error(`expected 3 losses but found ${steps}`)

const { glibcVersionRuntime: glibc } = process.report?.getReport?.().header ?? {}
const runtime = process.versions.bun
  ? `bun ${process.versions.bun}`
  : process.versions.deno
    ? `deno ${process.versions.deno}`
    : `node ${process.versions.node}`
console.log(JSON.stringify({ first, runtime, glibc, arch: process.arch, losses: steps, before, after }))
