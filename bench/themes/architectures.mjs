// Encoding and training of every architecture in its base shape with random weights, beside Python. Each is held to our own BERT of
// the same run: how many times as fast as Python it is, and its share of the floor. Then ModernBERT's memory on long rows.
import { PROGRAMS } from '../common/peers.mjs'
import { median, spread } from '../common/statistics.mjs'
import { figure, printTable } from '../common/table.mjs'
import { ARCHITECTURES, architectureFolder, ENCODING, TRAINING } from '../common/workloads.mjs'
import { encode } from './encode.mjs'
import { train } from './train.mjs'

const PAIRS = { ours: 'python', 'ours-bf16': 'python-bf16' }
const TEXTS = 256
const QUICK = { texts: 64, steps: 1, warmUp: 1, rounds: 1 }
/** Of BERT's ratio to Python, and points below its share of the floor. */
const LEAST = 0.9
const POINTS = 5

/** What is measured: the figure of a trial by the clock or by the processor's time, whether more of it is better. */
const TASKS = {
  encoding: { clock: 'perSecond', cpu: 'perCpuSecond', more: true },
  training: { clock: 'stepMs', cpu: 'stepCpuMs', more: false },
}

export function main(run) {
  const chosen = run.workloads(ARCHITECTURES, Object.keys(ARCHITECTURES))
  const names = ['bert', ...chosen.filter((name) => name !== 'bert')]
  const found = measured(run, names)
  const memory = run.options.quick ? [] : longRows(run)
  // Floors by the best rate of the whole run.
  const rows = judged(found, run.options['cpu-time'] ? 'cpu' : 'clock')
  for (const row of [...rows, ...memory]) run.emit({ theme: 'architectures', processor: run.machine.processor, ...row })
  return () => print(run, rows, memory)
}

/** Trials and floors by architecture and task. A round is one trial of each program and architecture. */
function measured(run, names) {
  const { quick } = run.options
  const programs = run.programs(Object.entries(PAIRS).flat())
  const found = new Map(names.map((name) => [name, { encoding: undefined, training: undefined }]))
  for (let round = 0; round < (quick ? QUICK.rounds : run.options.rounds); round++) {
    for (const [name, tasks] of found) {
      run.measureMachine()
      const model = architectureFolder(name)
      const texts = (folder) => ENCODING.sts.read(folder).texts.slice(0, quick ? QUICK.texts : TEXTS)
      const encoding = { ...ENCODING['base-sts'], model, read: (folder) => ({ texts: texts(folder) }) }
      const training = { ...TRAINING['base-sts'], model, ...(quick && { steps: QUICK.steps, warmUp: QUICK.warmUp }) }
      const same = { programs, rounds: 1, theme: 'architectures' }
      tasks.encoding = joined(tasks.encoding, encode(run, name, { ...same, workload: encoding }))
      tasks.training = joined(tasks.training, train(run, name, { ...same, workload: training }))
    }
  }
  return found
}

function joined(before, { trials, floor }) {
  for (const [program, list] of before?.trials ?? []) trials.set(program, [...list, ...(trials.get(program) ?? [])])
  return { trials, floor }
}

/** A row for each architecture, task and precision that was measured: figures, ratios and whether they reach the bars. */
export function judged(found, time) {
  const cases = Object.keys(TASKS).flatMap((task) => Object.keys(PAIRS).map((program) => [task, program]))
  return cases.flatMap(([task, program]) => {
    const bert = figures(found.get('bert'), task, program, time)
    return [...found].flatMap(([architecture, tasks]) => {
      const row = figures(tasks, task, program, time)
      return row
        ? [{ architecture, task, program, ...row, ...(architecture !== 'bert' && bert && against(row, bert)) }]
        : []
    })
  })
}

function against(row, bert) {
  const [ofBert, pointsBelow] = [row.ratio / bert.ratio, bert.share - row.share]
  return { ofBert, pointsBelow, pass: ofBert >= LEAST && pointsBelow <= POINTS }
}

