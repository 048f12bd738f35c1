import { SentenceTorchError } from '../errors.js'
import type { EvaluationResult } from './evaluator.js'

/**
 * The metric that compares models.
 * @throws ERR_INVALID_DATA when the evaluator names one that it did not measure
 */
export function primaryValue({ metrics, primaryMetric }: EvaluationResult): number {
  if (Object.hasOwn(metrics, primaryMetric)) return metrics[primaryMetric]!
  const names = Object.keys(metrics).join(', ') || 'none'
  throw new SentenceTorchError(
    'ERR_INVALID_DATA',
    `An evaluator calls ${JSON.stringify(primaryMetric)} its primary metric, but its metrics are: ${names}`,
  )
}
