// Few-shot intent classification made better by fine-tuning: ten example texts for each of 77 intents of bank customers, a model
// that knows nothing of banks, a minute of training. Everything that the main job needs is in `quickstart` below.
import { readFile } from 'node:fs/promises'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Dataset, losses, SentenceTransformer, SentenceTransformerTrainer, util } from 'sentence-torch'
import { loadModel, MODEL } from './model.mjs'

const BATCH = 32
const OUTPUT = fileURLToPath(new URL('../../runs/quickstart/model', import.meta.url))
const QUESTIONS = [
  'the card you sent me still is not here',
  'a shop took the money two times',
  'can I use this at a cash machine in Japan?',
]

/** @param {{ seed: number, steps: number, json: boolean }} options */
export async function quickstart({ seed, steps, json }) {
  const start = performance.now()
  const say = json ? () => {} : console.log
  const train = await readRows('train.jsonl')
  const test = await readRows('test.jsonl')

  say(`Sorting the questions of bank customers by intent, from ten examples each\n`)
  const model = await loadModel(json ? console.error : say)
  say(`  texts   ${train.length} examples of ${intents(train).length} intents, ${test.length} to sort`)
  say(`  model   ${MODEL}, ${model.device}, ${model.dtype}\n`)

  const before = await accuracy(model, train, test)
  say(
    `Before    nearest example ${percent(before.nearestNeighbour)}   nearest class mean ${percent(before.classMean)}\n`,
  )

  const { anchor, positive } = pairsOfSameIntent(train)
  say(`Fine-tuning on ${anchor.length} pairs of examples of one intent: ${steps} steps of ${BATCH} pairs`)
  const trainer = new SentenceTransformerTrainer({
    model,
    trainDataset: Dataset.fromColumns({ anchor, positive }),
    loss: new losses.MultipleNegativesRankingLoss({ scale: 20 }),
    args: {
      maxSteps: steps,
      perDeviceTrainBatchSize: BATCH,
      learningRate: 1e-4,
      warmupSteps: 0.1,
      batchSampler: 'no_duplicates',
      seed,
      saveStrategy: 'no',
      loggingSteps: Math.max(1, Math.round(steps / 5)),
    },
    ...progress(json, say),
  })
  const { globalStep, metrics } = await trainer.train()
  const after = await accuracy(model, train, test)
  say(`\nAfter     nearest example ${percent(after.nearestNeighbour)}   nearest class mean ${percent(after.classMean)}`)
  say(
    `          ${' '.repeat(16)}${gain(before.nearestNeighbour, after.nearestNeighbour)}${' '.repeat(22)}${gain(before.classMean, after.classMean)}\n`,
  )

  await model.save(OUTPUT)
  await model.dispose()
  const saved = await SentenceTransformer.load(OUTPUT)
  say(`Saved to ${relative(process.cwd(), OUTPUT)}, a folder that Python loads too. Loaded again, it answers:\n`)
  await answer(saved, train, say)

  const seconds = (performance.now() - start) / 1000
  const result = {
    model: MODEL,
    device: saved.device,
    dtype: saved.dtype,
    before,
    after,
    steps: globalStep,
    seconds: round(seconds, 1),
    pairsPerSecond: round(metrics.trainSamplesPerSecond, 1),
    peakRssMB: Math.round(process.resourceUsage().maxRSS / 1024),
  }
  await saved.dispose()
  say(
    `${result.seconds} s in all, ${result.pairsPerSecond} pairs/s in training, at most ${result.peakRssMB} MB of memory`,
  )
  if (json) console.log(JSON.stringify(result))
}

/** Rows { text, category } of a file of data/. */
async function readRows(name) {
  const text = await readFile(new URL(`data/${name}`, import.meta.url), 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

const intents = (rows) => [...new Set(rows.map((row) => row.category))]
const texts = (rows) => rows.map((row) => row.text)

/** Every two texts of one intent: with ten texts of each of 77 intents, 3,465 pairs. */
function pairsOfSameIntent(rows) {
  const anchor = []
  const positive = []
  for (let i = 0; i < rows.length; i++) {
    for (let j = i + 1; j < rows.length; j++) {
      if (rows[i].category !== rows[j].category) continue
      anchor.push(rows[i].text)
      positive.push(rows[j].text)
    }
  }
  return { anchor, positive }
}

/** Share of the test texts whose nearest example, or nearest mean of an intent's examples, is of their intent (cosine). */
async function accuracy(model, train, test) {
  const examples = await model.encode(texts(train), { normalizeEmbeddings: true })
  const queries = await model.encode(texts(test), { normalizeEmbeddings: true })
  const names = intents(train)
  // Sums: the length of a mean does not matter to the cosine.
  const means = names.map(() => new Float32Array(examples.shape[1]))
  train.forEach((row, i) => {
    const mean = means[names.indexOf(row.category)]
    examples.row(i).forEach((value, d) => {
      mean[d] += value
    })
  })
  const share = async (corpus, categoryOf) => {
    const hits = await util.semanticSearch(queries, corpus, { topK: 1 })
    return hits.filter(([best], i) => categoryOf(best.corpusId) === test[i].category).length / test.length
  }
  return {
    nearestNeighbour: await share(examples, (i) => train[i].category),
    classMean: await share(means, (i) => names[i]),
  }
}

/** The nearest examples of three questions that are in no file. */
async function answer(model, train, say) {
  const corpus = await model.encode(texts(train))
  const found = await util.semanticSearch(await model.encode(QUESTIONS), corpus, { topK: 2 })
  QUESTIONS.forEach((question, i) => {
    say(`  "${question}"  →  ${train[found[i][0].corpusId].category}`)
    for (const { corpusId, score } of found[i]) say(`      ${score.toFixed(2)}  ${train[corpusId].text}`)
    say('')
  })
}

/** A bar on a terminal; else a line now and then; with --json nothing on stdout. */
function progress(json, say) {
  const stream = json ? process.stderr : process.stdout
  if (stream.isTTY) return { progress: stream }
  const onLog = (record, { state }) => {
    if ('loss' in record) say(`  step ${state.globalStep} of ${state.maxSteps}: loss ${record.loss.toFixed(3)}`)
  }
  return { progress: false, callbacks: [{ onLog }] }
}

const percent = (share) => `${(100 * share).toFixed(1)} %`
const gain = (before, after) => `${after >= before ? '+' : '−'}${Math.abs(100 * (after - before)).toFixed(1)}`
const round = (value, digits) => Number(value.toFixed(digits))
