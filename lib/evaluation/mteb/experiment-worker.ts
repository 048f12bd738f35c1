/** The thread of experiments.ts: trains one classifier after another. */
import { parentPort, workerData } from 'node:worker_threads'
import type { Experiment, ExperimentReply, ExperimentTest } from './experiments.js'
import { fitLogistic, predictLogistic } from './logistic-regression.js'

const { test, classes } = workerData as ExperimentTest

parentPort!.on('message', ({ x, y, options }: Experiment) => {
  const model = fitLogistic(x, y, classes, options)
  const predicted = predictLogistic(model, test)
  const { parameters, iterations, converged } = model
  const reply: ExperimentReply = { predicted, parameters, iterations, converged }
  parentPort!.postMessage(reply, [predicted.buffer, parameters.buffer] as ArrayBuffer[])
})
