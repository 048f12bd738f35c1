import { readFileSync } from 'node:fs'
import test from 'ava'
import { makeSchedule, type ScheduleOptions, stepsOrRatio } from '../../lib/training/arguments/schedule.js'
import { report } from '../parity/report.js'

const golden: { runs: (ScheduleOptions & { rates: number[] })[] } = JSON.parse(
  readFileSync(new URL('../../../test/unit/golden/schedule.json', import.meta.url), 'utf8'),
)

for (const run of golden.runs) {
  test(`${run.type} ${JSON.stringify(run.kwargs)}, peak ${run.learningRate}, warm-up ${run.warmupSteps} of ${run.totalSteps} steps, equals transformers`, (t) => {
    const factor = makeSchedule(run)
    const rate = (step: number) => run.learningRate * factor(step)
    t.is(run.rates.length, run.totalSteps)
    run.rates.forEach((expected, i) => {
      const deviation = Math.abs(rate(i + 1) - expected) / run.learningRate
      t.true(deviation <= 1e-12, `step ${i + 1}: ${rate(i + 1)}, ${expected}`)
      report('schedule', run.type, { deviation, allowed: 1e-12 })
    })
  })
}

test('the rates that transformers logs: ten steps at 5e-5, a tenth of them warm-up', (t) => {
  const warmupSteps = stepsOrRatio(0.1, 10)
  const factor = makeSchedule({ type: 'linear', learningRate: 5e-5, warmupSteps, totalSteps: 10 })
  const rate = (step: number) => 5e-5 * factor(step)
  t.is(warmupSteps, 1)
  t.is(rate(1), 0)
  const logged = [2, 4, 6, 8, 10].map((step) => Number(rate(step).toPrecision(4)))
  t.deepEqual(logged, [5e-5, 3.889e-5, 2.778e-5, 1.667e-5, 5.556e-6])
})

test('below 1 is a share, rounded up; from 1 on a count', (t) => {
  t.is(stepsOrRatio(0, 100), 0)
  t.is(stepsOrRatio(0.101, 100), 11)
  t.is(stepsOrRatio(1, 100), 1)
  t.is(stepsOrRatio(500, 100), 500)
})

test('settings of schedules are checked', (t) => {
  const make = (type: ScheduleOptions['type'], kwargs: object) => () =>
    makeSchedule({ type, learningRate: 1e-4, warmupSteps: 1, totalSteps: 9, kwargs })
  t.throws(make('linear', { numCycles: 1 }), { code: 'ERR_UNKNOWN_OPTION' })
  t.throws(make('cosine', { numCycle: 1 }), { code: 'ERR_UNKNOWN_OPTION', message: /numCycles/ })
  t.throws(make('cosine', { numCycles: '1' }), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(make('polynomial', { lrEnd: 1 }), { code: 'ERR_INVALID_ARGUMENT', message: /lrEnd/ })
  t.throws(make('cosine_with_min_lr', {}), { code: 'ERR_INVALID_ARGUMENT', message: /minLr/ })
  t.throws(make('cosine_with_min_lr', { minLr: 1e-5, minLrRate: 0.1 }), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(make('warmup_stable_decay', {}), { code: 'ERR_INVALID_ARGUMENT', message: /numDecaySteps/ })
  t.throws(make('warmup_stable_decay', { numDecaySteps: 2, decayType: 'sqrt' }), { code: 'ERR_INVALID_ARGUMENT' })
})
