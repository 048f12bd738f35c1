import { ofDataset, percent, type RunFacts } from './facts.js'
import type { TrainingWarning } from './warning.js'

/** How many texts of every column are checked, evenly spread: enough to tell 5 % from 8 %. */
const SAMPLE = 512
const SHARE = 0.05

/** Warns of columns of the training data with many texts that are longer than the model reads. */
export async function truncation({ train, overlong }: RunFacts): Promise<TrainingWarning[]> {
  if (overlong === undefined) return []
  const warnings: TrainingWarning[] = []
  for (const { name, dataset } of train) {
    const stride = Math.max(1, Math.floor(dataset.length / SAMPLE))
    const rows = Array.from({ length: Math.min(SAMPLE, dataset.length) }, (_, i) => i * stride)
    for (const column of dataset.textColumns) {
      if (dataset.columnKind(column) !== 'text' || rows.length === 0) continue
      const texts = dataset.texts(column)
      const { count, most } = await overlong(
        name,
        column,
        rows.map((row) => texts[row]!),
      )
      const share = count / rows.length
      if (share <= SHARE) continue
      warnings.push({
        code: 'WARN_TRUNCATION',
        message: `${percent(share)} of the texts in column ${column}${ofDataset(name)} are longer than ${most} tokens; the rest of them is not read`,
        remedy:
          'Raise maxSeqLength (up to what the model was made for; time and memory grow with it), cut the texts into pieces ' +
          'before, or put what matters first.',
      })
    }
  }
  return warnings
}
