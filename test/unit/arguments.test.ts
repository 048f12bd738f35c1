import { readFileSync } from 'node:fs'
import test from 'ava'
import { resolveArguments, type TrainingArguments } from '../../lib/training/arguments/arguments.js'
import { PLANNED_ARGUMENTS } from '../../lib/training/arguments/planned-arguments.js'
import { planRun } from '../../lib/training/arguments/run-plan.js'
import { equal } from '../parity/report.js'

const golden: { defaults: Record<string, unknown> } = JSON.parse(
  readFileSync(new URL('../../../test/unit/golden/arguments.json', import.meta.url), 'utf8'),
)

test('evalSteps falls back to loggingSteps', (t) => {
  t.is(resolveArguments({ loggingSteps: 7 }).evalSteps, 7)
  t.is(resolveArguments({ loggingSteps: 7, evalSteps: 3 }).evalSteps, 3)
})

test('undefined means absent', (t) => {
  t.is(resolveArguments({ learningRate: undefined }).learningRate, 5e-5)
})

test('arguments that are not built are refused as such', (t) => {
  for (const name of ['torchCompile', 'autoFindBatchSize', 'pushToHub', 'fullDeterminism', 'useCpu']) {
    t.throws(() => resolveArguments({ [name]: true }), { code: 'ERR_NOT_IMPLEMENTED', message: new RegExp(name) })
  }
  t.throws(() => resolveArguments({ lrSchedulerType: 'greedy' as never }), { code: 'ERR_NOT_IMPLEMENTED' })
  t.throws(() => resolveArguments({ optim: 'adafactor' as never }), { code: 'ERR_NOT_IMPLEMENTED' })
  t.throws(() => resolveArguments({ evalStrategy: 'best' as never }), { code: 'ERR_INVALID_ARGUMENT' })
})

/** The arguments whose default there asks for something that is not done here, or is written otherwise. */
const otherDefaults: Record<string, unknown> = {
  outputDir: 'tmp_trainer', // what sentence-transformers uses without any arguments
  warmupRatio: 0,
  disableTqdm: false, // null becomes false there
  evalSteps: 500, // as loggingSteps
  gradientCheckpointing: false,
  activationCheckpointing: false,
}
/** What sentence-transformers does not have. */
const ownArguments = [
  'compat',
  'datasetWeights',
  'freeze',
  'handleSignals',
  'maxSeqLength',
  'memoryLimit',
  'miniBatchSize',
  'miniBatchTokens',
  'tokenCacheDir',
]

for (const [name, value] of Object.entries(golden.defaults)) {
  test(`${name} of sentence-transformers is built with its default, or refused as not built`, (t) => {
    const defaults: Record<string, unknown> = { ...resolveArguments() }
    if (Object.hasOwn(defaults, name)) {
      t.deepEqual(defaults[name], otherDefaults[name] ?? value)
      t.deepEqual(resolveArguments({ [name]: value })[name as keyof TrainingArguments], defaults[name])
      equal('arguments', name)
      return
    }
    const refused = (given: unknown) =>
      t.throws(() => resolveArguments({ [name]: given }), { code: 'ERR_NOT_IMPLEMENTED', message: new RegExp(name) })
    t.notThrows(() => resolveArguments({ [name]: value }))
    refused('something else')
    refused(17)
  })
}

test('nothing is built or planned that sentence-transformers does not have, but for what is named here', (t) => {
  const known = [...Object.keys(golden.defaults), 'loggingDir', 'logTimings', 'mlflowTrackingUri', ...ownArguments] // loggingDir: gone since transformers 5
  t.deepEqual([...Object.keys(resolveArguments()), ...Object.keys(PLANNED_ARGUMENTS)].sort(), known.sort())
})

test('docs/training.md has every argument, built or not', (t) => {
  const page = readFileSync(new URL('../../../docs/training.md', import.meta.url), 'utf8')
  const names = [...Object.keys(resolveArguments()), ...Object.keys(PLANNED_ARGUMENTS)]
  t.deepEqual(
    names.filter((name) => !page.includes(`\`${name}\``)),
    [],
  )
})

test('misspelt arguments come with a suggestion', (t) => {
  t.throws(() => resolveArguments({ learningrate: 1e-5 } as never), {
    code: 'ERR_UNKNOWN_OPTION',
    message: /did you mean learningRate\?/,
  })
  t.throws(() => resolveArguments({ per_device_train_batch_size: 8 } as never), {
    code: 'ERR_UNKNOWN_OPTION',
    message: /did you mean perDeviceTrainBatchSize\?/,
  })
})

