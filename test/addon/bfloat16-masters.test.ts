// A model in bfloat16 of a file in bfloat16 has no float32 weights until a trainer needs them; everything that reads weights gives
// what it gives where they are there from the start.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import {
  CrossEncoder,
  CrossEncoderTrainer,
  Dataset,
  losses,
  type Pair,
  SentenceTransformer,
  SentenceTransformerTrainer,
} from '../../lib/index.js'
import { openSafetensors, type TensorSource, writeSafetensors } from '../../lib/io/safetensors.js'
import { loadAddon } from '../../lib/native/load.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { tinyFolder } from '../helpers/tiny-folder.js'

const GOLDEN = fileURLToPath(new URL('../../../test/parity/golden/logit-score/', import.meta.url))
const INDEX = pathToFileURL(fileURLToPath(new URL('../../lib/index.js', import.meta.url))).href

/** Writes the weights of a folder in bfloat16, or the same values in float32. */
async function rewrite(folder: string, dtype: 'BF16' | 'F32'): Promise<string> {
  const file = join(folder, 'model.safetensors')
  const opened = await openSafetensors(file)
  const sources: TensorSource[] = []
  for (const [name, { shape }] of opened.tensors) {
    const bytes = shape.reduce((product, n) => product * n, 4)
    const read = await opened.read(name, 0, bytes)
    const words = new Uint32Array(read.slice().buffer)
    // To the nearest, of two equally near ones the even: what engine and Python do.
    const halves = Uint16Array.from(words, (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16)
    const data = dtype === 'BF16' ? halves : Uint32Array.from(halves, (half) => half << 16)
    sources.push({
      name,
      dtype,
      shape,
      data: async function* () {
        yield new Uint8Array(data.buffer)
      },
    })
  }
  await opened.close()
  await writeSafetensors(file, sources, { format: 'pt' })
  return folder
}

/** A model's folder twice: in bfloat16, and with the same values in float32, for which the engine makes masters at once. */
async function both(t: ExecutionContext, make: (folder: string) => Promise<unknown>): Promise<[string, string]> {
  const root = await temporaryFolder(t)
  const folders = ['half', 'whole'].map((name) => join(root, name)) as [string, string]
  await mkdir(folders[0])
  await make(folders[0])
  await cp(folders[0], folders[1], { recursive: true })
  return [await rewrite(folders[0], 'BF16'), await rewrite(folders[1], 'F32')]
}

const texts = [
  'the cat',
  'the dog sat on the mat',
  'a man plays',
  'the red house',
  'the field',
  'a big dog',
  'the flute',
  'run',
]
const trainDataset = Dataset.fromColumns({ anchor: texts, positive: texts.map((text) => `${text} a`) })
const pairs = texts.map((text, i): Pair => [text, texts[(i + 3) % texts.length]!])
const pairRows = Dataset.fromColumns({
  ...{ a: pairs.map(([a]) => a), b: pairs.map(([, b]) => b) },
  label: pairs.map((_, i) => (i % 3) / 2),
})

type Args = Record<string, unknown>

async function trained(t: ExecutionContext, model: SentenceTransformer, args: Args = {}): Promise<number[]> {
  const found: number[] = []
  const trainer = new SentenceTransformerTrainer({
    ...{ model, trainDataset, loss: new losses.MultipleNegativesRankingLoss(), progress: false as const },
    args: {
      ...{ outputDir: await temporaryFolder(t), maxSteps: 6, perDeviceTrainBatchSize: 4, learningRate: 5e-3, seed: 5 },
      ...{ saveStrategy: 'no' as const, loggingSteps: 1, ...args },
    },
    callbacks: [{ onLog: ({ loss }) => void (typeof loss === 'number' && found.push(loss)) }],
  })
  await trainer.train()
  return found
}

const vectors = async (model: SentenceTransformer) => [...(await model.encode(texts)).data]
const bytesOf = (folder: string) => readFile(join(folder, 'model.safetensors'))

/** Runs the same on both models, and compares what it gives. */
async function same(
  t: ExecutionContext,
  work: (model: SentenceTransformer, folder: string) => Promise<unknown>,
): Promise<void> {
  const found: unknown[] = []
  for (const folder of await both(t, (path) => tinyFolder(path))) {
    await using model = await SentenceTransformer.load(folder, { dtype: 'bfloat16' })
    found.push(await work(model, folder))
  }
  t.deepEqual(found[0], found[1])
}

test('embeddings and saved files', (t) =>
  same(t, async (model) => {
    const target = join(await temporaryFolder(t), 'saved')
    const before = await vectors(model)
    await model.save(target)
    await using again = await SentenceTransformer.load(target)
    return [before, await bytesOf(target), await vectors(again)]
  }))

for (const [name, args] of [
  ['in bfloat16', {}],
  ['in float32', { bf16: false }],
  ['with frozen parameters', { freeze: /word_embeddings|attention/ }],
  ['of two batches a step', { gradientAccumulationSteps: 2 }],
] as const) {
  test(`losses, weights and saved files of a training ${name}`, (t) =>
    same(t, async (model) => {
      const target = join(await temporaryFolder(t), 'saved')
      const found = await trained(t, model, args)
      await model.save(target)
      return [found, await bytesOf(target), await vectors(model)]
    }))
}

test('a training that goes on from a checkpoint is the one that was not stopped', (t) =>
  same(t, async (model, folder) => {
    const outputDir = await temporaryFolder(t)
    const whole = await trained(t, model, { outputDir, saveStrategy: 'steps', saveSteps: 3 })
    const wholeVectors = await vectors(model)
    await using again = await SentenceTransformer.load(folder, { dtype: 'bfloat16' })
    const rest = await trained(t, again, { outputDir, resumeFromCheckpoint: join(outputDir, 'checkpoint-3') })
    t.deepEqual(await vectors(again), wholeVectors)
    return [whole, rest]
  }))

test('adapters: training, merging, and a full training after it', (t) =>
  same(t, async (model) => {
    await model.addAdapter({ r: 4, alpha: 16, seed: 3, targetModules: ['query', 'value'] })
    const first = await trained(t, model)
    const adapted = await vectors(model)
    await model.merge()
    const merged = await vectors(model)
    return [first, adapted, merged, await trained(t, model), await vectors(model)]
  }))

test('weights with more digits than bfloat16 get masters, whenever they come', async (t) => {
  const [half] = await both(t, (path) => tinyFolder(path))
  const exact = join(await temporaryFolder(t), 'exact')
  await mkdir(exact)
  await tinyFolder(exact)
  await using model = await SentenceTransformer.load(half, { dtype: 'bfloat16' })
  await model.loadWeights(exact)
  const target = join(await temporaryFolder(t), 'saved')
  await model.save(target)
  await using whole = await SentenceTransformer.load(exact)
  await using again = await SentenceTransformer.load(target)
  t.deepEqual(await vectors(again), await vectors(whole))
})

for (const name of ['qwen3', 'qwen2', 'gemma3']) {
  test(`language models that score: ${name}`, async (t) => {
    const found: unknown[] = []
    for (const folder of await both(t, (path) => cp(join(GOLDEN, name), path, { recursive: true }))) {
      await using model = await CrossEncoder.load(folder, { dtype: 'bfloat16' })
      const before = [...(await model.predict(pairs)).data]
      const trainer = new CrossEncoderTrainer({
        ...{ model, trainDataset: pairRows, progress: false as const },
        args: {
          ...{ outputDir: await temporaryFolder(t), maxSteps: 6, perDeviceTrainBatchSize: 4, seed: 5 },
          ...{ learningRate: 2e-3, saveStrategy: 'no' },
        },
      })
      await trainer.train()
      found.push([before, [...(await model.predict(pairs)).data]])
    }
    t.deepEqual(found[0], found[1])
  })
}

test('loading takes at most 1.3 times the weights in bfloat16', async (t) => {
  if (!existsSync('/proc/self/status')) return t.pass('skipped: the peak of memory is read from /proc')
  const folder = join(await temporaryFolder(t), 'large')
  await cp(join(GOLDEN, 'qwen3'), folder, { recursive: true })
  const file = join(folder, 'config.json')
  const sizes = {
    hidden_size: 768,
    intermediate_size: 3072,
    num_hidden_layers: 8,
    num_attention_heads: 12,
    head_dim: 64,
  }
  const { layer_types, ...others } = JSON.parse(await readFile(file, 'utf8'))
  const config = { ...others, ...sizes, num_key_value_heads: 4 }
  await writeFile(file, JSON.stringify(config))
  const spec = { architecture: 'qwen3', config, modules: [{ type: 'LogitScore', trueTokenId: 1, falseTokenId: 2 }] }
  const encoder = new (loadAddon().Encoder)({ ...spec, pooler: false, device: 'cpu', dtype: 'float32' })
  const tensors = encoder.tensors().map(({ name, shape }) => ({ name: `model.${name.slice(2)}`, shape }))
  await encoder.dispose()
  const size = ({ shape }: { shape: number[] }) => shape.reduce((product, n) => product * n, 2)
  const total = tensors.reduce((sum, tensor) => sum + size(tensor), 0)
  // 0x3c00 is a small number in bfloat16.
  const sources = tensors.map((tensor): TensorSource => {
    const data = async function* () {
      yield new Uint8Array(new Uint16Array(size(tensor) / 2).fill(0x3c00).buffer)
    }
    return { name: tensor.name, dtype: 'BF16', shape: tensor.shape, data }
  })
  await writeSafetensors(join(folder, 'model.safetensors'), sources, { format: 'pt' })
  const program = `
    import { readFileSync } from 'node:fs'
    import { CrossEncoder } from ${JSON.stringify(INDEX)}
    const peak = () => Number(/VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024
    const small = await CrossEncoder.load(${JSON.stringify(join(GOLDEN, 'qwen3'))}, { dtype: 'bfloat16' })
    const before = peak()
    const model = await CrossEncoder.load(${JSON.stringify(folder)}, { dtype: 'bfloat16' })
    console.log(peak() - before)
  `
  const grown = Number(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }))
  t.log(`${(grown / total).toFixed(2)} times ${(total / 1e6).toFixed(0)} MB`)
  t.true(total > 120e6)
  t.true(grown <= 1.3 * total, `${grown} of ${total}`)
})
