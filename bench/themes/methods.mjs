// What people do beside plain training and encoding: large batches by gradient caching, cross-encoders, mining, search and clustering of
// many vectors, texts of which many are equal. Each beside Python, the same rows in the same order.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { header, printTable, programRows } from '../common/table.mjs'
import { ENCODING, questionPassages, scoredPairs, TRAINING } from '../common/workloads.mjs'
import { encode } from './encode.mjs'
import { train } from './train.mjs'

const PROGRAMS = ['ours', 'ours-bf16', 'python', 'python-bf16']
const MODEL = 'all-MiniLM-L6-v2'
const TRAININGS = ['nli-pairs-256', 'cached-512', 'base-sts']
const ENCODINGS = ['repeated', 'base-sts']
const VECTORS = { width: 384, queries: 1000, threshold: 0.75 }
/** Rows near each other, and how far they are apart: cosines of about 0.8. */
const NEAR = 5
const DISTANCE = 0.5

/** Unit vectors in groups of NEAR around random centres, as raw float32. */
function vectors(run, count) {
  const { width } = VECTORS
  let state = 1
  const random = () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state / 2 ** 31
  }
  const data = new Float32Array(count * width)
  const centre = new Float32Array(width)
  for (let row = 0; row < count; row++) {
    if (row % NEAR === 0) for (let i = 0; i < width; i++) centre[i] = random()
    const values = data.subarray(row * width, (row + 1) * width)
    for (let i = 0; i < width; i++) values[i] = centre[i] + DISTANCE * random()
    const length = Math.hypot(...values)
    for (let i = 0; i < width; i++) values[i] /= length
  }
  const file = join(run.folder, 'vectors.f32')
  writeFileSync(file, data)
  return file
}

function pairs(run) {
  const [steps, warmUp, batch] = [run.options.steps ?? 6, run.options.warmUp ?? 2, 32]
  const data = run.dataFile('pairs', scoredPairs(run.options.data, (steps + warmUp) * batch))
  const settings = { data, 'batch-size': batch, steps, 'warm-up': warmUp }
  return run.inTurns('methods', run.programs(PROGRAMS), {
    ...{ workload: 'pairs', model: MODEL, script: 'pairs', settings },
  })
}

function mine(run) {
  const data = run.dataFile('mine', questionPassages(run.options.data, run.options.texts ?? 1000))
  return run.inTurns('methods', run.programs(PROGRAMS), {
    ...{ workload: 'mine', model: MODEL, script: 'mine', settings: { data } },
  })
}

function search(run) {
  const count = Math.min(run.options.documents, 100_000)
  const trials = run.inTurns('methods', run.programs(['ours', 'python']), {
    ...{ workload: `${count} vectors`, model: MODEL, script: 'vectors' },
    settings: { ...VECTORS, vectors: vectors(run, count) },
  })
  return { count, trials }
}

export function main(run) {
  const wanted = (names) => names.filter((name) => run.options.workloads?.includes(name) ?? true)
  run.measureMachine()
  const trainings = wanted(TRAININGS).map((name) => ({
    label: TRAINING[name].label,
    ...train(run, name, { theme: 'methods', programs: run.programs(PROGRAMS) }),
  }))
  const encodings = wanted(ENCODINGS).map((name) => ({
    label: ENCODING[name].label,
    ...encode(run, name, { theme: 'methods', programs: run.programs(PROGRAMS) }),
  }))
  // The other workloads have no names that --workloads takes.
  const others = run.options.workloads ? undefined : { pairs: pairs(run), mine: mine(run), search: search(run) }
  return () => {
    const rows = (found, key, better) =>
      found.flatMap(({ label, trials, floor }) => programRows(label, trials, { key, better, floor }))
    printTable('Training', header('ms/step'), rows(trainings, 'stepMs', 'less'))
    printTable('Encoding', header('texts/s'), rows(encodings, 'perSecond', 'more'))
    if (!others) return
    const pairsOf = (key, better) => programRows('question-passage pairs, 32', others.pairs, { key, better })
    printTable('Cross-encoder: training', header('ms/step'), pairsOf('stepMs', 'less'))
    printTable('Cross-encoder: predict', header('pairs/s'), pairsOf('perSecond', 'more'))
    const mining = programRows('questions and passages', others.mine, { key: 'seconds', better: 'less' })
    printTable('mineHardNegatives', header('s'), mining)
    const label = `${others.search.count.toLocaleString('en')} vectors`
    for (const [title, key] of [
      ['semanticSearch, 1,000 queries', 'searchSeconds'],
      ['communityDetection', 'clusterSeconds'],
    ])
      printTable(title, header('s'), programRows(label, others.search.trials, { key, better: 'less' }))
  }
}
