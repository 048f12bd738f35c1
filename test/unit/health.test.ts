import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import {
  BatchAllTripletLoss,
  BatchHardSoftMarginTripletLoss,
  BatchHardTripletLoss,
  ContrastiveLoss,
  CosineSimilarityLoss,
  type Loss,
  MultipleNegativesRankingLoss,
  TripletLoss,
} from '../../lib/losses/index.js'
import type { LossSpec, StepReport } from '../../lib/native/types.js'
import { suggestLoss } from '../../lib/recipes/suggest-loss.js'
import { resolveArguments, type TrainingArguments } from '../../lib/training/arguments/arguments.js'
import { accumulationNegatives } from '../../lib/training/health/accumulation.js'
import { Collapse } from '../../lib/training/health/collapse.js'
import type { LossFacts, RunFacts } from '../../lib/training/health/facts.js'
import { GradientNotFinite, GradientZero } from '../../lib/training/health/gradient-norm.js'
import { HashSample, hashText } from '../../lib/training/health/hash-sample.js'
import { labelRange, labelsConstant } from '../../lib/training/health/labels.js'
import { evalLeak } from '../../lib/training/health/leak.js'
import { MaskedNegatives } from '../../lib/training/health/masked-negatives.js'
import { HealthMonitor } from '../../lib/training/health/monitor.js'
import { normalizedMargin } from '../../lib/training/health/normalized-margin.js'
import { truncation } from '../../lib/training/health/truncation.js'
import { unusedArguments } from '../../lib/training/health/unused-arguments.js'
import { warmupTooLong } from '../../lib/training/health/warmup.js'
import type { TrainingWarning } from '../../lib/training/health/warning.js'
import { FakeEngine, prepare, recorder } from '../helpers/fake-trainer.js'

function loss(spec: LossSpec, rest: Partial<LossFacts> = {}): LossFacts {
  return { name: '', type: spec.type, spec, readsLabels: true, inBatchNegatives: false, ...rest }
}

const COSINE = loss({ type: 'CosineSimilarityLoss' })
const RANKING = loss({ type: 'MultipleNegativesRankingLoss', similarity: 'cosine', scale: 20 }, { readsLabels: false })

function facts(given: Partial<TrainingArguments> = {}, rest: Partial<RunFacts> = {}): RunFacts {
  return {
    args: resolveArguments(given),
    device: 'cpu',
    hasEvaluation: false,
    given,
    maxSteps: 100,
    warmupSteps: 0,
    losses: [COSINE],
    train: [{ name: '', dataset: scored([0, 0.5, 1]) }],
    evaluation: [],
    isNormalized: false,
    ...rest,
  }
}

function scored(score: readonly unknown[]): Dataset {
  return Dataset.fromColumns({ a: score.map((_, i) => `a${i}`), b: score.map((_, i) => `b${i}`), score })
}

const named = (...datasets: Dataset[]) => datasets.map((dataset, i) => ({ name: i === 0 ? '' : `d${i}`, dataset }))

function report(given: Partial<StepReport> = {}): StepReport {
  return {
    loss: 1,
    batches: 1,
    components: {},
    gradNorm: 1,
    updates: 1,
    skipped: 0,
    times: { forward: 1, backward: 1, optimizer: 1 },
    tokens: 10,
    meanCosine: 0.3,
    ...given,
  }
}

/** The code of the only warning, after looking at its parts. */
function codeOf(warnings: readonly (TrainingWarning | undefined)[]): string | undefined {
  const [warning, ...more] = warnings.filter((entry) => entry !== undefined)
  if (more.length > 0) throw new Error(`more than one warning: ${more.map(({ code }) => code)}`)
  if (warning && (warning.message.length < 20 || warning.remedy.length < 20)) throw new Error('says too little')
  return warning?.code
}

const observe = (check: { observe(report: StepReport): TrainingWarning | undefined }, reports: Partial<StepReport>[]) =>
  reports.map((given) => check.observe(report(given)))

