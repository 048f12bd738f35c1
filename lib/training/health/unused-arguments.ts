import type { RunFacts } from './facts.js'
import type { TrainingWarning } from './warning.js'

/** One warning for all arguments that this run does not read: tutorials often give several of them. */
export function unusedArguments({ args, given, device, hasEvaluation }: RunFacts): TrainingWarning[] {
  const unused: string[] = []
  const remedies: string[] = []
  if (args.fp16 && device === 'cpu') {
    unused.push('fp16 (there is no float16 on the CPU: training runs in float32)')
    remedies.push('leave fp16 out, or take bf16 where the processor has it')
  }
  const asksForSteps = given.evalSteps !== undefined && given.evalSteps !== null && args.evalStrategy !== 'steps'
  if (asksForSteps) unused.push(`evalSteps (evalStrategy is '${args.evalStrategy}')`)
  const isIdle = hasEvaluation && args.evalStrategy === 'no' && !args.evalOnStart
  if (isIdle) unused.push("evalDataset and evaluator (evalStrategy is 'no': they serve evaluate() alone)")
  if (asksForSteps || isIdle) remedies.push("set evalStrategy: 'steps' to evaluate while training")
  if (unused.length === 0) return []
  const remedy = `${remedies.join('; ')}.`
  return [
    {
      code: 'WARN_UNUSED_ARGUMENTS',
      message: `Not used in this run: ${unused.join('; ')}`,
      remedy: remedy[0]!.toUpperCase() + remedy.slice(1),
    },
  ]
}
