import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import {
  Dataset,
  losses,
  SentenceTransformer,
  SentenceTransformerTrainer,
  type TrainingEvent,
} from '../../lib/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

const words = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => tinyWords[(from + i * 7) % tinyWords.length]).join(' ')
const column = (rows: number, offset: number, long = 0) =>
  Array.from({ length: rows }, (_, i) => words(i + offset, i < long ? 30 : 4))

async function load(t: ExecutionContext): Promise<SentenceTransformer> {
  const model = await SentenceTransformer.load(await tinyFolder(join(await temporaryFolder(t), 'model')))
  t.teardown(() => model.dispose())
  return model
}

test('a real run: events, files, the time split and warnings', async (t) => {
  const model = await load(t)
  const outputDir = await temporaryFolder(t)
  const trainer = new SentenceTransformerTrainer({
    model,
    // 10 of 32 anchors are longer than the 24 tokens that the model reads.
    trainDataset: Dataset.fromColumns({ anchor: column(32, 0, 10), positive: column(32, 1) }),
    evalDataset: Dataset.fromColumns({ anchor: column(8, 3), positive: column(8, 5) }),
    loss: new losses.MultipleNegativesRankingLoss(),
    progress: false,
    args: {
      ...{ outputDir, maxSteps: 8, perDeviceTrainBatchSize: 4, loggingSteps: 4, evalStrategy: 'steps', evalSteps: 8 },
      ...{ saveStrategy: 'no', reportTo: ['jsonl', 'tensorboard'], loggingDir: join(outputDir, 'log') },
      ...{ logTimings: true, gradientAccumulationSteps: 2 },
    },
  })
  const events: TrainingEvent[] = []
  for await (const event of trainer.run()) events.push(event)

  const codes = events.flatMap((event) => (event.type === 'warning' ? [event.warning.code] : []))
  t.deepEqual(codes.sort(), ['WARN_ACCUMULATION_NEGATIVES', 'WARN_EVAL_LEAK', 'WARN_TRUNCATION'])
  t.is(events.filter(({ type }) => type === 'step').length, 8)
  const [log] = events.flatMap((event) => (event.type === 'log' ? [event.record] : []))
  t.deepEqual(Object.keys(log!), [
    ...['loss', 'grad_norm', 'learning_rate', 'time_data', 'time_tokenize', 'time_forward', 'time_backward'],
    ...['time_optimizer', 'time_wait', 'tokens_per_second', 'epoch'],
  ])
  t.true(log!.time_forward! > 0 && log!.time_backward! > 0 && log!.tokens_per_second! > 0)
  const last = events.at(-1)!
  t.is(last.type === 'trainEnd' ? last.result.globalStep : 0, 8)

  const lines = readFileSync(join(outputDir, 'log', 'log.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
  t.deepEqual(
    lines.map((line) => JSON.parse(line).step),
    [4, 8, 8, 8],
  )
  t.true(readdirSync(join(outputDir, 'log')).some((name) => name.startsWith('events.out.tfevents.')))
})

test('a real run stops after the running step when the loop is left, and the model can be used', async (t) => {
  const model = await load(t)
  const trainer = new SentenceTransformerTrainer({
    model,
    trainDataset: Dataset.fromColumns({ anchor: column(64, 0), positive: column(64, 1) }),
    loss: new losses.MultipleNegativesRankingLoss(),
    progress: false,
    args: { maxSteps: 10_000, perDeviceTrainBatchSize: 4, saveStrategy: 'no' },
  })
  let seen = 0
  for await (const event of trainer.run()) {
    seen = event.step
    if (event.step >= 3) break
  }
  t.true(seen >= 3 && seen < 50)
  t.is((await model.encode(['the red cat'])).shape[0], 1)
})

test('level info says what transformers says', async (t) => {
  const model = await load(t)
  const outputDir = await temporaryFolder(t)
  const written: string[] = []
  const trainer = new SentenceTransformerTrainer({
    model,
    trainDataset: Dataset.fromColumns({ anchor: column(8, 0), positive: column(8, 1) }),
    loss: new losses.MultipleNegativesRankingLoss(),
    progress: { isTTY: true, columns: 80, write: (text) => written.push(text) },
    args: {
      ...{ outputDir, numTrainEpochs: 2, perDeviceTrainBatchSize: 4, disableTqdm: true },
      ...{ logLevel: 'info', saveSteps: 2, saveTotalLimit: 1 },
    },
  })
  await trainer.train()
  const text = written.join('')
  t.true(
    text.startsWith(
      '***** Running training *****\n  Num examples = 8\n  Num Epochs = 2\n  Num update steps per epoch = 2\n' +
        '  Instantaneous batch size per device = 4\n' +
        '  Total train batch size (w. parallel, distributed & accumulation) = 4\n' +
        '  Gradient Accumulation steps = 1\n  Total optimization steps = 4\n  Number of trainable parameters = 20,',
    ),
    text,
  )
  t.true(text.includes(`Saving model checkpoint to ${join(outputDir, 'checkpoint-4')}\n`))
  t.true(text.includes(`Deleting older checkpoint [${join(outputDir, 'checkpoint-2')}] due to args.save_total_limit\n`))
  t.true(text.includes('Training completed. Do not forget to share your model on huggingface.co/models =)'))
})

test('a real run pauses between steps and goes on; the model works meanwhile', async (t) => {
  const model = await load(t)
  const steps: number[] = []
  const trainer = new SentenceTransformerTrainer({
    model,
    trainDataset: Dataset.fromColumns({ anchor: column(64, 0), positive: column(64, 1) }),
    loss: new losses.MultipleNegativesRankingLoss(),
    progress: false,
    args: { maxSteps: 12, perDeviceTrainBatchSize: 4, saveStrategy: 'no' },
    callbacks: [
      {
        onStepEnd: ({ state }) => {
          steps.push(state.globalStep)
          if (state.globalStep === 5) trainer.pause()
        },
      },
    ],
  })
  const training = trainer.train()
  for (let i = 0; i < 1000 && steps.length < 6; i++) await setTimeout(5)
  const before = await model.encode(['the red cat'])
  await setTimeout(50)
  t.is(steps.at(-1), 6)
  t.deepEqual((await model.encode(['the red cat'])).data, before.data)
  trainer.resume()
  t.is((await training).globalStep, 12)
})
