// Exact search by InformationRetrievalEvaluator: random vectors in place of a model.
import { header, printTable, programRows } from '../common/table.mjs'

export function main(run) {
  const documents = run.options.documents
  const settings = { documents, queries: Math.min(1000, documents) }
  const trials = run.inTurns('ir', run.programs(['ours', 'python']), {
    ...{ workload: `${documents} documents`, model: 'all-MiniLM-L6-v2', settings },
  })
  const label = `${documents.toLocaleString('en')} documents, ${settings.queries} queries`
  const rows = programRows(label, trials, { key: 'searchSeconds', better: 'less' })
  const memory = programRows(label, trials, { key: 'peakRssMB', better: 'less' })
  return () => {
    printTable(
      'Retrieval: search',
      header('s').slice(0, 5),
      rows.map((row) => row.slice(0, 5)),
    )
    printTable(
      'Retrieval: peak memory',
      header('MB').slice(0, 5),
      memory.map((row) => row.slice(0, 5)),
    )
  }
}
