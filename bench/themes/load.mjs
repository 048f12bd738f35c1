// From the start of the process to the first embedding. A first round that does not count warms the file cache.
import { header, printTable, programRows } from '../common/table.mjs'

const MODEL = 'all-MiniLM-L6-v2'

export function load(
  run,
  { programs = run.programs(['ours', 'ours-bf16', 'python', 'js']), rounds = run.options.rounds } = {},
) {
  const settings = { workload: 'one text', model: MODEL }
  run.inTurns('load', programs, { ...settings, rounds: 1, facts: { counts: false } })
  return run.inTurns('load', programs, { ...settings, rounds })
}

export function main(run) {
  const rows = programRows('process start to first embedding', load(run), { key: 'firstMs', better: 'less' })
  return () =>
    printTable(
      'Start',
      header('ms').slice(0, 5),
      rows.map((row) => row.slice(0, 5)),
    )
}
