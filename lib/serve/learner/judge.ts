import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { metricInterval } from '../../evaluation/bootstrap.js'
import type { EvaluationResult } from '../../evaluation/evaluator.js'
import { primaryValue } from '../../evaluation/primary-value.js'
import type { LearnerSettings } from './options.js'
import type { Round } from './rounds.js'

/**
 * Whether a new version is better than the one that serves.
 * @throws ERR_INVALID_DATA for a metric that is no number; ERR_INVALID_ARGUMENT where `swap` needs scores of items that are not there
 */
export async function judged(
  old: EvaluationResult,
  result: EvaluationResult,
  swap: LearnerSettings['swap'],
): Promise<{ isBetter: boolean; numbers: Pick<Round, 'metric' | 'before' | 'after' | 'interval'> }> {
  const metric = result.primaryMetric
  const [before, after] = [primaryValue(old), primaryValue(result)]
  if (!Number.isFinite(before) || !Number.isFinite(after)) {
    const message = `The evaluator's ${metric} has to be a number, found ${before} before and ${after} after the training`
    throw new SentenceTorchError('ERR_INVALID_DATA', message)
  }
  const found = await metricInterval(metric, old, result)
  if (found === undefined) {
    if (swap === 'better') return { isBetter: after > before, numbers: { metric, before, after } }
    throw invalidArgument('Learner swap', 'an evaluator that gives scores of items, for measurably better', swap)
  }
  const { difference, low, high, confidence } = found
  const isBetter = swap === 'better' ? after > before : low > 0
  return { isBetter, numbers: { metric, before, after, interval: { difference, low, high, confidence } } }
}
