import { parseNumber } from '../../data/readers/numbers.js'
import { invalidArgument, SentenceTorchError } from '../../errors.js'
import type { OptimizerSpec } from '../../native/types.js'
import { checkOptions, checkPositive, isPlainObject } from '../../options.js'

export const OPTIMIZERS = ['adamw_torch', 'adamw_torch_fused', 'sgd', 'rmsprop'] as const
export type OptimizerName = (typeof OPTIMIZERS)[number]

/** Further ones of transformers. */
export const PLANNED_OPTIMIZERS: readonly string[] = [
  ...['adafactor', 'adamw_torch_xla', 'adamw_torch_npu_fused', 'adamw_apex_fused', 'adamw_anyprecision'],
  ...['adamw_torch_4bit', 'adamw_torch_8bit', 'adamw_8bit', 'adamw_bnb_8bit', 'paged_adamw_8bit', 'paged_adamw_32bit'],
  ...['adagrad', 'lion_32bit', 'lion_8bit', 'ademamix', 'galore_adamw', 'lomo', 'adalomo', 'schedule_free_adamw'],
]

/** Those of the training arguments that choose the optimiser. */
interface OptimizerArguments {
  optim: OptimizerName
  optimArgs: Readonly<Record<string, number>> | string | null
  adamBeta1: number
  adamBeta2: number
  adamEpsilon: number
}

/**
 * The optimiser as the engine takes it. `optimArgs` has `alpha` and `eps` of rmsprop (torch's defaults: 0.99 and 1e-8).
 * Source: transformers `trainer_optimizer.py`.
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED
 */
export function optimizerSpec(args: OptimizerArguments): OptimizerSpec {
  const given = parseOptimArgs(args.optimArgs)
  const where = `optimArgs of ${args.optim}`
  if (args.optim === 'sgd') {
    const zero = { harmless: [0] }
    checkOptions(where, given, [], { momentum: zero, dampening: zero, nesterov: zero, weight_decay: zero })
    return { type: 'sgd' }
  }
  if (args.optim === 'rmsprop') {
    checkOptions(where, given, ['alpha', 'eps'], { momentum: { harmless: [0] }, centered: { harmless: [0] } })
    const { alpha = 0.99, eps = 1e-8 } = given
    if (!(alpha >= 0 && alpha < 1)) throw invalidArgument('optimArgs.alpha', 'a number from 0 to below 1', alpha)
    checkPositive('optimArgs.eps', eps)
    return { type: 'rmsprop', alpha, epsilon: eps }
  }
  checkOptions(where, given, [])
  return { type: 'adamw', beta1: args.adamBeta1, beta2: args.adamBeta2, epsilon: args.adamEpsilon }
}

/** @param given an object, or Python's `key=value,key=value` */
function parseOptimArgs(given: OptimizerArguments['optimArgs']): Record<string, number> {
  if (given === null) return {}
  if (isPlainObject(given)) return { ...given } as Record<string, number>
  if (typeof given !== 'string') throw invalidArgument('optimArgs', 'an object of numbers', given)
  const pairs = given.replaceAll(' ', '').split(',').filter(Boolean)
  return Object.fromEntries(
    pairs.map((pair) => {
      const [key = '', value = ''] = pair.split('=')
      const number = parseNumber(value)
      if (key === '' || number === undefined) {
        throw new SentenceTorchError('ERR_INVALID_ARGUMENT', `Expected key=number in optimArgs, found ${pair}`)
      }
      return [key, Number(number)]
    }),
  )
}