test('collapse: a mean cosine near 1 in five reports one after the other', (t) => {
  const near = { meanCosine: 0.995 }
  const warnings = observe(new Collapse(), [near, near, near, near, near])
  t.deepEqual(
    warnings.map((warning) => warning?.code),
    [undefined, undefined, undefined, undefined, 'WARN_COLLAPSE'],
  )
  t.regex(warnings[4]!.message, /0\.9950/)
  // A report of a batch with one row does not end a streak.
  t.is(codeOf(observe(new Collapse(), [near, near, { meanCosine: Number.NaN }, near, near, near])), 'WARN_COLLAPSE')
})

test('collapse: not for similar texts, nor for a moment', (t) => {
  const near = { meanCosine: 0.995 }
  t.is(codeOf(observe(new Collapse(), Array(20).fill({ meanCosine: 0.98 }))), undefined)
  t.is(codeOf(observe(new Collapse(), [near, near, near, near, {}, near, near, near, near])), undefined)
})

test('masked negatives: most of them, for a while', (t) => {
  const masked = (share: number, name = 'masked_share') => Array(5).fill({ components: { [name]: share } })
  const [warning] = observe(new MaskedNegatives(), masked(0.75)).slice(-1)
  t.is(codeOf([warning]), 'WARN_MASKED_NEGATIVES')
  t.regex(warning!.message, /75 %/)
  t.is(codeOf(observe(new MaskedNegatives(), masked(0.8, 'dim_64_masked_share'))), 'WARN_MASKED_NEGATIVES')
  t.is(codeOf(observe(new MaskedNegatives(), masked(0.3))), undefined)
  t.is(codeOf(observe(new MaskedNegatives(), masked(0.9, 'other'))), undefined)
  t.is(codeOf(observe(new MaskedNegatives(), masked(0.9).slice(1))), undefined)
})

test('gradient norm: zero for a while, or not finite at once', (t) => {
  const zero = { gradNorm: 0 }
  t.is(codeOf(observe(new GradientZero(), [zero, zero, zero])), 'WARN_GRADIENT_ZERO')
  t.is(codeOf(observe(new GradientZero(), [zero, zero, {}, zero, zero])), undefined)
  t.is(codeOf(observe(new GradientZero(), Array(5).fill({ gradNorm: 0, updates: 0 }))), undefined)
  t.is(codeOf(observe(new GradientZero(), Array(5).fill({ gradNorm: 1e-12 }))), undefined)
  t.is(codeOf(observe(new GradientNotFinite(), [{}, { skipped: 1, updates: 0 }])), 'WARN_GRADIENT_NOT_FINITE')
  t.is(codeOf(observe(new GradientNotFinite(), [{}, {}])), undefined)
  // A loss scaler looks for its scale.
  t.is(codeOf(observe(new GradientNotFinite(), [{ skipped: 9, lossScale: 128 }])), undefined)
  const [small] = observe(new GradientNotFinite(), [{ skipped: 1, lossScale: 0.5 }])
  t.is(codeOf([small]), 'WARN_GRADIENT_NOT_FINITE')
  t.regex(small!.message, /scaled by 0\.5/)
  t.regex(small!.remedy, /bf16/)
})

test('arguments that nothing reads are one warning', (t) => {
  const tutorial = { fp16: true, evalSteps: 50 }
  const warnings = unusedArguments(facts(tutorial, { hasEvaluation: true }))
  t.is(warnings.length, 1)
  t.is(warnings[0]!.code, 'WARN_UNUSED_ARGUMENTS')
  t.regex(warnings[0]!.message, /fp16.*evalSteps \(evalStrategy is 'no'\).*evaluator/)
  t.regex(warnings[0]!.remedy, /^Leave fp16 out.*; set evalStrategy: 'steps'/)
  t.deepEqual(unusedArguments(facts({ fp16: true }, { device: 'cuda:0' })), [])
  t.deepEqual(unusedArguments(facts({ evalStrategy: 'epoch' }, { hasEvaluation: true })), [])
  t.deepEqual(unusedArguments(facts({ evalOnStart: true }, { hasEvaluation: true })), [])
  t.regex(
    unusedArguments(facts({}, { hasEvaluation: true }))[0]!.message,
    /^Not used in this run: evalDataset and evaluator/,
  )
  t.is(codeOf(unusedArguments(facts({ evalSteps: 50 }))), 'WARN_UNUSED_ARGUMENTS')
  t.is(codeOf(unusedArguments(facts({ evalSteps: 50, evalStrategy: 'epoch' }))), 'WARN_UNUSED_ARGUMENTS')
  t.is(codeOf(unusedArguments(facts({ evalSteps: 50, evalStrategy: 'steps' }))), undefined)
  t.is(codeOf(unusedArguments(facts({ loggingSteps: 50 }))), undefined)
})

