import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import {
  losses,
  SentenceTransformer,
  SentenceTransformerTrainer,
  type TrainingAbortedError,
  type TrainingArguments,
} from '../../lib/index.js'
import { openSafetensors } from '../../lib/io/safetensors.js'
import { newestCheckpoint, recoverCheckpoints } from '../../lib/training/checkpoint/rotation.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import type { RunRequest } from '../helpers/resume-worker.js'
import { runWorker } from '../helpers/run-worker.js'
import { tinyFolder } from '../helpers/tiny-folder.js'

const folder = await tinyFolder(mkdtempSync(join(tmpdir(), 'sentence-torch-')))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))

const lines = (path: string): { step: number; loss?: number }[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

async function tensorsOf(path: string): Promise<Record<string, Buffer>> {
  const file = await openSafetensors(path)
  const found: Record<string, Buffer> = {}
  for (const name of file.tensors.keys()) found[name] = Buffer.from(await file.read(name))
  await file.close()
  return found
}

const common: Partial<TrainingArguments> = {
  ...{ perDeviceTrainBatchSize: 4, gradientAccumulationSteps: 2, learningRate: 1e-3, warmupSteps: 0.2 },
  ...{ weightDecay: 0.01, loggingSteps: 1, saveSteps: 3 },
}
const adapter = { r: 4, dropout: 0.2, targetModules: 'all-linear' }
const cases: [string, RunRequest['data'], Partial<TrainingArguments>, Partial<RunRequest>?][] = [
  ['two datasets with a loss each', 'datasets', { numTrainEpochs: 3 }],
  ['gradient caching', 'datasets', { numTrainEpochs: 3, miniBatchSize: 3 }],
  ['gradient caching chosen by itself', 'datasets', { numTrainEpochs: 2, miniBatchSize: 'auto' }],
  ['rmsprop, groups, frozen layers', 'datasets', { numTrainEpochs: 2, optim: 'rmsprop', freeze: ['embeddings'] }],
  ['gradients of losses as in st-6.0.1', 'datasets', { numTrainEpochs: 2, compat: 'st-6.0.1' }],
  ['a stream', 'stream', { maxSteps: 8 }],
  ['losses that predict tokens', 'targets', { numTrainEpochs: 2 }],
  ['a loss with a model of its own, losses that draw', 'twins', { numTrainEpochs: 3 }],
  ['a loss in TypeScript', 'custom', { numTrainEpochs: 3 }],
  ['an adapter', 'datasets', { numTrainEpochs: 2 }, { adapter }],
  ['an adapter, and its twin', 'twins', { numTrainEpochs: 2 }, { adapter }],
]
for (const [name, data, given, others = {}] of cases) {
  test.serial(`killed and resumed in a new process: the same losses and weights, bit for bit: ${name}`, async (t) => {
    const outputDir = await temporaryFolder(t)
    const request = (run: string, more: Partial<RunRequest> = {}): RunRequest => ({
      ...{ model: folder, data, log: join(outputDir, `${run}.jsonl`), ...others },
      args: { ...common, ...given, outputDir: join(outputDir, run) },
      ...more,
    })
    t.is(await runWorker(request('whole', { save: join(outputDir, 'whole-model') })), 0)
    t.is(await runWorker(request('cut', { killAtStep: 5 })), 'SIGKILL')
    t.is(await newestCheckpoint(join(outputDir, 'cut')), join(outputDir, 'cut', 'checkpoint-3'))
    const again = request('cut', { save: join(outputDir, 'cut-model'), log: join(outputDir, 'again.jsonl') })
    t.is(await runWorker({ ...again, args: { ...again.args, resumeFromCheckpoint: true } }), 0)

    const whole = lines(join(outputDir, 'whole.jsonl'))
    t.true(
      whole.length > 6 && whole.every(({ loss, step }) => step > 0 && (loss === undefined || Number.isFinite(loss))),
    )
    t.deepEqual(
      lines(join(outputDir, 'again.jsonl')),
      whole.filter(({ step }) => step > 3),
    )
    const file = others.adapter ? 'adapter_model.safetensors' : 'model.safetensors'
    const weights = async (run: string) => tensorsOf(join(outputDir, run, file))
    t.deepEqual(await weights('cut-model'), await weights('whole-model'))
    const last = whole.at(-1)!.step
    const files = ['optimizer.safetensors', 'loss.safetensors']
    for (const file of files) {
      const [one, other] = ['whole', 'cut'].map((run) => join(outputDir, run, `checkpoint-${last}`, file))
      t.is(existsSync(one!), existsSync(other!))
      if (existsSync(one!)) t.deepEqual(await tensorsOf(one!), await tensorsOf(other!))
    }
  })
}

test.serial('killed at any moment of saving, the newest checkpoint is whole', async (t) => {
  t.timeout(300_000)
  const outputDir = await temporaryFolder(t)
  const args = { ...common, maxSteps: 100_000, saveSteps: 1, saveTotalLimit: 2, gradientAccumulationSteps: 1 } as const
  /** Ten times the same run, killed each time, going on from where it came to. */
  const chain = async (number: number) => {
    const folderOfRun = join(outputDir, `run-${number}`)
    let last = 0
    for (let i = 0; i < 10; i++) {
      const request: RunRequest = {
        ...{ model: folder, data: 'datasets', log: join(outputDir, `${number}.jsonl`) },
        killAfter: ((number + 5 * i) * 37) % 61,
        args: { ...args, outputDir: folderOfRun, resumeFromCheckpoint: i > 0 },
      }
      t.is(await runWorker(request), 'SIGKILL')
      await recoverCheckpoints(folderOfRun)
      const others = readdirSync(folderOfRun).filter((name) => !/^checkpoint-\d+$/.test(name))
      t.deepEqual(others, ['.sentence-torch.lock'], 'the lock alone is left for the next run')
      const newest = await newestCheckpoint(folderOfRun)
      const model = await SentenceTransformer.load(newest)
      t.true((await model.encode('the cat')).every(Number.isFinite))
      await model.dispose()
      t.true(Object.keys(await tensorsOf(join(newest, 'optimizer.safetensors'))).length > 10)
      const step = Number(newest.split('-').at(-1))
      t.true(step > last, 'it went on from the one before it')
      last = step
    }
  }
  await Promise.all([0, 1, 2, 3, 4].map(chain))
})

test.serial('the best model is loaded in the end, with the parameters of its loss', async (t) => {
  await using model = await SentenceTransformer.load(folder)
  const outputDir = await temporaryFolder(t)
  const values = [1, 3, 2]
  const trainer = new SentenceTransformerTrainer({
    model,
    trainDataset: Dataset.fromColumns({ a: ['the cat', 'a dog'], b: ['a cat', 'the dog'], label: [0, 1] }),
    loss: new losses.SoftmaxLoss({ numLabels: 2 }),
    evaluator: { evaluate: async () => ({ metrics: { x: values.shift()! }, primaryMetric: 'x' }) },
    args: {
      ...{ outputDir, maxSteps: 3, evalStrategy: 'steps', evalSteps: 1, saveSteps: 1, learningRate: 1e-2 },
      ...{ lrSchedulerType: 'constant', loadBestModelAtEnd: true, metricForBestModel: 'x' },
    },
    progress: false,
  })
  const { lossTensors } = await trainer.train()
  await using best = await SentenceTransformer.load(join(outputDir, 'checkpoint-2'))
  await using last = await SentenceTransformer.load(join(outputDir, 'checkpoint-3'))
  const vector = (which: SentenceTransformer) => which.encode('the cat')
  t.deepEqual(await vector(model), await vector(best))
  t.notDeepEqual(await vector(model), await vector(last))
  const saved = await tensorsOf(join(outputDir, 'checkpoint-2', 'loss.safetensors'))
  t.deepEqual(Buffer.from(lossTensors['classifier.bias']!.data.buffer), saved['classifier.bias'])
})

test.serial('aborted at any moment and resumed: the same weights, bit for bit', async (t) => {
  const words = Array.from({ length: 40 }, (_, i) => `the cat ${'dog '.repeat(i % 7)}`)
  const trainDataset = Dataset.fromColumns({ a: words, b: [...words].reverse() })
  const train = async (outputDir: string, waits: number[]) => {
    let model = await SentenceTransformer.load(folder)
    const options = {
      trainDataset,
      loss: new losses.MultipleNegativesRankingLoss(),
      progress: false,
      args: { ...common, outputDir, numTrainEpochs: 12, saveStrategy: 'epoch' },
    } as const
    let resume = false
    for (const wait of waits) {
      const controller = new AbortController()
      let begun = false
      const onStepEnd = () => {
        if (!begun) setTimeout(() => controller.abort(), wait)
        begun = true
      }
      const trainer = new SentenceTransformerTrainer({ model, ...options, callbacks: [{ onStepEnd }] })
      const given = { signal: controller.signal, resumeFromCheckpoint: resume }
      const error = await t.throwsAsync<TrainingAbortedError>(trainer.train(given), { name: 'AbortError' })
      t.true(error!.result.globalStep > 0)
      resume = true
      await model.dispose()
      model = await SentenceTransformer.load(folder)
    }
    await new SentenceTransformerTrainer({ model, ...options }).train({ resumeFromCheckpoint: resume })
    await model.save(join(outputDir, 'final'))
    await model.dispose()
    return tensorsOf(join(outputDir, 'final', 'model.safetensors'))
  }
  const root = await temporaryFolder(t)
  const whole = await train(join(root, 'whole'), [])
  t.deepEqual(await train(join(root, 'cut'), [0, 7, 3, 11, 1]), whole)
})

for (const file of ['optimizer.safetensors', 'model.safetensors']) {
  test.serial(`a checkpoint whose ${file} is damaged leaves the model as it was`, async (t) => {
    const outputDir = await temporaryFolder(t)
    const options = {
      trainDataset: Dataset.fromColumns({ a: ['the cat', 'a dog'], b: ['a cat', 'the dog'] }),
      loss: new losses.MultipleNegativesRankingLoss(),
      args: { outputDir, maxSteps: 1, saveSteps: 1, learningRate: 1e-2 },
      progress: false,
    } as const
    await using trained = await SentenceTransformer.load(folder)
    await new SentenceTransformerTrainer({ model: trained, ...options }).train()
    const path = join(outputDir, 'checkpoint-1', file)
    const whole = readFileSync(path)

    await using model = await SentenceTransformer.load(folder)
    const weights = async (name: string) => {
      await model.save(join(outputDir, name))
      return tensorsOf(join(outputDir, name, 'model.safetensors'))
    }
    const before = await weights('before')
    const resume = () => {
      const args = { ...options.args, maxSteps: 2, resumeFromCheckpoint: true }
      return new SentenceTransformerTrainer({ model, ...options, args }).train()
    }
    const length = whole.readUInt32LE()
    const renamed = Buffer.from(whole)
    renamed.write('X', 8 + whole.toString('latin1', 8, 8 + length).indexOf('.weight') + 1)
    const notFinite = Buffer.from(whole)
    notFinite.writeUInt32LE(0x7fc00000, whole.length - 4)
    for (const [damage, bytes, code] of [
      ['cut off', whole.subarray(0, -4), 'ERR_INVALID_FILE'],
      ['of another name', renamed, 'ERR_INVALID_TENSORS'],
      ['NaN', notFinite, 'ERR_INVALID_TENSORS'],
    ] as const) {
      writeFileSync(path, bytes)
      const error = await t.throwsAsync(resume(), undefined, damage)
      t.is((error as { code?: string }).code, code, `${damage}: ${error!.message}`)
      t.true(error!.message.includes(file), `${damage}: ${error!.message}`)
      t.deepEqual(await weights('after'), before, damage)
    }
    writeFileSync(path, whole)
    await resume()
    t.notDeepEqual(await weights('resumed'), before)
  })
}