const wrong: [keyof TrainingArguments, unknown[]][] = [
  ['outputDir', ['', 3]],
  ['perDeviceTrainBatchSize', [0, 1.5, '8']],
  ['gradientAccumulationSteps', [0]],
  ['learningRate', [-1, Number.NaN, Number.POSITIVE_INFINITY]],
  ['warmupSteps', [-1, 1.5]],
  ['warmupRatio', [1.1]],
  ['numTrainEpochs', [0, -1]],
  ['maxSteps', [0, 2.5]],
  ['adamBeta1', [1]],
  ['adamEpsilon', [0]],
  ['seed', [-1, 0.5, 2 ** 60]],
  ['loggingSteps', [0, 10.5]],
  ['evalStrategy', ['step', true]],
  ['lrSchedulerType', ['lineer']],
  ['batchSampler', ['no_duplicate']],
  ['bf16', [1]],
  ['dataloaderDropLast', ['yes']],
  ['dataSeed', [-1, 'x']],
  ['dataloaderNumWorkers', [-1, 0.5]],
  ['tokenCacheDir', ['', 3]],
  ['datasetWeights', [{ a: -1 }, { a: '1' }, 3]],
  ['maxSeqLength', [0, { a: 0 }, 'long']],
  ['prompts', [3, { a: 3 }, { a: { b: 3 } }]],
  ['miniBatchSize', [0, 'all']],
  ['miniBatchTokens', [0]],
  ['freeze', [3, [3], '(', ['(']]],
  ['learningRateMapping', [{ '(': 1e-5 }, { a: -1 }]],
  ['optim', ['adam']],
  ['optimArgs', ['alpha']],
  ['saveTotalLimit', [-1, 1.5]],
  ['multiDatasetBatchSampler', ['roundrobin']],
  ['resumeFromCheckpoint', ['', 3]],
  ['compat', ['st-5']],
]
for (const [name, values] of wrong) {
  test(`${name} is checked`, (t) => {
    for (const value of values) {
      t.throws(() => resolveArguments({ [name]: value } as never), {
        code: 'ERR_INVALID_ARGUMENT',
        message: new RegExp(name),
      })
    }
  })
}

test('the length of a run', (t) => {
  const plan = (given: Partial<TrainingArguments>, batches: number) => planRun(resolveArguments(given), batches)
  t.like(plan({ numTrainEpochs: 2 }, 10), { stepsPerEpoch: 10, maxSteps: 20, epochs: 2, warmupSteps: 0 })
  t.like(plan({ numTrainEpochs: 1.25, warmupSteps: 0.1 }, 10), { maxSteps: 13, epochs: 2, warmupSteps: 2 })
  t.like(plan({ gradientAccumulationSteps: 4, numTrainEpochs: 1 }, 10), { stepsPerEpoch: 3, maxSteps: 3 })
  t.like(plan({ maxSteps: 25 }, 10), { maxSteps: 25, epochs: 3 })
  t.is(plan({ maxSteps: 10, warmupRatio: 1 }, 10).warmupSteps, 10)
  t.is(plan({ maxSteps: 10, warmupSteps: 3, warmupRatio: 0.5 }, 10).warmupSteps, 3)
})

test('what is due after a step', (t) => {
  const args = resolveArguments({
    maxSteps: 10,
    loggingSteps: 4,
    loggingFirstStep: true,
    evalStrategy: 'steps',
    evalSteps: 0.3,
    saveSteps: 5,
  })
  const plan = planRun(args, 100)
  const steps = (kind: 'log' | 'evaluate' | 'save') =>
    Array.from({ length: 10 }, (_, i) => i + 1).filter((step) => plan.dueAfterStep(step)[kind])
  t.deepEqual(steps('log'), [1, 4, 8])
  t.deepEqual(steps('evaluate'), [3, 6, 9, 10])
  t.deepEqual(steps('save'), [5, 10])
  t.deepEqual(plan.dueAfterEpoch(1), { log: false, evaluate: false, save: false })
})

test('strategies by epoch', (t) => {
  const strategies = { loggingStrategy: 'epoch', evalStrategy: 'epoch', saveStrategy: 'epoch' } as const
  const plan = planRun(resolveArguments({ maxSteps: 3, ...strategies }), 3)
  t.deepEqual(plan.dueAfterStep(3), { log: false, evaluate: false, save: false })
  t.deepEqual(plan.dueAfterEpoch(1), { log: true, evaluate: true, save: true })
})
