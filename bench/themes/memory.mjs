// Peak memory of training, the whole process, beside Python's.
import { header, printTable, programRows } from '../common/table.mjs'
import { TRAINING } from '../common/workloads.mjs'
import { DEFAULT, train } from './train.mjs'

/** Enough steps that every buffer has been as large as it gets. */
const STEPS = { warmUp: 2, steps: 4 }

export function main(run) {
  const rows = []
  for (const name of run.workloads(TRAINING, DEFAULT)) {
    const { trials } = train(run, name, {
      programs: run.programs(['ours', 'ours-bf16', 'python', 'python-bf16']),
      theme: 'memory',
      ...STEPS,
    })
    rows.push(...programRows(TRAINING[name].label, trials, { key: 'peakRssMB', better: 'less' }))
  }
  return () =>
    printTable(
      'Peak memory of training',
      header('MB').slice(0, 5),
      rows.map((row) => row.slice(0, 5)),
    )
}
