import { Turns } from '../../data/turns.js'
import { lossOf, ofDataset, percent, type RunFacts, specsOf } from './facts.js'
import type { TrainingWarning } from './warning.js'

const SLICE = 4096

/** Losses that compare a cosine with the label itself. CoSENT and AnglE read only the order of the labels. */
const COSINE_LOSSES: readonly string[] = ['CosineSimilarityLoss']

/** All rows of a training dataset have the same label. */
export async function labelsConstant(facts: RunFacts): Promise<TrainingWarning[]> {
  const warnings: TrainingWarning[] = []
  for (const { name, dataset } of facts.train) {
    if (!lossOf(facts, name)?.readsLabels || dataset.labelColumn === undefined || dataset.length < 2) continue
    const labels = dataset.column(dataset.labelColumn)
    if (Array.isArray(labels[0])) continue
    if ((await countLabels(labels, (label) => label !== labels[0], 1)) > 0) continue
    warnings.push({
      code: 'WARN_LABELS_CONSTANT',
      message: `All ${dataset.length} rows${ofDataset(name)} have the label ${String(labels[0])} (column ${dataset.labelColumn})`,
      remedy:
        'Look whether the right column is taken and whether rows were lost when it was read; rows that are all positive pairs ' +
        'need a loss without labels, such as MultipleNegativesRankingLoss.',
    })
  }
  return warnings
}

/** Labels that a cosine can never reach, under a loss that wants it to. */
export async function labelRange(facts: RunFacts): Promise<TrainingWarning[]> {
  const warnings: TrainingWarning[] = []
  for (const { name, dataset } of facts.train) {
    const loss = lossOf(facts, name)
    const type = loss && specsOf(loss.spec).find((spec) => COSINE_LOSSES.includes(spec.type))?.type
    if (type === undefined || dataset.labelColumn === undefined) continue
    const labels = dataset.column(dataset.labelColumn)
    let extreme = 0
    const outside = await countLabels(labels, (label) => {
      if (typeof label !== 'number' || Math.abs(label) <= 1) return false
      if (Math.abs(label) > Math.abs(extreme)) extreme = label
      return true
    })
    if (outside === 0) continue
    warnings.push({
      code: 'WARN_LABEL_RANGE',
      message:
        `${percent(outside / labels.length)} of the labels${ofDataset(name)} lie outside [-1, 1] (such as ${extreme}), but ` +
        `${type} wants a cosine to be equal to its label`,
      remedy:
        'Scale the labels to [0, 1] or [-1, 1] (STSb: score / 5), or use CoSENTLoss, which reads only their order.',
    })
  }
  return warnings
}

/** @param enough stop counting there */
async function countLabels(
  labels: readonly unknown[],
  counts: (label: unknown) => boolean,
  enough = Number.POSITIVE_INFINITY,
): Promise<number> {
  const turns = new Turns()
  let count = 0
  for (const [i, label] of labels.entries()) {
    if (counts(label) && ++count >= enough) return count
    if (i % SLICE === SLICE - 1) await turns.give()
  }
  return count
}
