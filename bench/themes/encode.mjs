// Encoding: texts a second, and the latency of one short query, beside Python, transformers.js on onnxruntime-node, fastembed and node-llama-cpp.
// Dev Spearman of each, and how far their embeddings are from ours in float32.
import { floorMs, forwardWork, modelSizes } from '../common/floor.mjs'
import { modelFolder, PROGRAMS } from '../common/peers.mjs'
import { maxDifference, pairSpearman } from '../common/statistics.mjs'
import { header, printTable, programRows } from '../common/table.mjs'
import { ENCODING } from '../common/workloads.mjs'
import { rate } from './train.mjs'

export const DEFAULT = ['sts', 'passages', 'query']
const ALL = [
  'ours',
  'ours-bf16',
  'ours-int8',
  'python',
  'python-bf16',
  'python-compile',
  'js',
  'js-int8',
  'fastembed',
  'llama',
]
const BATCH = 32

/**
 * Trials of an encoding workload by program, its floor, and what the embeddings are worth. `workload`: of a model that is none of
 * ENCODING's.
 */
export function encode(
  run,
  name,
  { workload = ENCODING[name], programs = run.programs(ALL), theme = 'encode', rounds } = {},
) {
  const columns = workload.read(run.options.data)
  if (run.options.texts) columns.texts = columns.texts.slice(0, run.options.texts)
  const scored = columns.score && !run.options.texts
  const sizes = modelSizes(modelFolder(workload.model, run.options.model))
  const work = sizes && forwardWork(sizes, sizes.lengths(columns.texts))
  const warmUp = Math.min(workload.warmUp, Math.floor(columns.texts.length / 2))
  const trials = run.inTurns(theme, programs, {
    ...{ workload: name, model: workload.model, script: 'encode', rounds },
    settings: {
      ...{ data: run.dataFile(`encode-${name}`, columns), 'batch-size': BATCH, 'warm-up': warmUp },
      each: String(workload.each ?? false),
    },
    facts: work && { tokens: work.tokens, gflop: work.operations / 1e9 },
  })
  const ran = [...trials.keys()]
  const quality = ran.map((program) => ({
    program,
    ...(scored && { devSpearman: pairSpearman(run.embeddings(program), columns.score) }),
    ...(!workload.each &&
      trials.has('ours') && { maxDifference: maxDifference(run.embeddings('ours'), run.embeddings(program)) }),
  }))
  if (!workload.each) for (const found of quality) run.emit({ theme: 'parity', workload: name, ...found })
  // Texts a second, or milliseconds for one.
  const floor = (program) => {
    if (!work || !rate(run, program)) return undefined
    const ms = floorMs(work.operations, rate(run, program)) / columns.texts.length
    return workload.each ? ms : 1000 / ms
  }
  return { trials, floor, quality }
}

export function main(run) {
  const found = []
  for (const name of run.workloads(ENCODING, DEFAULT)) {
    run.measureMachine()
    const { label, each } = ENCODING[name]
    const few = run.options.texts ? `, the first ${run.options.texts}` : ''
    found.push({ label: label + few, each, ...encode(run, name) })
  }
  // Floors by the best rate of the whole run, which is known at its end.
  return () => {
    const [many, single] = [found.filter(({ each }) => !each), found.filter(({ each }) => each)]
    printTable(
      'Encoding',
      header('texts/s'),
      many.flatMap(({ label, trials, floor }) =>
        programRows(label, trials, { key: 'perSecond', better: 'more', floor }),
      ),
    )
    printTable(
      'Latency',
      header('ms'),
      single.flatMap(({ label, trials, floor }) => [
        ...programRows(`${label}, p50`, trials, { key: 'p50Ms', better: 'less', floor }),
        ...programRows(`${label}, p99`, trials, { key: 'p99Ms', better: 'less' }),
      ]),
    )
    printTable(
      'Equal results',
      ['', 'program', 'dev Spearman', 'largest difference from ours'],
      many.flatMap(({ label, quality }) =>
        quality.map(({ program, devSpearman, maxDifference }) => [
          ...[label, PROGRAMS[program].label, devSpearman?.toFixed(6) ?? '', maxDifference?.toExponential(1) ?? ''],
        ]),
      ),
    )
  }
}
