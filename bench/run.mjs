// npm run bench: ours and other programs in turns, each trial a process of its own. JSON lines first, then tables of medians and
// ratios. One file per theme in themes/, one per program's trial in trials/.
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { PROGRAMS, shared } from './common/peers.mjs'
import { Run } from './common/run.mjs'
import { ARCHITECTURES, ENCODING, TRAINING } from './common/workloads.mjs'

const THEMES = {
  train: 'milliseconds a step of training, peak memory, how late timers fire',
  encode: 'texts a second, latency of one query, equal results',
  step: 'the parts of a training step in percent, with trace files',
  ops: 'the roofline: what the machine can do, and the floor of each workload',
  tokenize: 'texts a second of the tokenizers',
  ir: 'exact search over a million vectors',
  memory: 'peak memory of training',
  load: 'process start to first embedding, loading of a large vocabulary',
  architectures: 'every architecture in its base shape beside BERT, memory of long rows',
  methods:
    'cached ranking, cross-encoders, mining, search and clustering of 100,000 vectors, repeated texts, beside Python',
  bars: 'every bar of the project: figure, bar, pass or miss (a quarter of an hour; alone)',
}

const HELP = `npm run bench -- [options]

  --theme LIST      of the themes below (default train,encode)
  --workloads LIST  of a theme's workloads (default: those that take minutes, not hours): for training sts, squad, nli-pairs-64,
                    nli-pairs-128, nli-pairs-256, cached-512, nli-triplets-64, nli-triplets-128, base-sts; for encoding sts, passages,
                    query, short, repeated, base-sts;
                    architectures by their names in bench/architecture_models.py
  --programs LIST   of ${Object.keys(PROGRAMS).join(', ')}
                    (default: all but python-compile)
  --rounds N        trials of each program (default 3)
  --steps N         training steps that count; --warm-up N steps before them (default: each workload's own)
  --texts N         only the first N texts of an encoding workload
  --documents N     of ir (default 1000000), and of the vectors of methods (at most 100000)
  --threads N       of all programs (default: each its own choice)
  --model PATH      folder or hub id in place of all-MiniLM-L6-v2 (default: ../shared/models, else the hub's)
  --data FOLDER     with stsb, squad, nli, banking77 (default: ../shared/data)
  --traces FOLDER   for the trace files of step (default: beside --out, else bench/traces)
  --quick           of architectures: one round with few texts and steps, no long rows
  --cpu-time        of architectures: by the processor's time instead of the clock's, for a busy machine; with --threads 1
  --timeout N       minutes that one trial may take (default 15)
  --out FILE        JSON lines into this file as well
  --json, --table   JSON lines only, tables only

${Object.entries(THEMES)
  .map(([name, what]) => `  ${name.padEnd(13)} ${what}`)
  .join('\n')}

Peers live in SENTENCE_TORCH_BENCH_PEERS or bench/peers (python3 bench/setup.py makes it), the Python peer in
SENTENCE_TORCH_BENCH_PYTHON or its venv. A program that is missing or fails is named and left out.`

const text = (value) => ({ type: 'string', default: value })
const flag = { type: 'boolean', default: false }

function parse() {
  const { values } = parseArgs({
    options: {
      ...{ theme: text('train,encode'), workloads: text(), programs: text(), rounds: text('3'), steps: text() },
      ...{ 'warm-up': text(), texts: text(), documents: text('1000000'), threads: text('0'), model: text() },
      ...{
        data: text(join(shared, 'data')),
        traces: text(),
        timeout: text('15'),
        out: text(),
        quick: flag,
        'cpu-time': flag,
        json: flag,
        table: flag,
        help: flag,
      },
    },
  })
  const list = (given, known, what) => {
    const wrong = given?.split(',').find((name) => !known.includes(name))
    if (wrong !== undefined) throw new Error(`There is no ${what} ${wrong}; known are ${known.join(', ')}`)
    return given?.split(',')
  }
  const number = (name) => {
    const value = values[name]
    if (value !== undefined && !/^\d+$/.test(value))
      throw new Error(`Expected a whole number for --${name} but found ${value}`)
    return value === undefined ? undefined : Number(value)
  }
  return {
    ...values,
    traces: values.traces ?? (values.out ? dirname(values.out) : fileURLToPath(new URL('traces', import.meta.url))),
    theme: list(values.theme, Object.keys(THEMES), 'theme'),
    programs: list(values.programs, Object.keys(PROGRAMS), 'program'),
    workloads: list(
      values.workloads,
      [...new Set([TRAINING, ENCODING, ARCHITECTURES].flatMap((known) => Object.keys(known)))],
      'workload',
    ),
    ...{ rounds: number('rounds'), steps: number('steps'), warmUp: number('warm-up'), texts: number('texts') },
    ...{ documents: number('documents'), threads: number('threads'), timeout: number('timeout') },
  }
}

async function main() {
  const options = parse()
  if (options.help) return console.log(HELP)
  if (!existsSync(options.data)) throw new Error(`There is no ${options.data}; name the folder of the data with --data`)
  const run = new Run(options)
  try {
    const reports = []
    for (const theme of options.theme) reports.push((await import(`./themes/${theme}.mjs`)).main(run))
    if (options.json) return
    const { processor, features, cores } = run.machine
    console.log(`\n${processor}, ${cores} cores, ${features.join(' ')}`)
    for (const report of reports) report()
  } finally {
    run.close()
  }
}

try {
  await main()
} catch (error) {
  console.error(`bench: ${process.env.SENTENCE_TORCH_BENCH_DEBUG ? error.stack : error.message}`)
  process.exitCode = 1
}