test('a warm-up as long as the run', (t) => {
  t.is(codeOf(warmupTooLong(facts({}, { warmupSteps: 100 }))), 'WARN_WARMUP_TOO_LONG')
  t.is(codeOf(warmupTooLong(facts({}, { warmupSteps: 99 }))), undefined)
  t.is(codeOf(warmupTooLong(facts({ lrSchedulerType: 'constant' }, { warmupSteps: 100 }))), undefined)
})

test('gradient accumulation with in-batch negatives', (t) => {
  const inBatch = { ...RANKING, inBatchNegatives: true }
  const [warning] = accumulationNegatives(facts({ gradientAccumulationSteps: 4 }, { losses: [inBatch, inBatch] }))
  t.is(codeOf([warning]), 'WARN_ACCUMULATION_NEGATIVES')
  t.regex(warning!.remedy, /perDeviceTrainBatchSize: 32 with miniBatchSize: 8/)
  t.is(codeOf(accumulationNegatives(facts({}, { losses: [inBatch] }))), undefined)
  t.is(codeOf(accumulationNegatives(facts({ gradientAccumulationSteps: 4 }))), undefined)
})

test('labels that never vary', async (t) => {
  const constant = named(scored([1, 1, 1]))
  const [warning] = await labelsConstant(facts({}, { train: constant }))
  t.is(codeOf([warning]), 'WARN_LABELS_CONSTANT')
  t.regex(warning!.message, /All 3 rows have the label 1 \(column score\)/)
  t.is(codeOf(await labelsConstant(facts())), undefined)
  t.is(codeOf(await labelsConstant(facts({}, { train: constant, losses: [RANKING] }))), undefined)
  const late = Array<number>(9000).fill(1).concat(0)
  t.is(codeOf(await labelsConstant(facts({}, { train: named(scored(late)) }))), undefined)
  t.is(codeOf(await labelsConstant(facts({}, { train: named(scored([1])) }))), undefined)
})

test('labels outside [-1, 1] under a cosine', async (t) => {
  const stsb = named(scored([0, 2.5, 5, 1]))
  const [warning] = await labelRange(facts({}, { train: stsb }))
  t.is(codeOf([warning]), 'WARN_LABEL_RANGE')
  t.regex(warning!.message, /50 % of the labels lie outside \[-1, 1\] \(such as 5\)/)
  const wrapped = loss({ type: 'MatryoshkaLoss', loss: { type: 'CosineSimilarityLoss' } })
  t.is(codeOf(await labelRange(facts({}, { train: stsb, losses: [wrapped] }))), 'WARN_LABEL_RANGE')
  t.is(codeOf(await labelRange(facts({}, { train: named(scored([-1, 0, 1])) }))), undefined)
  t.is(codeOf(await labelRange(facts({}, { train: stsb, losses: [loss({ type: 'CoSENTLoss' })] }))), undefined)
})

test('labels that are no probabilities under the binary cross-entropy of pairs', async (t) => {
  const losses = [loss({ type: 'CrossEncoder.BinaryCrossEntropyLoss' })]
  const [warning] = await labelRange(facts({}, { train: named(scored([0, 2, 1, 0.5])), losses }))
  t.regex(warning!.message, /25 % of the labels lie outside \[0, 1\] \(such as 2\)/)
  t.is(codeOf(await labelRange(facts({}, { train: named(scored([0, 0.5, 1])), losses }))), undefined)
})

