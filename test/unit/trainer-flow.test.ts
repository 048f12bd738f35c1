import { readFileSync } from 'node:fs'
import test from 'ava'
import { MultipleNegativesRankingLoss } from '../../lib/losses/index.js'
import { resolveArguments, type TrainingArguments } from '../../lib/training/arguments/arguments.js'
import type { LogRecord, TrainerCallback, TrainerState } from '../../lib/training/callbacks/callbacks.js'
import { pairs, prepare, source } from '../helpers/fake-trainer.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { report } from '../parity/report.js'

interface Run {
  rows: number
  /** Rows with the first row's anchor. */
  often: number
  args: Partial<TrainingArguments>
  globalStep: number
  maxSteps: number
  numTrainEpochs: number
  epoch: number
  /** [name, global step] */
  events: [string, number][]
  /** [step, epoch, learning rate, loss]; the loss of a batch is its number, from 1 */
  logged: [number, number, number, number][]
  trainLoss: number
  /** [step, epoch] */
  evaluated: [number, number][]
}
const golden: { runs: Run[] } = JSON.parse(
  readFileSync(new URL('../../../test/unit/golden/flow.json', import.meta.url), 'utf8'),
)

for (const [i, expected] of golden.runs.entries()) {
  test(`a run has the lengths, rates, losses and events of sentence-transformers' trainer (${i + 1})`, async (t) => {
    const events: [string, number][] = []
    const logged: number[][] = []
    const evaluated: number[][] = []
    let state: Readonly<TrainerState> | undefined
    const note = (name: string) => (context: { state: Readonly<TrainerState> }) => {
      state = context.state
      // Steps of the epoch before are all done when an epoch begins or ends, here as there.
      events.push([name, context.state.globalStep])
    }
    const callback: TrainerCallback = {
      onTrainBegin: note('onTrainBegin'),
      onEpochBegin: note('onEpochBegin'),
      onStepEnd: note('onStepEnd'),
      onEpochEnd: note('onEpochEnd'),
      onLog(record: LogRecord, context) {
        note('onLog')(context)
        const { globalStep } = context.state
        if (record.learning_rate !== undefined)
          logged.push([globalStep, record.epoch!, record.learning_rate, record.loss!])
        if (record.eval_loss !== undefined) evaluated.push([globalStep, record.epoch!])
      },
      onEvaluate: (_, context) => note('onEvaluate')(context),
      onSave: (_, context) => note('onSave')(context),
      onTrainEnd: note('onTrainEnd'),
    }
    const outputDir = await temporaryFolder(t)
    const args = { saveStrategy: 'steps', ...expected.args, outputDir } as const
    const rows = pairs(expected.rows)
    const trainData = await rows.map(({ anchor }, row) => ({ anchor: row < expected.often ? 'a0' : anchor }))
    const data = source(rows, new MultipleNegativesRankingLoss(), resolveArguments(), 8)
    const evalData = [{ name: '', source: data }]
    const result = await prepare(args, { data: trainData, callbacks: [callback], parts: { evalData } }).train()

    t.deepEqual(events, expected.events)
    t.is(result.globalStep, expected.globalStep)
    t.is(result.metrics.epoch, expected.epoch)
    t.is(state!.maxSteps, expected.maxSteps)
    t.is(state!.numTrainEpochs, expected.numTrainEpochs)
    t.deepEqual(evaluated, expected.evaluated)
    t.deepEqual(
      logged.map(([step, epoch]) => [step, epoch]),
      expected.logged.map(([step, epoch]) => [step, epoch]),
    )
    logged.forEach(([, , rate], n) => {
      const deviation = Math.abs(rate! - expected.logged[n]![2])
      t.true(deviation < 1e-16, `${rate}, ${expected.logged[n]![2]}`)
      report('flow', 'run', { part: 'rates', deviation, allowed: 1e-16 })
    })
    // float32 there.
    const losses = logged.map(([, , , loss], n) => [loss!, expected.logged[n]![3]] as const)
    for (const [found, loss] of [...losses, [result.trainingLoss, expected.trainLoss] as const]) {
      const deviation = Math.abs(found - loss)
      t.true(deviation < 1e-6, `${found}, ${loss}`)
      report('flow', 'run', { part: 'losses', deviation, allowed: 1e-6 })
    }
  })
}
