import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { SentenceTorchError } from '../../errors.js'
import { onAbort } from '../../io/abort.js'
import type { LogisticOptions } from './logistic-regression.js'

/** Training data of a classifier. */
export interface Experiment {
  /** [rows, width] */
  x: Float32Array
  /** Class of each row. */
  y: Int32Array
  /** Of the classifier. Default: scikit-learn's. */
  options?: LogisticOptions
}

export interface ExperimentTest {
  /** [rows, width]. Shared, because every thread reads it. */
  test: Float32Array
  classes: number
}

export interface ExperimentReply {
  /** Class of each row of `test`. */
  predicted: Int32Array
  /** Of the classifier: `LogisticModel.parameters`. */
  parameters: Float64Array
  iterations: number
  converged: boolean
}

/**
 * Trains a classifier for every experiment and predicts the rows of `test`, on worker threads, because a fit takes seconds.
 * All threads have ended when the promise settles.
 * @throws ERR_ABORTED, or what a worker throws
 */
export async function runExperiments(
  experiments: readonly Experiment[],
  { test, classes }: ExperimentTest,
  signal?: AbortSignal,
): Promise<ExperimentReply[]> {
  const shared = new Float32Array(new SharedArrayBuffer(test.byteLength))
  shared.set(test)
  const replies = new Array<ExperimentReply>(experiments.length)
  let next = 0
  let stop = false
  const threads = Math.min(experiments.length, availableParallelism())
  const work = Array.from({ length: threads }, async () => {
    const worker = new Worker(new URL('./experiment-worker.js', import.meta.url), {
      workerData: { test: shared, classes } satisfies ExperimentTest,
      // Without the caller's flags: `--input-type` and `--eval` would keep the thread from starting.
      execArgv: [],
    })
    try {
      while (!stop && next < experiments.length) {
        const i = next++
        replies[i] = await ask(worker, experiments[i]!, signal)
      }
    } catch (error) {
      stop = true
      throw error
    } finally {
      await worker.terminate()
    }
  })
  const outcomes = await Promise.allSettled(work)
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed) throw failed.reason
  return replies
}

function ask(worker: Worker, experiment: Experiment, signal: AbortSignal | undefined): Promise<ExperimentReply> {
  return new Promise((resolve, reject) => {
    let stopListening: (() => void) | undefined
    const settle = (done: () => void) => {
      worker.off('message', answered).off('error', failed).off('exit', ended)
      stopListening?.()
      done()
    }
    const answered = (reply: ExperimentReply) => settle(() => resolve(reply))
    const failed = (error: unknown) => settle(() => reject(error))
    const ended = (code: number) => failed(new Error(`The thread of the classifier ended with code ${code}`))
    const aborted = () =>
      failed(new SentenceTorchError('ERR_ABORTED', 'The evaluation was aborted', { cause: signal?.reason }))
    if (signal?.aborted) return aborted()
    worker.on('message', answered).on('error', failed).on('exit', ended)
    stopListening = signal && onAbort(signal, aborted)
    worker.postMessage(experiment)
  })
}
