// npm run bench: our trials and the Python peer's in turns (A B A B …), each in a process of its own. JSON lines, then a table.
//
//   train    STS benchmark train pairs, CosineSimilarityLoss, fp32, dropout on: steps/s after the warm-up
//   loop     how late a 10 ms timer fires during that training (ours alone)
//   encode   STS benchmark dev sentences: sentences/s
//   parity   their embeddings compared, and the Spearman correlation of both
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { cores, cpuFeatures, cpuModel } from '../install/system.mjs'

const HELP = `npm run bench -- [options]

  --themes LIST   of train, encode (default both; loop comes with train, parity with encode)
  --rounds N      trials of each program (default 3)
  --steps N       training steps that count (default 30, after 5 that do not)
  --threads N     of both programs (default: each its own choice)
  --model PATH    folder or hub id (default: ../shared/models/all-MiniLM-L6-v2, else the hub's)
  --data FOLDER   with train.tsv and dev.tsv of the STS benchmark (default: ../shared/data/stsb)
  --json          JSON lines only

The peer runs in SENTENCE_TORCH_BENCH_PYTHON or bench/peers/venv (python3 bench/setup.py makes it); without it, ours runs alone.`

const here = fileURLToPath(new URL('.', import.meta.url))
const shared = join(here, '..', '..', 'shared')
const WARM_UP = 5
const BATCH = 32

const text = (value) => ({ type: 'string', default: value })
const { values: options } = parseArgs({
  options: {
    themes: text('train,encode'),
    rounds: text('3'),
    steps: text('30'),
    threads: text('0'),
    model: text(undefined),
    data: text(join(shared, 'data', 'stsb')),
    json: { type: 'boolean' },
    help: { type: 'boolean' },
  },
})

function main() {
  if (options.help) return console.log(HELP)
  if (!existsSync(join(options.data, 'dev.tsv'))) {
    throw new Error(`There is no dev.tsv of the STS benchmark in ${options.data}; name its folder with --data`)
  }
  const local = join(shared, 'models', 'all-MiniLM-L6-v2')
  const model = options.model ?? (existsSync(local) ? local : 'sentence-transformers/all-MiniLM-L6-v2')
  const python = peerPython()
  const facts = {
    processor: cpuModel(),
    features: cpuFeatures(),
    cores: cores(),
    date: new Date().toISOString().slice(0, 10),
  }
  emit({ theme: 'machine', ...facts })
  if (!python) console.error('No Python peer (python3 bench/setup.py makes it): ours runs alone\n')

  const folder = mkdtempSync(join(tmpdir(), 'sentence-torch-bench-'))
  try {
    const table = []
    for (const theme of options.themes.split(',')) {
      const data = join(folder, `${theme}.json`)
      writeFileSync(data, JSON.stringify(columns(theme)))
      const common = {
        model,
        data,
        'batch-size': BATCH,
        steps: options.steps,
        'warm-up': WARM_UP,
        threads: options.threads,
      }
      const trials = { ours: [], peer: [] }
      for (let round = 1; round <= Number(options.rounds); round++) {
        trials.ours.push(trial(process.execPath, `${theme}.mjs`, { ...common, out: join(folder, 'ours.f32') }, round))
        if (python)
          trials.peer.push(trial(python, `${theme}_peer.py`, { ...common, out: join(folder, 'peer.f32') }, round))
      }
      table.push(...(theme === 'train' ? trainRows(trials) : encodeRows(trials, folder)))
    }
    if (!options.json) print(facts, table)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function peerPython() {
  const venv = join(here, 'peers', 'venv', 'bin', 'python')
  return process.env.SENTENCE_TORCH_BENCH_PYTHON ?? (existsSync(venv) ? venv : undefined)
}

/** Columns of a theme; both programs read the same. Training takes rows from all over the file: both see each of them once. */
function columns(theme) {
  const file = { train: 'train.tsv', encode: 'dev.tsv' }[theme]
  if (!file) throw new Error(`There is no theme ${theme}; known are train and encode`)
  const lines = readFileSync(join(options.data, file), 'utf8').trimEnd().split('\n').slice(1)
  const wanted = theme === 'train' ? (Number(options.steps) + WARM_UP) * BATCH : lines.length
  const rows = Array.from({ length: wanted }, (_, i) => lines[(i * 1009) % lines.length].split('\t'))
  const all = theme === 'train' ? rows : lines.map((line) => line.split('\t'))
  return {
    sentence1: all.map((row) => row[0]),
    sentence2: all.map((row) => row[1]),
    score: all.map((row) => Number(row[2]) / 5),
  }
}

/** Runs one trial and returns what it said in its last line. */
function trial(program, script, settings, round) {
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
  const { status, stdout, stderr, error } = spawnSync(program, [join(here, script), ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    cwd: join(here, '..'),
  })
  if (error) throw error
  if (status !== 0) throw new Error(`${script} failed:\n${stderr.trim().split('\n').slice(-15).join('\n')}`)
  const result = JSON.parse(stdout.trim().split('\n').at(-1))
  emit({ ...result, round })
  return result
}

const emit = (record) => console.log(JSON.stringify(record))

function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** A row of the table: the medians of `key` and their ratio. */
function compared(name, { ours, peer }, key, digits, ratioOf = (a, b) => a / b) {
  const mine = median(ours.map((trial) => trial[key]))
  const row = [name, mine.toFixed(digits), '', '']
  if (peer.length === 0) return row
  const theirs = median(peer.map((trial) => trial[key]))
  return [name, mine.toFixed(digits), theirs.toFixed(digits), `${ratioOf(mine, theirs).toFixed(2)}×`]
}

function trainRows(trials) {
  const lateness = median(trials.ours.map((trial) => trial.timerLatenessMs.p99))
  return [
    compared('training, steps/s', trials, 'stepsPerSecond', 2),
    compared('training, peak memory MB', trials, 'peakRssMB', 0),
    ['10 ms timer in training, p99 lateness ms', lateness.toFixed(2), '', ''],
  ]
}

function encodeRows(trials, folder) {
  const rows = [
    compared('encoding, sentences/s', trials, 'sentencesPerSecond', 0),
    compared('encoding, peak memory MB', trials, 'peakRssMB', 0),
  ]
  const spearman = (side) => trials[side][0]?.devSpearman.toFixed(6) ?? ''
  rows.push(['dev Spearman', spearman('ours'), spearman('peer'), ''])
  if (trials.peer.length > 0) {
    const [ours, peer] = ['ours', 'peer'].map((name) => floats(join(folder, `${name}.f32`)))
    const difference = ours.reduce((worst, value, i) => Math.max(worst, Math.abs(value - peer[i])), 0)
    const sentences = trials.ours[0].sentences
    emit({ theme: 'parity', maxAbsDifference: difference, sentences, sameSize: ours.length === peer.length })
    rows.push([`largest difference, ${sentences} embeddings`, difference.toExponential(1), '', ''])
  }
  return rows
}

function floats(path) {
  const bytes = readFileSync(path)
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
}

function print({ processor, features, cores: { allowed } }, rows) {
  const table = [['', 'sentence-torch', 'Python', 'ratio'], ...rows]
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)))
  console.log(`\n${processor}, ${allowed} cores, ${features.join(' ')}\n`)
  for (const row of table) {
    console.log(
      row.map((cell, column) => (column ? cell.padStart(widths[column]) : cell.padEnd(widths[0]))).join('   '),
    )
  }
}

try {
  main()
} catch (error) {
  console.error(`bench: ${error.message}`)
  process.exitCode = 1
}
