import type { RunFacts } from './facts.js'
import type { TrainingWarning } from './warning.js'

/** Warns when the run ends before the warm-up does. */
export function warmupTooLong({ args, maxSteps, warmupSteps }: RunFacts): TrainingWarning[] {
  if (maxSteps === 0 || warmupSteps < maxSteps || args.lrSchedulerType === 'constant') return []
  return [
    {
      code: 'WARN_WARMUP_TOO_LONG',
      message: `Warm-up takes ${warmupSteps} steps, the run only ${maxSteps}: the learning rate never reaches ${args.learningRate}`,
      remedy: 'Lower warmupSteps; a share such as 0.1 fits runs of any length.',
    },
  ]
}
