// The peak of a process that trains within a limit, as the system counts it.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import {
  CrossEncoder,
  CrossEncoderTrainer,
  Dataset,
  losses,
  SentenceTransformer,
  SentenceTransformerTrainer,
} from '../../lib/index.js'
import { loadAddon } from '../../lib/native/load.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { tinyFolder } from '../helpers/tiny-folder.js'
import { tinyEncoder, tinySpec, tinyTrainerSpec } from '../helpers/tiny-model.js'

const MB = 2 ** 20
/** What the system counts may be so much above the limit. */
const TOLERANCE = 1.05
const INDEX = new URL('../../lib/index.js', import.meta.url).href
const sizes = {
  ...{ hidden_size: 192, intermediate_size: 768, num_hidden_layers: 6, num_attention_heads: 3 },
  max_position_embeddings: 128,
}

/** The program's answer: the peak of the process, before and after, and what the engine was told. */
interface Answer {
  before: number
  peak: number
  loss: number
  error?: { code: string; message: string }
}

/**
 * Trains on 64 texts of 128 tokens at once, in a process of its own.
 * @param limit beyond what the process has; null: none
 * @param change a statement about `model` before the training
 */
function train(folder: string, limit: number | null, more: object = {}, change = ''): Answer {
  const program = `
    import { readFileSync } from 'node:fs'
    import { Dataset, losses, SentenceTransformer, SentenceTransformerTrainer } from ${JSON.stringify(INDEX)}
    const peak = () => Number(/VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024
    const model = await SentenceTransformer.load(${JSON.stringify(folder)})
    model.maxSeqLength = 128
    ${change}
    const text = (i) => Array.from({ length: 126 }, (_, k) => (i * 7 + k) % 2 ? 'red' : 'cat').join(' ')
    const rows = Array.from({ length: 32 }, (_, i) => i)
    const trainDataset = Dataset.fromColumns({ a: rows.map(text), b: rows.map((i) => text(i + 1)) })
    await model.encode(['red', 'cat'])
    const before = process.memoryUsage.rss()
    const limit = ${limit}
    const args = {
      ...{ outputDir: 'unused', saveStrategy: 'no', maxSteps: 2, perDeviceTrainBatchSize: 32, loggingSteps: 1, learningRate: 1e-4 },
      ...(limit !== null && { memoryLimit: before + limit }),
      ...${JSON.stringify(more)},
    }
    const loss = new losses.MultipleNegativesRankingLoss()
    const trainer = new SentenceTransformerTrainer({ model, args, trainDataset, loss, progress: false })
    const answer = { before }
    try {
      answer.loss = (await trainer.train()).trainingLoss
    } catch ({ code, message }) {
      answer.error = { code, message }
    }
    console.log(JSON.stringify({ ...answer, peak: peak() }))
  `
  const found = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  return JSON.parse(found) as Answer
}

const onLinux = existsSync('/proc/self/status') ? test : test.skip

onLinux('training stays below its limit, with the same losses, and is refused where nothing fits', async (t) => {
  const folder = await tinyFolder(join(await temporaryFolder(t), 'model'), 1, sizes)
  const free = train(folder, null)
  const grown = free.peak - free.before
  t.log(`without a limit: ${Math.round(grown / MB)} MB beside ${Math.round(free.before / MB)}`)
  for (const limit of [400 * MB, 240 * MB, 140 * MB]) {
    t.true(grown > 1.2 * limit, 'a limit that changes something')
    const { before, peak, loss, error } = train(folder, limit)
    t.is(error, undefined, error?.message)
    t.log(`${limit / MB} MB: ${Math.round((peak - before) / MB)} MB`)
    t.true(peak <= TOLERANCE * (before + limit), `${Math.round((peak - before) / MB)} MB, allowed ${limit / MB}`)
    t.true(Math.abs(loss - free.loss) < 1e-4 * free.loss, `${loss}, ${free.loss}`)
  }
  const { error, before, peak } = train(folder, 40 * MB)
  t.is(error?.code, 'ERR_INVALID_ARGUMENT')
  const least = Number(/at least (\d+) for memoryLimit/.exec(error!.message)?.[1])
  t.true(least > before && peak < before + 40 * MB, 'refused before anything was allocated')
  // The least that it names is enough.
  t.is(train(folder, least - before + 8 * MB).error, undefined)
})

onLinux('bfloat16 and checkpointing within a limit', async (t) => {
  const folder = await tinyFolder(join(await temporaryFolder(t), 'model'), 1, sizes)
  for (const more of [{ bf16: true }, { gradientCheckpointing: true }]) {
    const { before, peak, error } = train(folder, 160 * MB, more)
    t.is(error, undefined, error?.message)
    t.log(`${JSON.stringify(more)}: ${Math.round((peak - before) / MB)} MB`)
    t.true(peak <= TOLERANCE * (before + 160 * MB))
  }
})

onLinux('an adapter within a limit', async (t) => {
  const folder = await tinyFolder(join(await temporaryFolder(t), 'model'), 1, sizes)
  const { before, peak, error } = train(folder, 130 * MB, {}, 'await model.addAdapter({ r: 8 })')
  t.is(error, undefined, error?.message)
  t.log(`${Math.round((peak - before) / MB)} MB`)
  t.true(peak <= TOLERANCE * (before + 130 * MB))
})

