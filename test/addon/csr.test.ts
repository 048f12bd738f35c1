// SparseEncoders with a SparseAutoEncoder, made and refused. test/parity/csr.test.ts has their values.
import { cp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import {
  Dataset,
  losses,
  Normalize,
  Pooling,
  Router,
  SentenceTransformer,
  SparseAutoEncoder,
  SparseEncoder,
  SparseEncoderTrainer,
  SpladePooling,
  StaticEmbedding,
  Transformer,
} from '../../lib/index.js'
import { openSafetensors, writeSafetensors } from '../../lib/io/safetensors.js'
import { temporaryFolder } from '../helpers/model-folders.js'

const MEAN = fileURLToPath(new URL('../../../test/parity/golden/csr/mean/', import.meta.url))
const MODULE = '2_SparseAutoEncoder'
const PAIRS = [
  ['the man', 'the man plays guitar .'],
  ['woman flute', 'a woman plays the flute in the field'],
  ['red dog', 'is the big dog red ?'],
  ['small house', 'the house is small'],
] as const
const TEXTS = PAIRS.map(([, text]) => text)
const trainDataset = Dataset.fromRows(PAIRS.map(([anchor, positive]) => ({ anchor, positive })))
const args = { perDeviceTrainBatchSize: 2, learningRate: 1e-3, maxSteps: 6, loggingSteps: 1 } as const

async function copied(t: ExecutionContext): Promise<string> {
  const folder = join(await temporaryFolder(t), 'model')
  await cp(MEAN, folder, { recursive: true })
  return folder
}

async function changed(t: ExecutionContext, change: object, file = join(MODULE, 'config.json')): Promise<string> {
  const folder = await copied(t)
  const path = join(folder, file)
  await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), ...change }))
  return folder
}

/** A copy whose module has other tensors. */
async function withTensors(
  t: ExecutionContext,
  change: (name: string) => { name: string; dtype?: 'F32' } | undefined,
): Promise<string> {
  const folder = await copied(t)
  const path = join(folder, MODULE, 'model.safetensors')
  const file = await openSafetensors(path)
  const sources = []
  for (const [name, { dtype, shape }] of file.tensors) {
    const to = change(name)
    if (!to) continue
    const bytes = to.dtype ? new Uint8Array(4 * shape.reduce((a, b) => a * b, 1)) : await file.read(name)
    sources.push({
      ...{ name: to.name, dtype: to.dtype ?? dtype, shape },
      data: async function* () {
        yield bytes
      },
    })
  }
  await file.close()
  await writeSafetensors(`${path}.new`, sources as never)
  await rename(`${path}.new`, path)
  return folder
}

test('a module of a folder that does not fit is refused with its place', async (t) => {
  const refused = async (folder: string, code: string, message: RegExp) =>
    t.throwsAsync(SparseEncoder.load(folder), { code, message })
  await refused(await changed(t, { k: 65 }), 'ERR_INVALID_MODEL', /config.json has k 65; expected .* from 1 to 64/)
  await refused(await changed(t, { k: 0 }), 'ERR_INVALID_MODEL', /has k 0/)
  await refused(await changed(t, { hidden_dim: 'x' }), 'ERR_INVALID_MODEL', /has hidden_dim "x"/)
  await refused(await changed(t, { k_aux: -1 }), 'ERR_INVALID_MODEL', /has k_aux -1/)
  await refused(await changed(t, { input_dim: 12 }), 'ERR_INVALID_MODEL', /input_dim 12, but its input is 16 wide/)
  await refused(await changed(t, { hidden_dim: 60 }), 'ERR_INVALID_TENSORS', /\[64,16\].*expected \[60,16\]/)
  const only = (left: string) => (name: string) => (name === left ? undefined : { name })
  for (const name of ['decoder.linear.weight', 'stats_last_nonzero', 'pre_bias']) {
    const own = name === 'decoder.linear.weight' ? 'encoder.weight' : name
    await refused(await withTensors(t, only(name)), 'ERR_INVALID_TENSORS', RegExp(`missing: 2.${own}`))
  }
  const floats = await withTensors(t, (name) => (name.startsWith('stats') ? { name, dtype: 'F32' } : { name }))
  await refused(floats, 'ERR_INVALID_TENSORS', /stats_last_nonzero is F32 .* expected I64/)
  const bare = await copied(t)
  await rm(join(bare, MODULE, 'model.safetensors'))
  await refused(bare, 'ERR_INVALID_MODEL', /2_SparseAutoEncoder/)
  await t.throwsAsync(SentenceTransformer.load(MEAN), { code: 'ERR_INVALID_MODEL', message: /use SparseEncoder.load/ })
})

