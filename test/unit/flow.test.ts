import test from 'ava'
import fc from 'fast-check'
import {
  type IntervalStrategy,
  resolveArguments,
  type TrainingArguments,
} from '../../lib/training/arguments/arguments.js'
import { planRun } from '../../lib/training/arguments/run-plan.js'
import type { TrainerCallback } from '../../lib/training/callbacks/callbacks.js'
import { prepare } from '../helpers/fake-trainer.js'

/** transformers' loop, walked batch by batch: what each optimiser step is made of, and in which epoch it is. */
function walk(args: Readonly<TrainingArguments>, batches: number) {
  const groupsOfEpoch: number[] = []
  for (let batch = 0; batch < batches; batch++) {
    if (batch % args.gradientAccumulationSteps === 0) groupsOfEpoch.push(0)
    groupsOfEpoch[groupsOfEpoch.length - 1]!++
  }
  let maxSteps = args.maxSteps
  if (maxSteps === -1) {
    maxSteps = 0
    while (maxSteps < args.numTrainEpochs * groupsOfEpoch.length) maxSteps++
  }
  const steps: { epoch: number; batches: number }[] = []
  for (let epoch = 1; steps.length < maxSteps; epoch++) {
    for (const size of groupsOfEpoch) if (steps.length < maxSteps) steps.push({ epoch, batches: size })
  }
  return { stepsPerEpoch: groupsOfEpoch.length, maxSteps, steps, epochs: steps.at(-1)!.epoch }
}

/** transformers' DefaultFlowCallback.on_step_end, with the intervals of TrainerState.compute_steps. */
function dueAfterStep(args: Readonly<TrainingArguments>, step: number, maxSteps: number) {
  const steps = (value: number) => (value < 1 ? Math.ceil(maxSteps * value) : value)
  const due = { log: false, evaluate: false, save: false }
  if (step === 1 && args.loggingFirstStep) due.log = true
  if (args.loggingStrategy === 'steps' && step % steps(args.loggingSteps) === 0) due.log = true
  if (args.evalStrategy === 'steps' && step % steps(args.evalSteps) === 0) due.evaluate = true
  if (args.saveStrategy === 'steps' && step % steps(args.saveSteps) === 0) due.save = true
  if (step >= maxSteps) {
    if (args.evalStrategy === 'steps') due.evaluate = true
    if (args.saveStrategy === 'steps') due.save = true
  }
  return due
}

const interval = fc.oneof(fc.integer({ min: 1, max: 12 }), fc.double({ min: 0.01, max: 0.99, noNaN: true }))
const strategy = fc.constantFrom<IntervalStrategy>('no', 'steps', 'epoch')
const length = fc.oneof(
  fc.record({ maxSteps: fc.integer({ min: 1, max: 40 }), numTrainEpochs: fc.constant(3) }),
  fc.record({
    maxSteps: fc.constant(-1),
    numTrainEpochs: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.double({ min: 0.05, max: 4, noNaN: true })),
  }),
)
const runs = fc.record({
  length,
  gradientAccumulationSteps: fc.integer({ min: 1, max: 5 }),
  loggingSteps: interval,
  evalSteps: interval,
  saveSteps: interval,
  loggingFirstStep: fc.boolean(),
  loggingStrategy: strategy,
  evalStrategy: strategy,
  saveStrategy: strategy,
})

test('lengths and intervals of a run are those of the loop walked step by step', (t) => {
  fc.assert(
    fc.property(runs, fc.integer({ min: 1, max: 13 }), ({ length, ...rest }, batches) => {
      const args = resolveArguments({ ...length, ...rest })
      const plan = planRun(args, batches)
      const { stepsPerEpoch, maxSteps, epochs, steps } = walk(args, batches)
      t.like(plan, { batchesPerEpoch: batches, stepsPerEpoch, maxSteps, epochs })
      for (let step = 1; step <= steps.length; step++) {
        t.deepEqual(plan.dueAfterStep(step), dueAfterStep(args, step, maxSteps), `step ${step}`)
      }
    }),
    { numRuns: 300 },
  )
})

test('warm-up: a count, a share of all steps, or the older ratio', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      interval,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (maxSteps, warmupSteps, warmupRatio) => {
        const plan = (given: Partial<TrainingArguments>) => planRun(resolveArguments({ maxSteps, ...given }), 10)
        const expected = warmupSteps >= 1 ? warmupSteps : Math.ceil(maxSteps * warmupSteps)
        t.is(plan({ warmupSteps, warmupRatio }).warmupSteps, expected)
        t.is(plan({ warmupRatio }).warmupSteps, Math.ceil(maxSteps * warmupRatio))
      },
    ),
  )
})

test('a run gives the engine just these batches', async (t) => {
  const setups = fc.record({
    length,
    gradientAccumulationSteps: fc.integer({ min: 1, max: 5 }),
    perDeviceTrainBatchSize: fc.integer({ min: 1, max: 3 }),
    dataloaderDropLast: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(setups, fc.integer({ min: 3, max: 13 }), async ({ length, ...rest }, rows) => {
      const batchSize = rest.perDeviceTrainBatchSize
      const batches = rest.dataloaderDropLast ? Math.floor(rows / batchSize) : Math.ceil(rows / batchSize)
      const { steps, maxSteps } = walk(resolveArguments({ ...length, ...rest }), batches)
      const epochs: number[] = []
      let begun = 0
      const callback: TrainerCallback = {
        onEpochBegin: () => void begun++,
        onStepBegin: () => void epochs.push(begun),
      }
      const { engine, train } = prepare({ ...length, ...rest }, { rows, callbacks: [callback] })
      t.is((await train()).globalStep, maxSteps)
      t.deepEqual(
        epochs,
        steps.map(({ epoch }) => epoch),
      )
      t.deepEqual(
        engine.calls.map(({ update, lossScale }) => [update, lossScale]),
        steps.flatMap(({ batches: size }) => Array.from({ length: size }, (_, i) => [i === size - 1, 1 / size])),
      )
    }),
    { numRuns: 60 },
  )
})

test('data that fill no batch are refused, however the length is given', async (t) => {
  for (const length of [{ maxSteps: 4 }, { numTrainEpochs: 2 }]) {
    const { train } = prepare({ ...length, perDeviceTrainBatchSize: 8, dataloaderDropLast: true }, { rows: 5 })
    await t.throwsAsync(train(), { code: 'ERR_INVALID_DATA', message: /makes no batch/ })
  }
})