test('labels that are neither 0 nor 1 under a contrastive loss', async (t) => {
  for (const type of ['ContrastiveLoss', 'OnlineContrastiveLoss']) {
    const [warning] = await labelRange(facts({}, { train: named(scored([0, 1, -1, 1])), losses: [loss({ type })] }))
    t.is(codeOf([warning]), 'WARN_LABEL_RANGE')
    t.regex(warning!.message, new RegExp(`25 % of the labels are neither 0 nor 1 \\(such as -1\\), but ${type} `))
    t.is(codeOf(await labelRange(facts({}, { train: named(scored([0, 1])), losses: [loss({ type })] }))), undefined)
  }
})

test('each dataset is looked at with its own loss', async (t) => {
  const [first, second] = [named(scored([0, 1]))[0]!, { name: 'stsb', dataset: scored([0, 5]) }]
  const losses = [
    { ...RANKING, name: '' },
    { ...COSINE, name: 'stsb' },
  ]
  const [warning] = await labelRange(facts({}, { train: [first, second], losses }))
  t.regex(warning!.message, /of dataset stsb/)
})

function numbered(from: number, to: number): Dataset {
  const numbers = Array.from({ length: to - from }, (_, i) => from + i)
  return Dataset.fromColumns({ a: numbers.map((n) => `question ${n}`), b: numbers.map((n) => `answer ${n}`) })
}

test('evaluation texts in the training data', async (t) => {
  const args = { evalStrategy: 'epoch' } as const
  const check = (train: Dataset, evaluation: Dataset, given: Partial<TrainingArguments> = args) =>
    evalLeak(facts(given, { train: named(train), evaluation: named(evaluation) }))
  const [warning] = await check(numbered(0, 1000), numbered(950, 1150))
  t.is(codeOf([warning]), 'WARN_EVAL_LEAK')
  t.regex(warning!.message, /25 % of the rows/)
  t.is(codeOf(await check(numbered(0, 1000), numbered(1000, 1200))), undefined)
  t.is(codeOf(await check(numbered(0, 1000), numbered(999, 1199))), undefined, 'one row of 200 is no leak')
  t.is(codeOf(await check(numbered(0, 1000), numbered(950, 1150), {})), undefined, 'nothing is evaluated')

  const premises = numbered(0, 200).removeColumns(['b'])
  const [texts] = await check(numbered(100, 400), premises)
  t.regex(texts!.message, /50 % of the texts/)
  // The same texts in other rows.
  const b = numbered(1, 101).texts('b')
  const mixed = Dataset.fromColumns({ a: numbered(0, 100).texts('a'), b })
  t.regex((await check(numbered(0, 200), mixed))[0]!.message, /100 % of the texts/)
})

test('of large training data a part tells the share of all', async (t) => {
  const train = named(numbered(0, 500_000))
  const check = (from: number) =>
    evalLeak(facts({ evalStrategy: 'epoch' }, { train, evaluation: named(numbered(from, from + 20_000)) }))
  const share = Number(/^([\d.]+) % of the rows/.exec((await check(495_000))[0]!.message)![1])
  t.true(Math.abs(share - 25) < 3, `${share}`)
  t.deepEqual(await check(500_000), [])
})

test('a sample of hashes keeps its size and finds what was added', (t) => {
  const sample = new HashSample(1000)
  const hashes = Array.from({ length: 50_000 }, (_, i) => hashText(`text ${i}`))
  t.is(new Set(hashes).size, 50_000)
  for (const hash of [...hashes, ...hashes.slice(0, 100)]) sample.add(hash)
  t.true(sample.size > 400 && sample.size <= 1000, `${sample.size}`)
  const { size } = sample
  let found = 0
  // Every second text was "seen": about half of the sample is found.
  for (let i = 0; i < hashes.length; i += 2) if (sample.remove(hashes[i]!)) found++
  t.true(Math.abs(found / size - 0.5) < 0.1, `${found / size}`)
  t.false(sample.remove(hashText('never')))
})