test('what the engine says of training, before it begins', async (t) => {
  const addon = loadAddon()
  const encoder = await tinyEncoder(addon, tinySpec({ num_hidden_layers: 6 }, { device: 'cpu' }))
  const spec = tinyTrainerSpec({ type: 'SoftmaxLoss', numLabels: 3 })
  const adamw = new addon.Trainer(encoder, spec)
  const numbers = adamw
    .tensors()
    .filter(({ name }) => name.startsWith('grad.'))
    .reduce((sum, { shape }) => sum + shape.reduce((product, n) => product * n, 1), 0)
  const memory = adamw.memory(2, 8)
  // Gradients and two moments; what a loss owns is padded to whole lines of the cache.
  t.true(memory.fixed >= 12 * numbers && memory.fixed < 12 * numbers + 4096, `${memory.fixed}, ${12 * numbers}`)
  t.true(memory.perTokenRecomputed > 0 && memory.perTokenRecomputed < memory.perToken)
  t.true(memory.perToken > encoder.trainingBytesPerToken)
  t.is(adamw.memory(2, 16).loss, 8 * 2 * 16 * (16 + 32) * 4)
  const frozen = Object.fromEntries(encoder.tensors().map(({ name }) => [name, -1]))
  adamw.setGroups([0, 0], frozen)
  t.true(adamw.memory(2, 8).fixed < memory.fixed / 10)
  t.throws(() => adamw.memory(0, 8), { code: 'ERR_INVALID_ARGUMENT', message: /columns/ })
  t.throws(() => adamw.memory(1, 0.5), { code: 'ERR_INVALID_ARGUMENT', message: /rows/ })
  await adamw.counters()
  t.throws(() => adamw.memory(2, 8), { code: 'ERR_INVALID_ARGUMENT', message: /before the first job/ })
  await adamw.dispose()
  const sgd = new addon.Trainer(encoder, { ...spec, optimizer: { type: 'sgd' } })
  t.true(Math.abs(3 * sgd.memory(2, 8).fixed - memory.fixed) < 4096)
  await sgd.dispose()
  const bf16 = new addon.Trainer(encoder, { ...spec, precision: 'bfloat16' })
  t.true(bf16.memory(2, 8).fixed > memory.fixed)
  t.true(bf16.memory(2, 8).perToken < memory.perToken)
  await bf16.dispose()
})

test('a pair of a cross-encoder has its own length', async (t) => {
  const folder = await tinyFolder(join(await temporaryFolder(t), 'model'))
  const model = await CrossEncoder.load(folder, { device: 'cpu', numLabels: 1, maxLength: 17 })
  const trainer = new CrossEncoderTrainer({
    ...{ model, progress: false as const },
    trainDataset: Dataset.fromColumns({ a: ['red', 'cat'], b: ['red', 'dog'], label: [1, 0] }),
    args: { outputDir: 'unused', saveStrategy: 'no', memoryLimit: 1 },
  })
  await t.throwsAsync(trainer.train(), { code: 'ERR_INVALID_ARGUMENT', message: /memoryLimit.*text of 17 tokens/ })
})

test('losses whose memory is not known are refused with a limit', async (t) => {
  const folder = await tinyFolder(join(await temporaryFolder(t), 'model'))
  const model = await SentenceTransformer.load(folder, { device: 'cpu' })
  const trainer = new SentenceTransformerTrainer({
    ...{ model, loss: new losses.ContrastiveTensionLoss(), progress: false as const },
    trainDataset: Dataset.fromColumns({ a: ['red', 'cat'], b: ['red', 'dog'], label: [1, 0] }),
    args: { outputDir: 'unused', saveStrategy: 'no', memoryLimit: 4e9 },
  })
  await t.throwsAsync(trainer.train(), {
    code: 'ERR_NOT_IMPLEMENTED',
    message: /ContrastiveTensionLoss.*miniBatchTokens/,
  })
})

test('a run that goes on within the same limit keeps its cuts, whatever the process has meanwhile', async (t) => {
  const folder = await temporaryFolder(t)
  const cutOf = async (step: number) => {
    const path = join(folder, 'run', `checkpoint-${step}`, 'trainer_state.json')
    return JSON.parse(await readFile(path, 'utf8')).stateful_callbacks.sentence_torch.miniBatch as unknown
  }
  const train = async (maxSteps: number, memoryLimit: number, resumeFromCheckpoint: boolean) => {
    const model = await SentenceTransformer.load(await tinyFolder(join(folder, 'model')), { device: 'cpu' })
    await new SentenceTransformerTrainer({
      ...{ model, loss: new losses.MultipleNegativesRankingLoss(), progress: false as const },
      trainDataset: Dataset.fromColumns({ a: ['red', 'cat', 'dog', 'man'], b: ['cat', 'red', 'man', 'dog'] }),
      args: { outputDir: join(folder, 'run'), maxSteps, saveSteps: 1, perDeviceTrainBatchSize: 2, memoryLimit },
    }).train({ resumeFromCheckpoint })
    await model.dispose()
  }
  await train(1, 8e9, false)
  const ballast = Buffer.alloc(64 * MB, 1)
  await train(2, 8e9, true)
  t.is(ballast[0], 1)
  t.deepEqual(await cutOf(2), await cutOf(1))
  await train(3, 9e9, true)
  t.notDeepEqual(await cutOf(3), await cutOf(2))
})
