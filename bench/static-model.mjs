// node bench/static-model.mjs [--only banking77,passages,train] [--rounds 3] [--threads 2] [--results FILE]
//
// A static model beside its peers: encoding beside model2vec (10,003 texts of Banking77; 1,800 passages of SQuAD), training with
// MatryoshkaLoss over MultipleNegativesRankingLoss beside sentence-transformers (batches of 256 pairs of MultiNLI). Both sides read
// the same folder, whose table is distilled from all-MiniLM-L6-v2 first. The sides take turns, A B A B, each in a process of its own
// with the same number of threads; medians count. model2vec has threads of its own for more than 10,000 texts: it is measured with
// and without them, and the faster way counts. Needs ../shared, and model2vec in the peer's Python (see bench/run.mjs).
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import {
  Dataset,
  losses,
  Normalize,
  recipes,
  SentenceTransformer,
  SentenceTransformerTrainer,
  StaticEmbedding,
} from 'sentence-torch'
import { cpuModel } from '../install/system.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const shared = fileURLToPath(new URL('../../shared/', import.meta.url))
const text = (value) => ({ type: 'string', default: value })
const { values: options } = parseArgs({
  options: {
    only: text('banking77,passages,train'),
    rounds: text('3'),
    threads: text('2'),
    steps: text('17'),
    folder: { type: 'string' },
    results: { type: 'string' },
    job: { type: 'string' },
  },
})
const python = process.env.SENTENCE_TORCH_BENCH_PYTHON ?? join(here, 'peers', 'venv', 'bin', 'python')
const DIMS = [256, 128, 64, 32]

/** Seconds by the clock, and of all threads: on a machine that others use, too, the second say more. */
async function timed(work) {
  const [start, cpu] = [performance.now(), process.cpuUsage()]
  const result = await work()
  const { user, system } = process.cpuUsage(cpu)
  return { result, seconds: (performance.now() - start) / 1000, cpu: (user + system) / 1e6 }
}

/** One measurement, in a process of its own. */
async function measure({ folder, texts, pairs, steps, threads }) {
  const model = await SentenceTransformer.load(folder, { threads })
  if (texts !== undefined) {
    await model.encode(texts.slice(0, texts.length / 10))
    const { result, ...times } = await timed(() => model.encode(texts))
    console.log(JSON.stringify({ ...times, first: [...result.data.subarray(0, 8)] }))
  } else {
    const run = async (maxSteps) => {
      const inner = new losses.MultipleNegativesRankingLoss({ scale: 20 })
      const trainer = new SentenceTransformerTrainer({
        model,
        trainDataset: Dataset.fromColumns(pairs),
        loss: new losses.MatryoshkaLoss({ loss: inner, matryoshkaDims: DIMS }),
        args: {
          ...{ perDeviceTrainBatchSize: 256, learningRate: 1e-2, maxSteps, batchSampler: 'no_duplicates' },
          ...{ saveStrategy: 'no', reportTo: 'none', outputDir: join(tmpdir(), 'static-model-bench') },
        },
        progress: false,
      })
      return timed(() => trainer.train())
    }
    await run(3)
    const { seconds, cpu } = await run(steps)
    console.log(JSON.stringify({ seconds, cpu }))
  }
  await model.dispose()
}

if (options.job !== undefined) await measure(JSON.parse(readFileSync(options.job, 'utf8')))
else {
  const work = options.folder ?? mkdtempSync(join(tmpdir(), 'static-model-'))
  const folder = join(work, 'model')
  if (!existsSync(folder)) {
    const table = await StaticEmbedding.fromDistillation(join(shared, 'models', 'all-MiniLM-L6-v2'))
    const model = await SentenceTransformer.fromModules([table, new Normalize()])
    await model.save(folder)
    await model.dispose()
  }
  const read = (path) => Dataset.fromFile(join(shared, 'data', path))
  const passages = ['squad/dev-passages.jsonl', 'squad/train-passages.jsonl']
  const nli = await recipes.nliRows(await read('nli/mnli-train-13k.jsonl'))
  const { dataset } = await recipes.nliPairs(nli.dataset, { negatives: 'none' })
  const [anchor, positive] = dataset.columnNames.map((name) => dataset.texts(name))
  const cases = {
    banking77: { texts: (await read('banking77/train.jsonl')).texts('text') },
    passages: { texts: (await Promise.all(passages.map(read))).flatMap((each) => each.texts('passage')) },
    train: { pairs: { anchor, positive }, steps: Number(options.steps), dims: DIMS },
  }
  const [rounds, threads] = [Number(options.rounds), Number(options.threads)]
  const result = { processor: cpuModel(), node: process.versions.node, rounds, threads }
  const env = { ...process.env, RAYON_NUM_THREADS: options.threads, OMP_NUM_THREADS: options.threads }
  for (const name of options.only.split(',')) {
    const job = { ...cases[name], folder, threads }
    const file = join(work, `${name}.json`)
    writeFileSync(file, JSON.stringify(job))
    const peer = (...args) => [python, [join(here, 'static_model_peer.py'), file, ...args]]
    const sides = {
      ours: [process.execPath, [fileURLToPath(import.meta.url), '--job', file]],
      theirs: peer(),
      ...(job.texts && { theirsAlone: peer('--alone') }),
    }
    const found = Object.fromEntries(Object.keys(sides).map((side) => [side, []]))
    for (let round = 0; round < rounds; round++) {
      for (const [side, [program, args]] of Object.entries(sides)) {
        const made = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 26, env })
        if (made.status !== 0) throw new Error(`${program} failed: ${made.stderr.slice(-3000)}`)
        found[side].push(JSON.parse(made.stdout.trim().split('\n').at(-1)))
        console.error(name, side, found[side].at(-1).seconds.toFixed(4), found[side].at(-1).cpu.toFixed(4))
      }
    }
    const values = (side, key) => found[side].map((one) => Math.round(one[key] * 1e4) / 1e4)
    const median = (side, key) => values(side, key).sort((a, b) => a - b)[rounds >> 1]
    const compared = (key) => {
      const { ours, ...theirs } = Object.fromEntries(Object.keys(sides).map((side) => [side, median(side, key)]))
      return {
        ...Object.fromEntries(Object.keys(sides).map((side) => [side, values(side, key)])),
        timesAsFast: Math.round((100 * Math.min(...Object.values(theirs))) / ours) / 100,
      }
    }
    result[name] = {
      ...(job.texts ? { texts: job.texts.length } : { pairs: 256 * job.steps }),
      ...{ seconds: compared('seconds'), cpuSeconds: compared('cpu') },
      ...(job.texts && {
        largestDifference: Math.max(...found.ours[0].first.map((x, i) => Math.abs(x - found.theirs[0].first[i]))),
      }),
      versions: found.theirs[0].versions,
    }
  }
  const json = `${JSON.stringify(result, null, 2)}\n`
  if (options.results) writeFileSync(options.results, json)
  console.log(json)
}