test('texts that are longer than the model reads', async (t) => {
  const texts = (long: number) => Array.from({ length: 100 }, (_, i) => 'word '.repeat(i < long ? 20 : 3).trim())
  const overlong: RunFacts['overlong'] = async (_, __, given) => ({
    count: given.filter((text) => text.split(' ').length > 10).length,
    most: 10,
  })
  const check = (a: number, b: number) =>
    truncation(facts({}, { overlong, train: named(Dataset.fromColumns({ a: texts(a), b: texts(b) })) }))
  const [warning] = await check(3, 20)
  t.is(codeOf([warning]), 'WARN_TRUNCATION')
  t.regex(warning!.message, /20 % of the texts in column b are longer than 10 tokens/)
  t.is(codeOf(await check(5, 5)), undefined)
  t.is((await check(50, 50)).length, 2)
})

test('many rows are sampled evenly', async (t) => {
  const seen: number[] = []
  const overlong: RunFacts['overlong'] = async (_, __, given) => {
    seen.push(...given.map((text) => Number(text.slice('question '.length))))
    return { count: 0, most: 10 }
  }
  await truncation(facts({}, { overlong, train: named(numbered(0, 5120).removeColumns(['b'])) }))
  t.is(seen.length, 512)
  t.deepEqual([seen[0], seen[1], seen.at(-1)], [0, 10, 5110])
})

test('margins and dot products that vectors of length 1 cannot reach', (t) => {
  const codes = (spec: LossSpec, rest: Partial<RunFacts> = {}) =>
    codeOf(normalizedMargin(facts({}, { isNormalized: true, losses: [loss(spec)], ...rest })))
  const triplet = { type: 'TripletLoss', distanceMetric: 'euclidean', tripletMargin: 5 }
  t.is(codes(triplet), 'WARN_NORMALIZED_MARGIN')
  t.is(codes(triplet, { isNormalized: false }), undefined)
  t.is(codes({ ...triplet, tripletMargin: 1 }), undefined)
  t.is(codes({ ...triplet, distanceMetric: 'manhattan' }), undefined)
  t.is(codes({ type: 'BatchHardTripletLoss', distanceMetric: 'euclidean', margin: 5 }), 'WARN_NORMALIZED_MARGIN')
  t.is(codes({ type: 'ContrastiveLoss', distanceMetric: 'cosine', margin: 0.5 }), undefined)
  t.is(codes({ type: 'MatryoshkaLoss', loss: triplet }), 'WARN_NORMALIZED_MARGIN')

  const ranking = { type: 'MultipleNegativesRankingLoss', similarity: 'dot', scale: 1 }
  t.is(codes(ranking), 'WARN_NORMALIZED_MARGIN')
  t.is(codes({ ...ranking, scale: 20 }), undefined)
  t.is(codes(RANKING.spec), undefined)

  const margins = { type: 'MarginMSELoss', similarity: 'dot' }
  t.is(codes(margins, { train: named(scored([-3, 8.5])) }), 'WARN_NORMALIZED_MARGIN')
  t.is(codes(margins), undefined)
})

test('the descriptions of the losses themselves are understood', (t) => {
  const codes = (given: Loss) =>
    codeOf(normalizedMargin(facts({}, { isNormalized: true, losses: [loss(given.spec(8, {}))] })))
  t.is(codes(new TripletLoss()), 'WARN_NORMALIZED_MARGIN')
  t.is(codes(new TripletLoss({ tripletMargin: 0.5 })), undefined)
  t.is(codes(new BatchHardTripletLoss()), 'WARN_NORMALIZED_MARGIN')
  t.is(codes(new BatchHardSoftMarginTripletLoss()), undefined)
  // What classes get without a loss by name.
  const classes = suggestLoss(Dataset.fromColumns({ text: ['a', 'b'], label: [0, 1] }), 'rows')
  const { name, ...options } = classes.loss as { name: string }
  t.is(name, 'BatchAllTripletLoss')
  t.is(codes(new BatchAllTripletLoss(options)), undefined)
  t.is(codes(new ContrastiveLoss()), undefined)
  t.is(codes(new MultipleNegativesRankingLoss({ similarityFct: 'dot_score', scale: 1 })), 'WARN_NORMALIZED_MARGIN')
  t.is(codes(new MultipleNegativesRankingLoss()), undefined)
  t.is(new CosineSimilarityLoss().spec().type, COSINE.type)
})

