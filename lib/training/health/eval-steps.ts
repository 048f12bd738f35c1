import type { RunFacts } from './facts.js'
import type { TrainingWarning } from './warning.js'

/** `evalSteps` is given, but evaluations do not go by steps. */
export function evalStepsUnused({ args, given }: RunFacts): TrainingWarning[] {
  if (given.evalSteps === undefined || given.evalSteps === null || args.evalStrategy === 'steps') return []
  return [
    {
      code: 'WARN_EVAL_STEPS_UNUSED',
      message: `evalSteps is ${given.evalSteps}, but not used, because evalStrategy is '${args.evalStrategy}'`,
      remedy: "Set evalStrategy: 'steps', or leave evalSteps out.",
    },
  ]
}
