/** The thread of experiments.ts: trains one classifier after another. */
import { parentPort, workerData } from 'node:worker_threads'
import type { Experiment, ExperimentReply, ExperimentTest } from './experiments.js'
import { fitLogistic, predictLogistic } from './logistic-regression.js'

const { test, classes } = workerData as ExperimentTest

parentPort!.on('message', ({ x, y }: Experiment) => {
  const model = fitLogistic(x, y, classes)
  const predicted = predictLogistic(model, test)
  const reply: ExperimentReply = { predicted, iterations: model.iterations, converged: model.converged }
  parentPort!.postMessage(reply, [predicted.buffer as ArrayBuffer])
})
