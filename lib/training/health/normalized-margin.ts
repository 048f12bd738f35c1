import type { LossSpec } from '../../native/types.js'
import { lossOf, ofDataset, type RunFacts, specsOf } from './facts.js'
import type { TrainingWarning } from './warning.js'

/** The largest distance of vectors of length 1, and the largest difference of their dot products. */
const LARGEST = 2
/** Below this scale, a softmax over cosines is nearly flat. */
const SMALL_SCALE = 5

/** Warns of margins and scores that embeddings of length 1 cannot reach. */
export function normalizedMargin(facts: RunFacts): TrainingWarning[] {
  if (!facts.isNormalized) return []
  const found = facts.losses.flatMap(({ spec }) => specsOf(spec).map((inner) => unreachable(inner, facts)))
  return found.flatMap((message) =>
    message === undefined
      ? []
      : [
          {
            code: 'WARN_NORMALIZED_MARGIN' as const,
            message: `The model ends in Normalize, and ${message}`,
            remedy:
              'Take the Normalize module out of the model, or use cosine similarity or distance with a margin below 1 (a ' +
              'scale of 20 for ranking losses).',
          },
        ],
  )
}

function unreachable(spec: LossSpec, facts: RunFacts): string | undefined {
  const { type } = spec
  const margin = spec.tripletMargin ?? spec.margin
  if (typeof margin === 'number' && margin > LARGEST && ['euclidean', 'cosine'].includes(String(spec.distanceMetric))) {
    return `${type} wants distances that differ by ${margin}: those of vectors of length 1 cannot exceed ${LARGEST}`
  }
  if (spec.similarity !== 'dot') return undefined
  if (typeof spec.scale === 'number' && spec.scale < SMALL_SCALE) {
    return `${type} takes dot products with a scale of ${spec.scale}: of vectors of length 1 they are cosines, which need more`
  }
  if (type !== 'MarginMSELoss') return undefined
  const dataset = facts.train.find(({ name, dataset }) => lossOf(facts, name) && hasLabelAbove(dataset))
  return dataset && `labels${ofDataset(dataset.name)} ask ${type} for differences of dot products above ${LARGEST}`
}

function hasLabelAbove(dataset: RunFacts['train'][number]['dataset']): boolean {
  if (dataset.labelColumn === undefined) return false
  // The first labels are enough, because the margins of a teacher are all of the same size.
  return dataset
    .column(dataset.labelColumn)
    .slice(0, 10_000)
    .some((label) => [label].flat().some((value) => typeof value === 'number' && Math.abs(value) > LARGEST))
}