test('logits of a classifier may be parallel', (t) => {
  const codes = (rest: Partial<RunFacts>) => {
    const monitor = new HealthMonitor(facts({}, rest))
    return Array.from({ length: 9 }, () => monitor.observe(report({ meanCosine: 1 })))
      .flat()
      .map(({ code }) => code)
  }
  t.deepEqual(codes({}), ['WARN_COLLAPSE'])
  t.deepEqual(codes({ isClassifier: true }), [])
})

test('the monitor asks all checks, and each check warns once', async (t) => {
  const train = named(scored([5, 5, 5]))
  const given = { evalSteps: 5, gradientAccumulationSteps: 2 }
  const triplet = { type: 'TripletLoss', distanceMetric: 'euclidean', tripletMargin: 5 }
  const losses = [{ ...COSINE, spec: { ...COSINE.spec, loss: triplet }, inBatchNegatives: true }]
  const evaluation = named(scored([5, 5, 5]))
  const overlong: RunFacts['overlong'] = async (_, __, { length }) => ({ count: length, most: 4 })
  const rest = { train, evaluation, losses, isNormalized: true, overlong }
  const monitor = new HealthMonitor(facts({ ...given, evalStrategy: 'epoch' }, rest))
  t.deepEqual((await monitor.start({ maxSteps: 100, warmupSteps: 200 })).map(({ code }) => code).sort(), [
    'WARN_ACCUMULATION_NEGATIVES',
    'WARN_EVAL_LEAK',
    'WARN_LABELS_CONSTANT',
    'WARN_LABEL_RANGE',
    'WARN_NORMALIZED_MARGIN',
    'WARN_TRUNCATION',
    'WARN_TRUNCATION',
    'WARN_UNUSED_ARGUMENTS',
    'WARN_WARMUP_TOO_LONG',
  ])
  const bad = { meanCosine: 1, gradNorm: 0, skipped: 1, components: { masked_share: 1 } }
  const codes = Array.from({ length: 20 }, () => monitor.observe(report(bad)).map(({ code }) => code)).flat()
  t.deepEqual(codes, ['WARN_GRADIENT_NOT_FINITE', 'WARN_GRADIENT_ZERO', 'WARN_COLLAPSE', 'WARN_MASKED_NEGATIVES'])

  const healthy = new HealthMonitor(facts())
  t.deepEqual(await healthy.start({ maxSteps: 100, warmupSteps: 10 }), [])
  for (let i = 0; i < 20; i++) t.deepEqual(healthy.observe(report()), [])
})

test('a run tells its callbacks and the process, before the first step and after the step that showed it', async (t) => {
  const heard: string[] = []
  const onProcessWarning = (warning: Error & { code?: string; detail?: string }) => {
    if (warning.name === 'SentenceTorchWarning') heard.push(`${warning.code}: ${warning.detail}`)
  }
  process.on('warning', onProcessWarning)
  t.teardown(() => process.off('warning', onProcessWarning))
  const engine = new FakeEngine()
  engine.nonFiniteAt = 3
  const callback = recorder()
  const given = { evalSteps: 5 }
  const health = new HealthMonitor(facts(given))
  await prepare({ ...given, loggingSteps: 1 }, { engine, callbacks: [callback], parts: { health } }).train()
  const { events } = callback
  t.deepEqual(events.slice(0, 3), ['trainBegin', 'WARN_UNUSED_ARGUMENTS', 'epochBegin'])
  t.is(events.indexOf('WARN_GRADIENT_NOT_FINITE') + 1, events.indexOf('stepEnd 3'))
  await setImmediate()
  t.deepEqual(
    heard.map((text) => text.split(':')[0]),
    ['WARN_UNUSED_ARGUMENTS', 'WARN_GRADIENT_NOT_FINITE'],
  )
  t.regex(heard[0]!, /Set evalStrategy/)
})
