// Tokenising: texts a second, beside the tokenizers of Python (in Rust) and of transformers.js.
import { header, printTable, programRows } from '../common/table.mjs'
import { ENCODING } from '../common/workloads.mjs'

const DEFAULT = ['sts', 'passages', 'short']

export function main(run) {
  const rows = []
  for (const name of run.workloads(ENCODING, DEFAULT)) {
    const { label, model, warmUp, read } = ENCODING[name]
    const { texts } = read(run.options.data)
    const trials = run.inTurns('tokenize', run.programs(['ours', 'python', 'js']), {
      ...{ workload: name, model },
      settings: { data: run.dataFile(`tokenize-${name}`, { texts }), 'warm-up': warmUp },
    })
    rows.push(...programRows(label, trials, { key: 'perSecond', better: 'more' }))
  }
  return () =>
    printTable(
      'Tokenising',
      header('texts/s').slice(0, 5),
      rows.map((row) => row.slice(0, 5)),
    )
}
