// One training of a search: what is its result, what ends the search, and the time that it took.
import { existsSync, readdirSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import { SentenceTorchError } from '../../lib/errors.js'
import { readTrial, rowsPerStep, runTrial, stoppedSeconds, type TrialParts } from '../../lib/recipes/search/trial.js'
import { temporaryFolder } from '../helpers/model-folders.js'

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** A trial whose training is `train`. */
async function trial(t: ExecutionContext, train: () => Promise<unknown>, folder?: string) {
  const own = folder ?? (await temporaryFolder(t))
  const parts = {
    run: { training: () => ({}), removeCheckpoints: async () => {} },
    kind: { makeLosses: async () => ({}), batching: () => ({}), trainer: () => ({ train }) },
    ...{ train: Dataset.fromRows([{ a: 'one' }]), args: {}, load: async () => ({ dispose: async () => {} }) },
  } as unknown as TrialParts
  const plan = { settings: { loss: 'CoSENTLoss', args: {} }, steps: 3, most: 9, saves: false } as const
  const evaluator = { evaluate: async () => ({ primaryMetric: 'm', metrics: { m: 0.5 } }) }
  const run = () => runTrial(parts, { folder: own, isContinued: true }, plan, { evaluator }, () => false)
  return { run, folder: own }
}

const failing = (code: ConstructorParameters<typeof SentenceTorchError>[0]) => async () => {
  await wait(60)
  throw new SentenceTorchError(code, `for ${code}`)
}

test('what passes ends the search and is no record of the trial; what the settings cause is one', async (t) => {
  for (const code of ['ERR_NETWORK', 'ERR_OUT_OF_MEMORY', 'ERR_FILE_SYSTEM'] as const) {
    const { run, folder } = await trial(t, failing(code))
    await t.throwsAsync(run(), { code })
    t.deepEqual(readdirSync(folder), ['stopped.json'])
  }
  const { run, folder } = await trial(t, failing('ERR_INVALID_DATA'))
  await run()
  t.like(await readTrial(folder), { error: 'for ERR_INVALID_DATA', score: undefined })
})

test('the time of runs that were stopped in a trial is in its record', async (t) => {
  const folder = await temporaryFolder(t)
  t.is(await stoppedSeconds(folder), 0)
  const stopped = await trial(t, failing('ERR_NETWORK'), folder)
  await t.throwsAsync(stopped.run())
  const first = await stoppedSeconds(folder)
  t.true(first >= 0.05 && first < 5, `${first}`)
  await t.throwsAsync(stopped.run())
  const both = await stoppedSeconds(folder)
  t.true(both >= first + 0.05)
  const done = await trial(t, async () => ({ metrics: { epoch: 1 }, globalStep: 3 }), folder)
  await done.run()
  const { seconds, score } = await readTrial(folder)
  t.is(score, 0.5)
  t.true(seconds > both && seconds < both + 5)
  t.false(existsSync(`${folder}/stopped.json`))
})

test('rows of a step: those of a batch, times the batches whose gradients are added', (t) => {
  const loss = 'CoSENTLoss'
  t.is(rowsPerStep({ args: {} }, { loss, args: { perDeviceTrainBatchSize: 16 } }), 16)
  const args = { gradientAccumulationSteps: 4, perDeviceTrainBatchSize: 2 }
  t.is(rowsPerStep({ args }, { loss, args: { perDeviceTrainBatchSize: 16 } }), 64)
  t.is(rowsPerStep({ args }, { loss, args: { gradientAccumulationSteps: 3 } }), 6)
})
