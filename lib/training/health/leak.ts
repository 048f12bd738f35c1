import type { Dataset } from '../../data/dataset.js'
import { Turns } from '../../data/turns.js'
import { type NamedDataset, ofDataset, percent, type RunFacts } from './facts.js'
import { HashSample, hashText } from './hash-sample.js'
import type { TrainingWarning } from './warning.js'

/** Hashes that are kept of an evaluation dataset: about 5 MB. */
const CAPACITY = 100_000
/** Rows of the training data that are looked at, evenly spread; about half a second for pairs of sentences. */
const ROWS = 1_000_000
/** Single texts are often in both on purpose (a premise with several hypotheses), whole rows are not. */
const TEXT_SHARE = 0.05
const ROW_SHARE = 0.01

/** Texts or whole rows of an evaluation dataset that are in the training data too. */
export async function evalLeak({ args, train, evaluation }: RunFacts): Promise<TrainingWarning[]> {
  if (args.evalStrategy === 'no' && !args.evalOnStart) return []
  const warnings: TrainingWarning[] = []
  for (const { name, dataset } of evaluation) {
    const texts = await sampleOf(dataset, 'texts')
    const rows = await sampleOf(dataset, 'rows')
    const found = { texts: await countFound(train, texts, 'texts'), rows: await countFound(train, rows, 'rows') }
    const [text, row] = [found.texts.share, found.rows.share]
    if (text < TEXT_SHARE && row < ROW_SHARE) continue
    const what = row < ROW_SHARE ? `${percent(text)} of the texts` : `${percent(row)} of the rows`
    warnings.push({
      code: 'WARN_EVAL_LEAK',
      message: `${what} of evalDataset${ofDataset(name)} are in the training data too: evaluations look better than they are`,
      remedy: 'Take them out of one of the two, or split by text before rows are made of them.',
    })
  }
  return warnings
}

type Unit = 'texts' | 'rows'

async function sampleOf(dataset: Dataset, unit: Unit): Promise<HashSample> {
  const sample = new HashSample(CAPACITY)
  await eachHash(dataset, unit, Number.POSITIVE_INFINITY, (hash) => sample.add(hash))
  return sample
}

async function countFound(train: readonly NamedDataset[], sample: HashSample, unit: Unit): Promise<{ share: number }> {
  const { size } = sample
  let found = 0
  for (const { dataset } of train) {
    await eachHash(dataset, unit, ROWS / train.length, (hash) => {
      if (sample.take(hash)) found++
    })
  }
  return { share: size === 0 ? 0 : found / size }
}

async function eachHash(dataset: Dataset, unit: Unit, most: number, use: (hash: number) => void): Promise<void> {
  const columns = dataset.textColumns
    .filter((name) => dataset.columnKind(name) === 'text')
    .map((name) => dataset.texts(name))
  // Of a dataset with one column rows are texts.
  if (columns.length === 0 || (unit === 'rows' && columns.length === 1)) return
  const turns = new Turns()
  const stride = Math.max(1, Math.ceil(dataset.length / most))
  for (let row = 0; row < dataset.length; row += stride) {
    let hash = 0
    for (const texts of columns) {
      // Both halves of the hash so far go into that of the next column.
      hash = hashText(texts[row]!, unit === 'rows' ? (hash % 2 ** 32) ^ (hash / 2 ** 32) : 0)
      if (unit === 'texts') use(hash)
    }
    if (unit === 'rows') use(hash)
    if (turns.isOver) await turns.give()
  }
}
