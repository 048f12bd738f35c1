// The plan of a search within a budget, and what it draws.
import test from 'ava'
import { duration, durationText, secondsOf } from '../../lib/recipes/search/duration.js'
import { planBracket, REDUCTION, survivors, trainingSeconds } from '../../lib/recipes/search/plan.js'
import { drawTrials, searchSpace, spaceOf, withFirst } from '../../lib/recipes/search/space.js'

test('durations', (t) => {
  for (const [text, seconds] of [
    ['90s', 90],
    ['10m', 600],
    ['1.5h', 5400],
    ['45', 45],
    [30, 30],
  ] as const)
    t.is(secondsOf('budget', text), seconds)
  for (const wrong of ['', '10 m', '-5s', '5d', 0, Number.NaN, null, '0s'])
    t.throws(
      () => duration.check('budget', wrong),
      { code: 'ERR_INVALID_ARGUMENT', message: /for budget/ },
      String(wrong),
    )
  t.is(durationText(90), '90 s')
  t.is(durationText(600), '10 min')
})

// Source: Li et al. 2018, the brackets of successive halving with eta 3: 27, 9, 3, 1.
test('a bracket: as many rungs as the time gives enough steps to, and every rung the same time', (t) => {
  t.deepEqual(planBracket(1000, { perTraining: 1, perStep: 0.1 }), { trials: 27, rungs: 4 })
  t.deepEqual(planBracket(100, { perTraining: 1, perStep: 0.1 }), { trials: 9, rungs: 3 })
  // A training takes at least as long as loading and measuring around it.
  t.deepEqual(planBracket(100, { perTraining: 10, perStep: 0.1 }), { trials: 1, rungs: 1 })
  t.deepEqual(planBracket(10, { perTraining: 1, perStep: 1 }), { trials: 1, rungs: 1 })
  t.is(planBracket(5, { perTraining: 1, perStep: 1 }), undefined)

  const [costs, total] = [{ perTraining: 2, perStep: 0.05 }, 180]
  const { trials, rungs } = planBracket(total, costs)!
  let [left, alive] = [total, trials]
  const spent: number[] = []
  for (let rung = 0; rung < rungs; rung++) {
    const seconds = trainingSeconds(left, rungs, rung, alive, costs.perTraining)
    spent.push((seconds + costs.perTraining) * alive)
    left -= spent.at(-1)!
    t.true(seconds >= costs.perTraining)
    if (rung < rungs - 1) t.is(survivors(alive), alive / REDUCTION)
    alive = survivors(alive)
  }
  t.true(Math.abs(left) < 1e-9)
  for (const seconds of spent) t.true(Math.abs(seconds - total / rungs) < 1e-9)
})

const SCORES = { kind: 'scores', loss: 'CoSENTLoss', others: ['CosineSimilarityLoss', 'AnglELoss'], seen: '' } as const
const PAIRS = {
  kind: 'pairs',
  loss: 'MultipleNegativesRankingLoss',
  seen: '',
  others: ['CachedMultipleNegativesRankingLoss', 'MultipleNegativesSymmetricRankingLoss'],
} as const

test('the space: losses that fit the columns, batches that fit the rows, what the caller says', (t) => {
  t.deepEqual(spaceOf(undefined, 'CoSENTLoss', SCORES, 5000).losses, [
    'CoSENTLoss',
    'CosineSimilarityLoss',
    'AnglELoss',
  ])
  // A cached loss gives the same gradients.
  t.deepEqual(spaceOf(undefined, 'MultipleNegativesRankingLoss', PAIRS, 200), {
    losses: ['MultipleNegativesRankingLoss', 'MultipleNegativesSymmetricRankingLoss'],
    choices: {
      ...{ learningRate: { min: 1e-5, max: 2e-4 }, perDeviceTrainBatchSize: [16, 32], numTrainEpochs: [1, 2, 4, 8] },
    },
  })
  const own = { name: 'MatryoshkaLoss', loss: 'CoSENTLoss', matryoshkaDims: [64] }
  t.deepEqual(spaceOf(undefined, own, SCORES, 5000).losses, [own])
  const given = { loss: ['AnglELoss'], learningRate: [1e-5], weightDecay: { min: 0.001, max: 0.1 } }
  const { losses, choices } = spaceOf(given, 'CoSENTLoss', SCORES, 5000)
  t.deepEqual([losses, choices.learningRate, choices.weightDecay], [['AnglELoss'], [1e-5], { min: 0.001, max: 0.1 }])
})

test('trials: each part of a range once, every loss, the same for the same seed', (t) => {
  const space = spaceOf({ warmupSteps: { min: 1, max: 100 } }, 'CoSENTLoss', SCORES, 5000)
  const trials = drawTrials(space, 9, 7, 0)
  t.deepEqual(trials, drawTrials(space, 9, 7, 0))
  t.notDeepEqual(trials, drawTrials(space, 9, 8, 0))
  t.notDeepEqual(trials, drawTrials(space, 9, 7, 1))
  const parts = trials.map(({ args }) => Math.floor((9 * Math.log(args.learningRate! / 1e-5)) / Math.log(20)))
  t.deepEqual(parts.sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8])
  for (const loss of space.losses) t.is(trials.filter((trial) => trial.loss === loss).length, 3)
  for (const { args } of trials) t.true(Number.isInteger(args.warmupSteps) && args.warmupSteps! <= 100)
})

test("the config's own trial takes the place of one with its loss, so that few trials still have every loss", (t) => {
  const space = spaceOf(undefined, 'CoSENTLoss', SCORES, 5000)
  const first = { loss: 'CoSENTLoss', args: { learningRate: 2e-5 } }
  for (let seed = 0; seed < 20; seed++) {
    const trials = withFirst(first, drawTrials(space, 3, seed, 0))
    t.is(trials[0], first)
    t.deepEqual(trials.map(({ loss }) => loss).sort(), [...space.losses].sort())
  }
  const [own, other] = withFirst({ ...first, loss: 'MSELoss' }, drawTrials(space, 2, 1, 0))
  t.is(own!.loss, 'MSELoss')
  t.deepEqual(other, drawTrials(space, 2, 1, 0)[1])
})

test('what is no space is told', (t) => {
  const wrong = (value: unknown, code: string, message: RegExp) =>
    t.throws(() => searchSpace.check('search', value), { code, message })
  wrong([], 'ERR_INVALID_ARGUMENT', /an object with loss/)
  wrong({ learningRte: [1] }, 'ERR_UNKNOWN_OPTION', /"learningRte"/)
  wrong({ maxSteps: [1] }, 'ERR_UNKNOWN_OPTION', /does not decide itself/)
  wrong({ learningRate: [] }, 'ERR_INVALID_ARGUMENT', /list of values/)
  wrong({ learningRate: ['x'] }, 'ERR_INVALID_ARGUMENT', /search\.learningRate/)
  wrong({ learningRate: { min: 1, max: 1 } }, 'ERR_INVALID_ARGUMENT', /min < max/)
  wrong({ loss: ['NoLoss'] }, 'ERR_INVALID_ARGUMENT', /search\.loss\[0\]/)
})