test('the matrix is read under either of its names', async (t) => {
  await using model = await SparseEncoder.load(MEAN)
  const folder = await withTensors(t, (name) => ({ name: name === 'decoder.linear.weight' ? 'encoder.weight' : name }))
  await using other = await SparseEncoder.load(folder)
  t.deepEqual(await other.encode(TEXTS), await model.encode(TEXTS))
})

test('options of a new module are checked', (t) => {
  const bad = (options: object, message: RegExp, code = 'ERR_INVALID_ARGUMENT') =>
    t.throws(() => new SparseAutoEncoder(options as never), { code, message })
  bad({ k: 600 }, /from 1 to 512 for k/)
  bad({ hiddenDim: 0 }, /hiddenDim/)
  bad({ kAux: -1 }, /kAux/)
  bad({ normalize: 1 }, /normalize/)
  bad({ kaux: 1 }, /kaux/, 'ERR_UNKNOWN_OPTION')
  t.like(new SparseAutoEncoder(), { hiddenDim: 512, k: 8, kAux: 512, normalize: false, deadThreshold: 30 })
})

test('a model of parts starts as torch.nn.Linear does, and loads when it is saved', async (t) => {
  const make = async (seed: number) => {
    const parts = [await Transformer.load(MEAN), new Pooling('mean'), new Normalize()] as const
    return SparseEncoder.fromModules([...parts, new SparseAutoEncoder({ hiddenDim: 64, k: 4, kAux: 16 })], { seed })
  }
  await using model = await make(1)
  t.is(model.maxActiveDims, 4)
  t.is(model.embeddingDimension, 64)
  const values = async (of: SparseEncoder, name: string, count: number) => {
    const data = new Float32Array(count)
    await of.encoder.dump([{ name, start: 0, dtype: 'F32', data: new Uint8Array(data.buffer) }])
    return data
  }
  const matrix = await values(model, '3.encoder.weight', 64 * 16)
  t.true(matrix.every((value) => Math.abs(value) <= 0.25))
  t.true(matrix.some((value) => Math.abs(value) > 0.2) && new Set(matrix).size > 900)
  for (const [name, count] of [
    ['pre_bias', 16],
    ['latent_bias', 64],
    ['stats_last_nonzero', 64],
  ] as const)
    t.true((await values(model, `3.${name}`, count)).every((value) => value === 0))
  await using same = await make(1)
  await using other = await make(2)
  const embeddings = await model.encode(TEXTS)
  t.deepEqual(await same.encode(TEXTS), embeddings)
  t.notDeepEqual(await other.encode(TEXTS), embeddings)
  const folder = await temporaryFolder(t)
  await model.save(folder)
  await using again = await SparseEncoder.load(folder)
  t.deepEqual(await again.encode(TEXTS), embeddings)
  t.is(String(again), String(model))
})

test('a table of words has latents, too', async (t) => {
  const embeddingWeights = Float32Array.from({ length: 73 * 6 }, (_, i) => Math.sin(i))
  const table = { data: embeddingWeights, shape: [73, 6] as [number, number] }
  const first = await StaticEmbedding.create({ tokenizer: MEAN, embeddingWeights: table })
  await using model = await SparseEncoder.fromModules([first, new SparseAutoEncoder({ hiddenDim: 24, k: 3 })])
  const folder = await temporaryFolder(t)
  await model.save(folder)
  await using again = await SparseEncoder.load(folder)
  t.deepEqual(await again.encode(TEXTS), await model.encode(TEXTS))
  t.true((await model.encode(TEXTS)).indices.length > 0)
})

test('modules that cannot stand behind each other are refused', async (t) => {
  const transformer = await Transformer.load(MEAN)
  const latents = new SparseAutoEncoder({ hiddenDim: 64 })
  const invalid = (modules: unknown, message: RegExp) =>
    t.throwsAsync(SparseEncoder.fromModules(modules as never), { code: 'ERR_INVALID_ARGUMENT', message })
  await invalid([transformer, latents], /Transformer, SparseAutoEncoder|Pooling/)
  await invalid([transformer, new Pooling('mean'), latents, new Normalize()], /SparseAutoEncoder/)
  await invalid([transformer, new Pooling('mean')], /use SentenceTransformer/)
  await invalid([transformer, new SpladePooling()], /transformerTask: 'fill-mask' before SpladePooling/)
  await invalid([transformer, new Pooling('mean'), new SparseAutoEncoder({ inputDim: 8 })], /input_dim 8/)
  const route = [transformer, new Pooling('mean'), new SparseAutoEncoder({ hiddenDim: 64 })]
  await t.throwsAsync(SparseEncoder.fromModules([Router.forQueryDocument(route, route)]), {
    code: 'ERR_NOT_IMPLEMENTED',
    message: /SparseAutoEncoder: not built in a Router/,
  })
  await t.throwsAsync(SentenceTransformer.fromModules([transformer, new Pooling('mean'), latents]), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /SparseEncoder/,
  })
})