/** Undefined where one of the two programs was not measured. `share`: of the floor, in percent. */
function figures(tasks, task, program, time) {
  const { trials, floor } = tasks[task]
  const python = PAIRS[program]
  if (!trials.has(program) || !trials.has(python)) return undefined
  const { more, [time]: key } = TASKS[task]
  const values = (of) => trials.get(of).map((trial) => trial[key])
  const [ours, peer, limit] = [median(values(program)), median(values(python)), floor(program)]
  return {
    ...{ key, ours, python: peer, spreadPercent: spread(values(program)) },
    ratio: more ? ours / peer : peer / ours,
    share: 100 * (more ? ours / limit : limit / ours),
  }
}

const LONG = 8192
const MOST = 2.2
/** One row of so many tokens; a second, short one makes a pair for training. */
const LENGTHS = [64, LONG / 2, LONG]

/** Peak memory of ModernBERT's shape with 4 layers. Beside the bar what the length adds to the memory of short rows. */
function longRows(run) {
  const model = architectureFolder('modernbert-long')
  // Words of one token each, between the two that stand around a text.
  const text = (tokens) => Array.from({ length: tokens - 2 }, (_, i) => ['the', 'house', 'stands'][i % 3]).join(' ')
  return run.programs(['ours', 'ours-bf16']).flatMap((program) =>
    Object.keys(TASKS).flatMap((task) => {
      const peaks = LENGTHS.map((tokens) => {
        const columns = { sentence1: [text(tokens)], sentence2: [text(8)], score: [0.5] }
        const twice = Object.fromEntries(Object.entries(columns).map(([name, [value]]) => [name, [value, value]]))
        const encoding = { data: run.dataFile('long', { texts: [text(tokens)] }), 'warm-up': 0 }
        const training = { data: run.dataFile('long-pairs', twice), loss: TRAINING.sts.loss, steps: 1, 'warm-up': 1 }
        const trials = run.inTurns('architectures', [program], {
          ...{ workload: `${task}, a row of ${tokens} tokens`, model, rounds: 1 },
          script: task === 'encoding' ? 'encode' : 'train',
          settings: { 'batch-size': 1, ...(task === 'encoding' ? encoding : training) },
        })
        return trials.get(program)?.[0].peakRssMB
      })
      if (peaks.includes(undefined)) return []
      const [short, half, whole] = peaks
      const added = (whole - short) / (half - short)
      return [{ task, program, peaks, growth: whole / half, addedGrowth: added, pass: whole / half <= MOST }]
    }),
  )
}

function print(run, rows, memory) {
  const unit = run.options['cpu-time'] ? { more: 'texts/s (cpu)', less: 'ms (cpu)' } : { more: 'texts/s', less: 'ms' }
  const verdict = (pass) => (pass === undefined ? '' : pass ? 'pass' : 'MISS')
  for (const [task, { more }] of Object.entries(TASKS)) {
    printTable(
      task === 'encoding' ? 'Encoding STS sentences in batches of 32' : 'A training step of 32 STS pairs',
      [
        '',
        'program',
        more ? unit.more : unit.less,
        'Python',
        'spread',
        'times Python',
        "of BERT's",
        'of the floor',
        '',
      ],
      rows
        .filter((row) => row.task === task)
        .map((row) => [
          ...[ARCHITECTURES[row.architecture], PROGRAMS[row.program].label, figure(row.ours), figure(row.python)],
          ...[`±${row.spreadPercent.toFixed(1)} %`, `${row.ratio.toFixed(2)}×`, row.ofBert?.toFixed(2) ?? ''],
          ...[`${row.share.toFixed(0)} %`, verdict(row.pass)],
        ]),
    )
  }
  printTable(
    'Peak memory of ModernBERT (4 layers), one long row, MB',
    ['', 'program', ...LENGTHS.map((tokens) => `${tokens} tokens`), 'growth', 'beyond 64 tokens', ''],
    memory.map((row) => [
      ...[row.task, PROGRAMS[row.program].label, ...row.peaks.map(String)],
      ...[`${row.growth.toFixed(2)}×`, `${row.addedGrowth.toFixed(2)}×`, verdict(row.pass)],
    ]),
  )
}
