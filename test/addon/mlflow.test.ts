// A training that reports to an MLflow server: its log arrives, and a server that is down costs it nothing.
import test, { type ExecutionContext } from 'ava'
import {
  Dataset,
  losses,
  SentenceTransformer,
  SentenceTransformerTrainer,
  type TrainerCallback,
} from '../../lib/index.js'
import { MlflowServer } from '../helpers/mlflow-server.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

async function train(
  t: ExecutionContext,
  mlflowTrackingUri: string,
  callback: TrainerCallback = {},
  signal?: AbortSignal,
) {
  const folder = await temporaryFolder(t)
  const model = await SentenceTransformer.load(await tinyFolder(folder))
  t.teardown(() => model.dispose())
  const trainer = new SentenceTransformerTrainer({
    model,
    trainDataset: Dataset.fromRows(tinyWords.map((word) => ({ anchor: `the ${word}`, positive: `a ${word}` }))),
    loss: new losses.MultipleNegativesRankingLoss(),
    ...{ progress: false, callbacks: [callback] },
    args: {
      ...{ outputDir: `${folder}/out`, maxSteps: 4, loggingSteps: 1, saveStrategy: 'no', perDeviceTrainBatchSize: 8 },
      ...{ reportTo: 'mlflow', mlflowTrackingUri, runName: 'tiny' },
    },
  })
  return trainer.train({ signal })
}

test('the log of a training arrives with its steps, the run is finished', async (t) => {
  const server = await MlflowServer.start(t)
  const { trainLoss } = (await train(t, server.uri)) as unknown as { trainLoss: number }
  const metrics = server.logged('metrics')
  t.deepEqual(
    metrics.filter(({ key }) => key === 'loss').map(({ step }) => step),
    [1, 2, 3, 4],
  )
  t.is(metrics.find(({ key }) => key === 'train_loss')!.step, 4)
  if (trainLoss !== undefined) t.is(metrics.find(({ key }) => key === 'train_loss')!.value, trainLoss)
  const params = new Map(server.logged('params').map(({ key, value }) => [key, value]))
  t.is(params.get('max_steps'), '4')
  t.is(params.get('hidden_size'), '32')
  t.is((server.of('runs/create')[0] as { run_name: string }).run_name, 'tiny')
  t.is((server.of('runs/update').at(-1) as { status: string }).status, 'FINISHED')
})

test('a training that is stopped is KILLED, one that throws FAILED; without a server it trains all the same', async (t) => {
  const server = await MlflowServer.start(t)
  const stop = new AbortController()
  await t.throwsAsync(train(t, server.uri, { onStepEnd: () => stop.abort() }, stop.signal), { code: 'ERR_ABORTED' })
  const failing = {
    onStepEnd: () => {
      throw new Error('of the callback')
    },
  }
  await t.throwsAsync(train(t, server.uri, failing), { message: /of the callback/ })
  t.deepEqual(
    server.of('runs/update').map(({ status }) => status),
    ['KILLED', 'FAILED'],
  )
  await server.close()
  await t.notThrowsAsync(train(t, server.uri))
})

test('without an address nothing begins', async (t) => {
  await t.throwsAsync(train(t, 'file:///tmp/mlruns'), { code: 'ERR_NOT_IMPLEMENTED', message: /only http/ })
})
