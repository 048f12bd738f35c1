import type { RunFacts } from './facts.js'
import type { TrainingWarning } from './warning.js'

/** Warns of gradient accumulation with a loss whose negatives are the other rows of the batch. */
export function accumulationNegatives({ args, losses }: RunFacts): TrainingWarning[] {
  const { gradientAccumulationSteps: steps, perDeviceTrainBatchSize: batch } = args
  const types = [...new Set(losses.filter((loss) => loss.inBatchNegatives).map(({ type }) => type))]
  if (steps === 1 || types.length === 0) return []
  return [
    {
      code: 'WARN_ACCUMULATION_NEGATIVES',
      message:
        `${types.join(', ')} takes its negatives from the batch: gradientAccumulationSteps ${steps} averages gradients, ` +
        `but every row still sees only the ${batch - 1} other rows of its own batch`,
      remedy:
        `Use gradient caching instead: perDeviceTrainBatchSize: ${batch * steps} with miniBatchSize: ${batch} (or a Cached… ` +
        'loss) needs the same memory and gives every row all the negatives.',
    },
  ]
}
