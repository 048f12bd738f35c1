// From the start of the process to the first embedding, and the loading of a model with a vocabulary as large as XLM-RoBERTa's, imports
// excluded. A first round that does not count warms the file cache.
import { header, printTable, programRows } from '../common/table.mjs'
import { architectureFolder } from '../common/workloads.mjs'

const MODEL = 'all-MiniLM-L6-v2'
const LARGE = 'xlm-roberta-large-vocabulary'
const PROGRAMS = ['ours', 'ours-bf16', 'python', 'js']

export function load(
  run,
  { workload = 'one text', model = MODEL, programs = run.programs(PROGRAMS), rounds = run.options.rounds } = {},
) {
  run.inTurns('load', programs, { workload, model, rounds: 1, facts: { counts: false } })
  return run.inTurns('load', programs, { workload, model, rounds })
}

/** Of a model with 250,002 pieces; undefined where bench/architecture_models.py did not make it. */
export function loadLarge(run) {
  const trials = load(run, {
    ...{ workload: 'large vocabulary', model: architectureFolder(LARGE), programs: run.programs(['ours', 'python']) },
  })
  return trials.has('ours') ? trials : undefined
}

export function main(run) {
  const rows = programRows('process start to first embedding', load(run), { key: 'firstMs', better: 'less' })
  const large = loadLarge(run)
  if (large) {
    rows.push(...programRows('loading XLM-RoBERTa, 250,002 pieces', large, { key: 'loadMs', better: 'less' }))
    rows.push(...programRows("the same, the processor's time", large, { key: 'loadCpuMs', better: 'less' }))
    rows.push(...programRows('the same, and the first embedding', large, { key: 'readyMs', better: 'less' }))
  }
  return () =>
    printTable(
      'Start',
      header('ms').slice(0, 5),
      rows.map((row) => row.slice(0, 5)),
    )
}
