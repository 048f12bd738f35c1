// A training that is ended again and again, at whatever moment, comes to the same end, and leaves nothing behind.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import {
  Dataset,
  losses,
  SentenceTransformer,
  SentenceTransformerTrainer,
  type TrainerCallback,
  type TrainingArguments,
} from '../../lib/index.js'
import { openSafetensors } from '../../lib/io/safetensors.js'
import { listCheckpoints } from '../../lib/training/checkpoint/rotation.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import type { RunRequest } from '../helpers/resume-worker.js'
import { runWorker } from '../helpers/run-worker.js'
import { tinyFolder } from '../helpers/tiny-folder.js'

const folder = await tinyFolder(mkdtempSync(join(tmpdir(), 'sentence-torch-')))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))

async function weightsIn(model: string): Promise<Record<string, Buffer>> {
  const file = await openSafetensors(join(model, 'model.safetensors'))
  const found: Record<string, Buffer> = {}
  for (const name of file.tensors.keys()) found[name] = Buffer.from(await file.read(name))
  await file.close()
  return found
}

const common: Partial<TrainingArguments> = {
  ...{ perDeviceTrainBatchSize: 4, learningRate: 1e-3, warmupSteps: 0.2, maxSteps: 40, saveTotalLimit: 2 },
}

for (const [signal, given] of [
  ['SIGKILL', { saveSteps: 1 }],
  // No checkpoints but those of the signals.
  ['SIGTERM', { saveStrategy: 'no', handleSignals: true }],
] as [NodeJS.Signals, Partial<TrainingArguments>][]) {
  test(`${signal} at many moments, resumed each time: equal weights, and nothing temporary is left`, async (t) => {
    t.timeout(300_000)
    const root = await temporaryFolder(t)
    const request = (name: string, more: Partial<RunRequest> = {}): RunRequest => ({
      ...{ model: folder, data: 'datasets', log: join(root, `${name}.jsonl`), signal },
      ...more,
      args: { ...common, ...given, outputDir: join(root, name), ...more.args },
    })
    t.is(await runWorker(request('whole', { save: join(root, 'whole-model') })), 0)
    const outputDir = join(root, 'cut')
    let kills = 0
    let last = 0
    for (let i = 0; i < 5; i++) {
      const moment = signal === 'SIGKILL' ? { killAfter: (i * 37) % 61 } : { killAtStep: last + 1 + ((i * 5) % 7) }
      const ended = await runWorker(request('cut', { ...moment, args: { resumeFromCheckpoint: i > 0 } }))
      if (ended === 0) break
      t.is(ended, signal)
      kills++
      last = Number((await listCheckpoints(outputDir)).at(-1)!.split('-')[1])
    }
    t.true(kills > 2)
    const end = request('cut', { save: join(root, 'cut-model'), args: { resumeFromCheckpoint: true } })
    t.is(await runWorker(end), 0)
    t.deepEqual(await weightsIn(join(root, 'cut-model')), await weightsIn(join(root, 'whole-model')))
    const names = readdirSync(outputDir)
    t.true(names.every((name) => /^checkpoint-\d+$/.test(name)) && names.length <= 3, names.join())
    t.deepEqual(
      readdirSync(root).filter((name) => name.startsWith('.')),
      [],
    )
  })
}

test('two trainers of one process in one folder: the second is refused, until the first has ended', async (t) => {
  const outputDir = join(await temporaryFolder(t), 'out')
  const texts = ['the cat', 'a dog', 'rain', 'snow']
  const models = await Promise.all([1, 2].map(() => SentenceTransformer.load(folder)))
  t.teardown(() => Promise.all(models.map((model) => model.dispose())))
  const trainerOf = (model: SentenceTransformer, callbacks: TrainerCallback[] = []) =>
    new SentenceTransformerTrainer({
      ...{ model, callbacks, progress: false, loss: new losses.MultipleNegativesRankingLoss() },
      trainDataset: Dataset.fromColumns({ anchor: texts, positive: [...texts].reverse() }),
      args: { outputDir, maxSteps: 2, saveSteps: 1 },
    })
  const second = trainerOf(models[1]!)
  let refused: Promise<unknown> | undefined
  const onSave = async () => {
    refused ??= t.throwsAsync(second.train(), { code: 'ERR_BUSY', message: /another trainer of this process/ })
    await refused
  }
  await trainerOf(models[0]!, [{ onSave }]).train()
  t.truthy(refused)
  t.is((await second.train({ resumeFromCheckpoint: join(outputDir, 'checkpoint-1') })).globalStep, 2)
  t.deepEqual(readdirSync(outputDir).sort(), ['checkpoint-1', 'checkpoint-2'])
})
