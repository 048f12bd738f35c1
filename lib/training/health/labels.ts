import { singleLabel } from '../../data/columns.js'
import { TimeSlice } from '../../data/time-slice.js'
import { lossOf, ofDataset, percent, type RunFacts, specsOf } from './facts.js'
import type { TrainingWarning } from './warning.js'

const SLICE = 4096

/** Which labels a loss takes. CoSENT and AnglE have no rule, because they read only the order of the labels. */
interface LabelRule {
  fits(label: number): boolean
  /** Describes labels that do not fit. */
  found: string
  /** A loss's use of labels. */
  loss: string
  remedy: string
}

const ORDER_ONLY = 'or use CoSENTLoss, which reads only their order.'
const BINARY = {
  fits: (label: number) => label === 0 || label === 1,
  found: 'are neither 0 nor 1',
  remedy: `Give pairs that belong together the label 1 and others 0, ${ORDER_ONLY}`,
}
const RULES: Readonly<Record<string, LabelRule>> = {
  CosineSimilarityLoss: {
    fits: (label) => Math.abs(label) <= 1,
    found: 'lie outside [-1, 1]',
    loss: 'wants a cosine to be equal to its label',
    remedy: `Scale the labels to [0, 1] or [-1, 1] (STSb: score / 5), ${ORDER_ONLY}`,
  },
  ContrastiveLoss: {
    ...BINARY,
    loss: 'weighs a pair as a positive by its label and as a negative by 1 minus the label',
  },
  'CrossEncoder.BinaryCrossEntropyLoss': {
    fits: (label) => label >= 0 && label <= 1,
    found: 'lie outside [0, 1]',
    loss: 'takes them as probabilities',
    remedy:
      'Scale the labels to [0, 1] (STSb: score / 5); for classes, load the model with numLabels and take CrossEntropyLoss.',
  },
  OnlineContrastiveLoss: { ...BINARY, loss: 'leaves pairs with another label out' },
}

/** Warns when all rows of a training dataset have the same label. */
export async function labelsConstant(facts: RunFacts): Promise<TrainingWarning[]> {
  const warnings: TrainingWarning[] = []
  for (const { name, dataset } of facts.train) {
    if (!lossOf(facts, name)?.readsLabels || dataset.labelColumn === undefined || dataset.length < 2) continue
    const labels = dataset.column(dataset.labelColumn)
    const first = singleLabel(labels[0])
    if (Array.isArray(first)) continue
    if ((await countLabels(labels, (label) => label !== first, 1)) > 0) continue
    warnings.push({
      code: 'WARN_LABELS_CONSTANT',
      message: `All ${dataset.length} rows${ofDataset(name)} have the label ${String(first)} (column ${dataset.labelColumn})`,
      remedy:
        'Look whether the right column is taken and whether rows were lost when it was read; rows that are all positive pairs ' +
        'need a loss without labels, such as MultipleNegativesRankingLoss.',
    })
  }
  return warnings
}

/** Warns of labels that the loss cannot use: a cosine never reaches them, or they are not 0 or 1. */
export async function labelRange(facts: RunFacts): Promise<TrainingWarning[]> {
  const warnings: TrainingWarning[] = []
  for (const { name, dataset } of facts.train) {
    const loss = lossOf(facts, name)
    const type = loss && specsOf(loss.spec).find((spec) => Object.hasOwn(RULES, spec.type))?.type
    if (type === undefined || dataset.labelColumn === undefined) continue
    const rule = RULES[type]!
    const labels = dataset.column(dataset.labelColumn)
    let extreme = 0
    const outside = await countLabels(labels, (label) => {
      if (typeof label !== 'number' || rule.fits(label)) return false
      if (Math.abs(label) > Math.abs(extreme)) extreme = label
      return true
    })
    if (outside === 0) continue
    warnings.push({
      code: 'WARN_LABEL_RANGE',
      message:
        `${percent(outside / labels.length)} of the labels${ofDataset(name)} ${rule.found} (such as ${extreme}), but ` +
        `${type} ${rule.loss}`,
      remedy: rule.remedy,
    })
  }
  return warnings
}

/** @param enough counting stops at this number */
async function countLabels(
  labels: readonly unknown[],
  counts: (label: unknown) => boolean,
  enough = Number.POSITIVE_INFINITY,
): Promise<number> {
  const slice = new TimeSlice()
  let count = 0
  for (const [i, label] of labels.entries()) {
    if (counts(singleLabel(label)) && ++count >= enough) return count
    if (i % SLICE === SLICE - 1) await slice.yield()
  }
  return count
}
