/** Arguments of the optimiser, its schedule, precision and memory. */
import { invalidArgument } from '../../../errors.js'
import { choice, flag, nullable, number, option } from '../../../options/kinds.js'
import { amount, argument, type ByName, checkPatterns, count, numbersByName, stepsOrShare } from '../argument.js'
import { OPTIMIZERS, PLANNED_OPTIMIZERS } from '../optimizer.js'
import { PLANNED_SCHEDULERS } from '../planned-arguments.js'
import { SCHEDULER_TYPES, type SchedulerKwargs } from '../schedule.js'

const beta = (fallback: number) => number(fallback, { least: 0, below: 1 })
const rates = numbersByName({}, amount(undefined))

export const OPTIMIZER_AND_SCHEDULE = {
  optim: argument(
    choice(OPTIMIZERS, 'adamw_torch_fused', { type: 'OptimizerName', notBuilt: PLANNED_OPTIMIZERS }),
    'The optimiser. `adamw_torch_fused` and `adamw_torch` are the same here.',
    { differs: '`adamw_torch_fused`, `adamw_torch`, `sgd`, `rmsprop`; others are refused by name' },
  ),
  optimArgs: argument(
    // What the optimiser takes is checked with it: `optimizerSpec`.
    option<ByName<number> | string | null>({
      type: 'Readonly<Record<string, number>> | string | null',
      default: null,
      expected: 'an object of numbers',
      fits: () => true,
    }),
    "More settings of the optimiser: of `rmsprop` `{ alpha: 0.99, eps: 1e-8 }`, or Python's `'alpha=0.99,eps=1e-8'`.",
    { takes: 'an object of numbers, or a text' },
  ),
  learningRate: argument(amount(5e-5), 'Peak learning rate.'),
  learningRateMapping: argument(
    option<ByName<number>>({
      ...rates,
      check: (name, value) => {
        rates.check(name, value)
        checkPatterns(Object.keys(value as object))
      },
    }),
    'Learning rates of the parameters whose names a regular expression finds. docs/training.md tells the names.',
    { takes: 'an object: regular expression → rate' },
  ),
  freeze: argument(
    option<string | RegExp | readonly (string | RegExp)[]>({
      type: 'string | RegExp | readonly (string | RegExp)[]',
      default: [],
      expected: 'a regular expression (a text or a RegExp) or an array of them',
      check: checkFreeze,
    }),
    'Parameters that are not trained: a regular expression finds their names, or one of several does.',
    { python: null, differs: 'not there' },
  ),
  lrSchedulerType: argument(
    choice(SCHEDULER_TYPES, 'linear', { type: 'SchedulerType', notBuilt: PLANNED_SCHEDULERS }),
    'How the learning rate changes over the run. See docs/training.md.',
    { differs: 'schedules: below', takes: 'the name of a schedule' },
  ),
  lrSchedulerKwargs: argument(
    // What the schedule takes is checked with it: `makeSchedule`.
    option<SchedulerKwargs | null>({
      type: 'SchedulerKwargs | null',
      default: null,
      expected: 'an object of settings',
      fits: () => true,
    }),
    'Settings of the schedule, as `{ numCycles: 2 }`, each where the schedule has it.',
    { differs: 'schedules: below', takes: 'an object' },
  ),
  warmupSteps: argument(
    stepsOrShare(0, { isZeroFine: true }),
    'Steps in which the learning rate rises from 0 to its peak. A share of all steps is rounded up.',
  ),
  warmupRatio: argument(
    number(0, { least: 0, most: 1 }),
    'The older name of a share of all steps. It counts where `warmupSteps` is 0.',
    { differs: 'deprecated there; default 0' },
  ),
  weightDecay: argument(
    amount(0),
    'Decoupled for AdamW, else added to the gradient. Biases and norms are never decayed.',
  ),
  adamBeta1: argument(beta(0.9), 'Share of the first moment of AdamW that a step keeps.'),
  adamBeta2: argument(beta(0.999), 'Share of the second moment of AdamW that a step keeps.'),
  adamEpsilon: argument(
    number(1e-8, { above: 0, expected: 'a positive number' }),
    'What AdamW adds to the root of the second moment.',
  ),
  maxGradNorm: argument(
    amount(1),
    'Largest norm of all gradients together, those of losses included. 0: gradients are not clipped.',
  ),
}

export const PRECISION_AND_MEMORY = {
  bf16: argument(
    flag(false),
    'Compute in bfloat16 while training, from float32 master weights, also in evaluations and in `encode` meanwhile.',
    { differs: 'from float32 masters, no autocast' },
  ),
  fp16: argument(
    flag(false),
    'On a GPU, compute in float16 while training, from float32 master weights, with a dynamic loss scaler. On the CPU training runs in ' +
      'float32, with a warning.',
    { differs: 'from float32 masters, no autocast; on the CPU float32 as there, with a warning' },
  ),
  gradientCheckpointing: argument(
    flag(false),
    'Keep only the inputs of layers and compute the rest again in the backward pass: less memory, the same results.',
  ),
  activationCheckpointing: argument(flag(false), 'The same as `gradientCheckpointing`.', {
    differs: 'another name of `gradient_checkpointing`',
  }),
  memoryLimit: argument(
    nullable(count(undefined)),
    'Bytes that the process may have while it trains on the CPU: batches are cut, or training is refused. `null`: no limit. See docs/training.md.',
    { python: null, differs: 'not there', takes: 'a whole number of bytes' },
  ),
}

function checkFreeze(name: string, value: unknown): void {
  const patterns = [value].flat()
  for (const pattern of patterns) {
    if (typeof pattern === 'string' || pattern instanceof RegExp) continue
    throw invalidArgument(name, 'a regular expression (a text or a RegExp) or an array of them', pattern)
  }
  checkPatterns(patterns as (string | RegExp)[])
}
