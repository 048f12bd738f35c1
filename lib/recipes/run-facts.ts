/** What `run.json` says of a run beside its options: programs, machine, data. */
import { cpus } from 'node:os'
import type { Dataset } from '../data/dataset.js'
import { datasetSha256 } from '../data/hash-dataset.js'
import { loadAddon } from '../native/load.js'
import type { RunData } from '../report/manifest.js'

/** @throws ERR_ADDON_LOAD */
export function machineFacts() {
  const { addonVersion, libtorchVersion, threads } = loadAddon().runtime()
  const versions = { sentenceTorch: addonVersion, node: process.versions.node, libtorch: libtorchVersion }
  return { versions, processor: cpus()[0]?.model ?? process.arch, threads }
}

/** @param source a path; for a Dataset of the caller words that say so */
export async function dataFacts(role: RunData['role'], source: string, dataset: Dataset): Promise<RunData> {
  return { role, source, rows: dataset.length, columns: dataset.columnNames, sha256: await datasetSha256(dataset) }
}
