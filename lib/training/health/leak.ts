import type { Dataset } from '../../data/dataset.js'
import { TimeSlice } from '../../data/time-slice.js'
import { type NamedDataset, ofDataset, percent, type RunFacts } from './facts.js'
import { HashSample, hashText } from './hash-sample.js'
import type { TrainingWarning } from './warning.js'

/** How many hashes of an evaluation dataset are kept: about 3 MB. */
const CAPACITY = 50_000
/** How many rows of each training dataset are checked, evenly spread: about 0.2 s for pairs of sentences. */
const ROWS = 200_000
/** Single texts are often in both datasets (8.6 % of the STS benchmark's development texts), whole rows hardly ever. */
const TEXT_SHARE = 0.1
const ROW_SHARE = 0.01

/** Warns when texts or whole rows of an evaluation dataset are in the training data too. */
export async function evalLeak({ args, train, evaluation }: RunFacts): Promise<TrainingWarning[]> {
  if (args.evalStrategy === 'no' && !args.evalOnStart) return []
  const warnings: TrainingWarning[] = []
  for (const { name, dataset } of evaluation) {
    const { texts, rows } = await shares(train, dataset)
    if (texts < TEXT_SHARE && rows < ROW_SHARE) continue
    const what = rows < ROW_SHARE ? `${percent(texts)} of the texts` : `${percent(rows)} of the rows`
    warnings.push({
      code: 'WARN_EVAL_LEAK',
      message: `${what} of evalDataset${ofDataset(name)} are in the training data too: evaluations look better than they are`,
      remedy: 'Take them out of one of the two, or split by text before rows are made of them.',
    })
  }
  return warnings
}

/** The shares of an evaluation dataset's texts and rows that are in the training data, estimated from samples. */
async function shares(train: readonly NamedDataset[], dataset: Dataset): Promise<{ texts: number; rows: number }> {
  const samples = { texts: new HashSample(CAPACITY), rows: new HashSample(CAPACITY) }
  await eachHash(dataset, 1, (unit, hash) => samples[unit].add(hash))
  const sizes = { texts: Math.max(1, samples.texts.size), rows: Math.max(1, samples.rows.size) }
  const found = { texts: 0, rows: 0 }
  for (const { dataset } of train) {
    const stride = Math.max(1, Math.ceil(dataset.length / ROWS))
    await eachHash(dataset, stride, (unit, hash) => {
      // Only one of `stride` texts is checked, so each one found stands for that many.
      if (samples[unit].remove(hash)) found[unit] += stride
    })
  }
  return { texts: Math.min(1, found.texts / sizes.texts), rows: Math.min(1, found.rows / sizes.rows) }
}

/** Hashes of the texts of every `stride`th row, and of the row itself if it has several texts. */
async function eachHash(
  dataset: Dataset,
  stride: number,
  use: (unit: 'texts' | 'rows', hash: number) => void,
): Promise<void> {
  const columns = dataset.textColumns
    .filter((name) => dataset.columnKind(name) === 'text')
    .map((name) => dataset.texts(name))
  if (columns.length === 0) return
  const slice = new TimeSlice()
  for (let row = 0; row < dataset.length; row += stride) {
    const hashes = columns.map((texts) => hashText(texts[row]!))
    for (const hash of hashes) use('texts', hash)
    if (hashes.length > 1) use('rows', hashText(hashes.join()))
    if (slice.isOver) await slice.yield()
  }
}
