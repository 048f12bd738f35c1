import type { Dataset } from '../../data/dataset.js'
import { type DataSource, isDataStream, isDataset } from '../../data/feed.js'
import type { LossSet, TrainableLoss } from './loss-set.js'

/**
 * Checks every dataset in memory against its loss. Streams are checked batch by batch when they are read.
 * @param which `trainDataset` or `evalDataset`
 * @param check returns a warning
 * @returns warnings
 * @throws ERR_INVALID_ARGUMENT where the names of datasets and losses do not match; what `check` throws
 */
export function checkDatasets<L extends TrainableLoss>(
  source: DataSource,
  which: string,
  losses: LossSet<L>,
  check: (dataset: Dataset, loss: L, which: string) => string | undefined,
): string[] {
  const isSingle = isDataset(source) || isDataStream(source)
  losses.checkNames(isSingle ? undefined : Object.keys(source), which)
  const datasets = isSingle ? [['', source] as const] : Object.entries(source)
  return datasets.flatMap(([name, dataset]) => {
    if (!isDataset(dataset)) return []
    return check(dataset, losses.of(name), name === '' ? which : `${which}.${name}`) ?? []
  })
}