test('how many values there are is said by the call, the model or the module', async (t) => {
  await using model = await SparseEncoder.load(MEAN)
  const most = async (options = {}) => {
    const found = await model.encode(TEXTS, options)
    return Math.max(...TEXTS.map((_, i) => found.row(i).indices.length))
  }
  t.is(await most(), 4)
  t.is(await most({ maxActiveDims: 2 }), 2)
  t.true((await most({ maxActiveDims: 9 })) > 4)
  model.maxActiveDims = null
  t.is(await most(), 4)
  await t.throwsAsync(model.encode(TEXTS, { maxActiveDims: 65 }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /from 1 to 64 for maxActiveDims/,
  })
  const one = await model.encode(TEXTS)
  t.throws(() => model.decode(one), { code: 'ERR_UNSUPPORTED', message: /latents/ })
})

const train = async (model: SparseEncoder, options: object = {}, loss: losses.Loss = new losses.CSRLoss()) => {
  const trainer = new SparseEncoderTrainer({
    model,
    trainDataset,
    loss,
    args: { ...args, ...options },
    progress: false,
  })
  await trainer.train()
  return trainer
}

async function countsOf({ encoder }: SparseEncoder): Promise<BigInt64Array> {
  const { name, shape } = encoder.tensors().find((tensor) => tensor.name.endsWith('.stats_last_nonzero'))!
  const data = new BigInt64Array(shape[0]!)
  await encoder.dump([{ name, start: 0, dtype: 'I64', data: new Uint8Array(data.buffer) }])
  return data
}

test('a run that goes on from a checkpoint ends with the same weights and counts', async (t) => {
  const outputDir = await temporaryFolder(t)
  const saving = { outputDir, saveStrategy: 'steps', saveSteps: 3 } as const
  await using model = await SparseEncoder.load(MEAN)
  await train(model, saving)
  const card = await readFile(join(outputDir, 'checkpoint-6', 'README.md'), 'utf8')
  for (const text of ['# CSR Sparse Encoder', '- csr', 'loss:CSRLoss', '4 maximum active dimensions'])
    t.true(card.includes(text), text)
  await using other = await SparseEncoder.load(MEAN)
  const goingOn = new SparseEncoderTrainer({
    ...{ model: other, trainDataset, loss: new losses.CSRLoss() },
    ...{ args: { ...args, ...saving }, progress: false },
  })
  await goingOn.train({ resumeFromCheckpoint: join(outputDir, 'checkpoint-3') })
  t.deepEqual(await other.encode(TEXTS), await model.encode(TEXTS))
  t.deepEqual(await countsOf(other), await countsOf(model))
  await using saved = await SparseEncoder.load(join(outputDir, 'checkpoint-6'))
  t.deepEqual(await countsOf(saved), await countsOf(model))
})

test('what cannot be trained is refused', async (t) => {
  await using model = await SparseEncoder.load(MEAN)
  const inner = new losses.SparseMultipleNegativesRankingLoss()
  const refused = (options: object, loss: losses.Loss, code: string, message: RegExp) =>
    t.throwsAsync(train(model, { saveStrategy: 'no', ...options }, loss), { code, message })
  await refused({ miniBatchSize: 2 }, new losses.CSRLoss(), 'ERR_NOT_IMPLEMENTED', /mini-batches/)
  const cached = new losses.CachedSpladeLoss({ loss: inner, documentRegularizerWeight: 1 })
  await refused({}, cached, 'ERR_NOT_IMPLEMENTED', /mini-batches/)
  await using wide = await SparseEncoder.load(await changed(t, { k: 20 }))
  await t.throwsAsync(train(wide, { saveStrategy: 'no' }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /k up to 16, a quarter/,
  })
  const splade = fileURLToPath(new URL('../../../test/parity/golden/sparse/bert/', import.meta.url))
  await using words = await SparseEncoder.load(splade)
  await t.throwsAsync(train(words, { saveStrategy: 'no' }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /CSRLoss .* does not end in one/,
  })
  // A loss without the parts of CSRLoss trains the latents, too.
  const before = await countsOf(model)
  await train(model, { saveStrategy: 'no' }, new losses.SpladeLoss({ loss: inner, documentRegularizerWeight: 0.1 }))
  t.notDeepEqual(await countsOf(model), before)
})
