// Trains a fake engine in a process of its own: `node train-worker.js '<TrainRequest as JSON>'`.
// It writes a line for every checkpoint, one when a save begins, and one for what the training ended with.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { resolveArguments, type TrainingArguments } from '../../lib/training/arguments/arguments.js'
import { OutputFolder } from '../../lib/training/checkpoint/output-folder.js'
import { trainOrAbort } from '../../lib/training/run/loop.js'
import { TrainingAbortedError } from '../../lib/training/run/result.js'
import { untilSignal } from '../../lib/training/run/signals.js'
import { prepare } from './fake-trainer.js'

export interface TrainRequest {
  /** One training each, all at once. */
  runs: Partial<TrainingArguments>[]
  /** How long a step and a save last, in milliseconds. */
  stepTime?: number
  /** The step that lasts until the training is aborted, half a minute at most. */
  holdAt?: number
  saveTime?: number
  /** What whoever waits for the training does with its error. */
  catches?: boolean
  /** A listener of the program's own. */
  listens?: boolean
  /** The save after an abort fails. */
  fails?: boolean
}

if (process.argv[2] !== undefined) {
  const {
    runs,
    stepTime = 5,
    saveTime = 0,
    holdAt,
    catches,
    listens,
    fails,
  } = JSON.parse(process.argv[2]) as TrainRequest
  const say = (text: string) => process.stdout.write(`${text}\n`)
  if (listens) process.on('SIGTERM', () => say('heard'))
  const train = async (args: Partial<TrainingArguments>) => {
    const run = async (signal: AbortSignal | undefined) => {
      const callbacks = [
        {
          onStepEnd: async ({ state }: { state: { globalStep: number } }) => {
            say(`step ${state.globalStep}`)
            const time = state.globalStep === holdAt ? 30_000 : stepTime
            await setTimeout(time, undefined, { ...(signal && { signal }) }).catch(() => {})
          },
          onSave: (folder: string) => void say(`saved ${folder}`),
        },
      ]
      const save = async (folder: string) => {
        say('saving')
        if (fails && signal?.aborted) throw Object.assign(new Error('full'), { code: 'ERR_OUT_OF_MEMORY' })
        mkdirSync(join(folder, '1_Pooling'))
        writeFileSync(join(folder, '1_Pooling', 'config.json'), '{}')
        await setTimeout(saveTime)
      }
      const prepared = prepare({ maxSteps: 1000, ...args }, { callbacks, parts: { save }, ...(signal && { signal }) })
      return trainOrAbort(prepared.run, signal)
    }
    const runThere = async (signal: AbortSignal | undefined) => {
      const output = await OutputFolder.open(resolveArguments({ saveStrategy: 'no', ...args }))
      try {
        return await run(signal)
      } finally {
        await output.release()
      }
    }
    return args.handleSignals ? untilSignal(undefined, runThere) : runThere(undefined)
  }
  const all = Promise.all(
    runs.map(async (args) => {
      try {
        const { globalStep } = await train(args)
        say(`done ${globalStep}`)
      } catch (error) {
        if (error instanceof TrainingAbortedError) say(`aborted ${error.signal} ${error.checkpoint}`)
        else say(`failed ${(error as { code?: string }).code}`)
        if (!catches) throw error
      }
    }),
  )
  await all
  await setTimeout(catches ? 60_000 : 0)
}
