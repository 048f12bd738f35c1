// Encoder-decoder models against transformers: the loss of target texts and the gradient of every tensor, the encoder's among them;
// golden values by test/parity/make_seq2seq.py.
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type TensorSource, writeSafetensors } from '../../lib/io/safetensors.js'
import { openSeq2SeqWeights, type WholeDescription } from '../../lib/models/seq2seq-weights.js'
import type {
  ConfigObject,
  DType,
  EncoderSpec,
  NativeEncoder,
  NativeTrainer,
  PackedBatch,
  StepOptions,
  TrainerSpec,
} from '../../lib/native/types.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { exactGradients, largestShare } from './architecture-engines.js'
import { SEQ2SEQ } from './architecture-goldens.js'
import { inUnits, under } from './architectures.js'
import { report } from './report.js'
import { addon, dump, gradients, load, readSafetensors, type Tensors, trainerSpec, worstCosine } from './support.js'

const FOLDER = new URL('../../../test/parity/golden/', import.meta.url)
const MODELS = Object.fromEntries(SEQ2SEQ.map((model) => [model.name, model]))
const tensors = readSafetensors(new URL('seq2seq.safetensors', FOLDER))
const EXACT = 1e-10

const small = (name: string) => Int32Array.from(new Int8Array(tensors.get(name)!.data))

function offsetsOf(lengths: readonly number[]): Int32Array {
  const offsets = [0]
  for (const length of lengths) offsets.push(offsets.at(-1)! + length)
  return Int32Array.from(offsets)
}

function batchOf(name: string): PackedBatch {
  const { lengths, targetLengths } = MODELS[name]!
  return {
    ids: small(`${name}/ids`),
    offsets: offsetsOf(lengths),
    columns: 1,
    targets: { ids: small(`${name}/targets`), offsets: offsetsOf(targetLengths) },
  }
}

async function open(name: string, dtype: DType, changes: ConfigObject = {}): Promise<NativeEncoder> {
  const { config, ownHead } = MODELS[name]!
  const encoder = new addon.Encoder({
    architecture: config.model_type as string,
    config: { ...config, ...changes },
    modules: [],
    pooler: false,
    decoder: true,
    ownHead,
    device: 'cpu',
    dtype,
  })
  const weights: Tensors = new Map(
    [...under(tensors, `${name}/weights/`)].map(([tensor, { data }]) => {
      return [`0.${tensor}`, inUnits(new Int8Array(data))]
    }),
  )
  await load(encoder, weights)
  return encoder
}

async function run(
  name: string,
  dtype: DType,
  { trainer, step }: { trainer?: Partial<TrainerSpec>; step?: Partial<StepOptions> } = {},
) {
  const encoder = await open(name, dtype)
  const engine = new addon.Trainer(encoder, trainerSpec({ type: 'TokenCrossEntropy' }, trainer))
  const { loss: evaluated } = await engine.evaluate(batchOf(name))
  const { loss } = (await engine.step(batchOf(name), { lr: 0, update: false, report: true, ...step }))!
  const found = { evaluated, loss, gradients: await gradients(engine) }
  await engine.dispose()
  await encoder.dispose()
  return found
}

const expectedGradients = (name: string): Tensors =>
  new Map([...under(tensors, `${name}/grad/`)].map(([tensor, { data }]) => [`0.${tensor}`, new Float32Array(data)]))

for (const { name, covers, config, loss, ownHead, python } of SEQ2SEQ) {
  const measured = (part: string, deviation: number, allowed: number, python?: number) =>
    report('seq2seq', config.model_type as string, {
      part,
      deviation,
      allowed,
      ...(python !== undefined && { python }),
    })

  test(`${name}: the engine has the tensors of the checkpoint`, async (t) => {
    const encoder = await open(name, 'float32')
    const names = [...under(tensors, `${name}/weights/`).keys()]
    t.deepEqual(
      encoder
        .tensors()
        .map((tensor) => tensor.name)
        .sort(),
      names.map((tensor) => `0.${tensor}`).sort(),
    )
    const { generator } = addon.describe(config.model_type as string, config)
    t.is(generator?.className, (config.architectures as string[])[0])
    t.is(names.includes(generator!.head), ownHead)
    t.true(names.includes(generator!.table))
    t.true(names.includes(`${generator!.layer}${generator!.layers - 1}.layer.0.layer_norm.weight`))
    t.false(names.some((tensor) => tensor.startsWith(`${generator!.layer}${generator!.layers}.`)))
    t.is(generator!.decoderStart, 3)
    t.is(generator!.padding, config.pad_token_id as number)
    t.deepEqual(generator!.ends, [1])
    await encoder.dispose()
  })

  test(`${name}: loss and gradients equal PyTorch's (${covers})`, async (t) => {
    const expected = expectedGradients(name)
    const single = await run(name, 'float32')
    for (const found of [single.loss, single.evaluated]) t.true(Math.abs(found - loss) <= 1e-5, `${found}, not ${loss}`)
    measured('loss', Math.abs(single.loss - loss), 1e-5, python.loss)
    t.deepEqual([...single.gradients.keys()].sort(), [...expected.keys()].sort())
    const share = largestShare(single.gradients, expected)
    t.true(share.part <= 1, `float32: ${share.part} of what is allowed, ${share.tensor}`)
    measured('gradient', 1e-4 * share.part, 1e-4, 1e-4 * python.gradients)

    const double = await run(name, 'float64')
    t.true(Math.abs(double.loss - loss) <= EXACT, `float64: ${double.loss}, not ${loss}`)
    t.true(Math.abs(double.evaluated - loss) <= EXACT)
    measured('loss, float64', Math.abs(double.loss - loss), EXACT)
    const [off, tensor] = exactGradients(double.gradients, expected)
    t.true(off <= EXACT, `float64: ${tensor} is off by ${off} of the norm of all`)
    measured('gradient, float64', off, EXACT)

    const half = await run(name, 'bfloat16')
    t.true(Math.abs(half.loss - loss) <= 0.05, `bfloat16: ${half.loss}, not ${loss}`)
    const flat = (all: ReadonlyMap<string, ArrayLike<number>>) =>
      Float64Array.from([...expected.keys()].flatMap((key) => Array.from(all.get(key)!)))
    const cosine = worstCosine(flat(half.gradients), flat(expected), flat(expected).length)
    const allowed = 4 * python.bfloat16 + 1e-4
    t.true(1 - cosine <= allowed, `bfloat16: 1 - ${cosine}, Python ${python.bfloat16}`)
  })

  test(`${name}: recomputed layers and pieces of a batch give the same gradients; the loss is scaled`, async (t) => {
    const expected = expectedGradients(name)
    const ways = {
      recomputed: { trainer: { activationCheckpointing: true } },
      'three rows at once': { step: { miniBatchRows: 3 } },
      both: { trainer: { activationCheckpointing: true }, step: { miniBatchTokens: 100 } },
      scaled: { step: { lossScale: 0.25 } },
    }
    for (const [way, options] of Object.entries(ways)) {
      const found = (await run(name, 'float32', options)).gradients
      const scaled = new Map(
        [...found].map(([key, values]) => [key, values.map((x) => (way === 'scaled' ? 4 * x : x))]),
      )
      const { part, tensor } = largestShare(scaled, expected)
      t.true(part <= 1, `${way}: ${part} of what is allowed, ${tensor}`)
    }
  })
}

test('with dropout the loss has the mean and the deviation that PyTorch has: every place of it is there', async (t) => {
  const DRAWS = 200
  const measured = SEQ2SEQ.filter(({ dropout }) => dropout !== null)
  t.is(measured.length, 2)
  for (const { name, loss, dropout } of measured) {
    const { rate, draws, mean, deviation } = dropout!
    const encoder = await open(name, 'float32', { dropout_rate: rate })
    const found: number[] = []
    for (let seed = 1; seed <= DRAWS; seed++) {
      const engine = trainer(encoder, { seed })
      found.push((await engine.step(batchOf(name), { lr: 0, update: false, report: true }))!.loss)
      await engine.dispose()
    }
    await encoder.dispose()
    const own = found.reduce((sum, x) => sum + x, 0) / DRAWS
    const spread = Math.sqrt(found.reduce((sum, x) => sum + (x - own) ** 2, 0) / (DRAWS - 1))
    // Five standard errors of the difference of two means, and of two deviations.
    const error = 5 * deviation * Math.sqrt(1 / draws + 1 / DRAWS)
    t.true(Math.abs(own - mean) <= error, `${name}: ${own}, in Python ${mean} ± ${error}`)
    t.true(Math.abs(spread - deviation) <= error, `${name}: deviation ${spread}, in Python ${deviation}`)
    t.true(Math.abs(loss - mean) > 2 * error, 'dropout changes the mean by more')
  }
})

/** Opens a file with these of the model's tensors, by their names in it, and gives the loss of the model. */
async function lossOfFile(t: ExecutionContext, name: string, names: Readonly<Record<string, string>>) {
  const { config } = MODELS[name]!
  const architecture = config.model_type as string
  const path = await temporaryFolder(t)
  const sources = Object.entries(names).map(([stored, tensor]): TensorSource => {
    const { data, shape } = tensors.get(`${name}/weights/${tensor}`)!
    return { name: stored, dtype: 'F32', shape, data: new Uint8Array(inUnits(new Int8Array(data)).buffer) }
  })
  await writeSafetensors(join(path, 'model.safetensors'), sources)
  const description = addon.describe(architecture, config) as WholeDescription
  const { weights, ownHead } = await openSeq2SeqWeights({ path, transformerPath: path, modules: [], description })
  const encoder = new addon.Encoder({
    ...{ architecture, config, modules: [], pooler: false, decoder: true, ownHead },
    ...{ device: 'cpu', dtype: 'float32' },
  })
  const { names: stored } = await weights.load(encoder).finally(() => weights.close())
  const engine = trainer(encoder)
  const { loss } = await engine.evaluate(batchOf(name))
  await engine.dispose()
  await encoder.dispose()
  return { loss, ownHead, stored: [...stored.values()].sort() }
}

test('checkpoints: what repeats the table of words is left out or takes its place, what has other values is a last layer', async (t) => {
  const table = 'shared.weight'
  const [head, encoders, decoders] = ['lm_head.weight', 'encoder.embed_tokens.weight', 'decoder.embed_tokens.weight']
  const idle = 'decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight'
  const bias = 'decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight'
  for (const name of ['t5', 't5 v1.1'] as const) {
    const { loss, ownHead } = MODELS[name]!
    const plain = Object.fromEntries([...under(tensors, `${name}/weights/`).keys()].map((key) => [key, key]))
    const { [table]: _, ...without } = plain
    const copies = { [encoders!]: table, [decoders!]: table, ...(!ownHead && { [head!]: table }) }
    const files = {
      plain,
      'all copies': { ...plain, ...copies, [idle]: bias },
      'copies alone': { ...without, ...copies },
      'one copy': { ...without, [ownHead ? decoders! : head!]: table },
      prefixed: Object.fromEntries(Object.entries(plain).map(([stored, tensor]) => [`model.${stored}`, tensor])),
    }
    for (const [form, names] of Object.entries(files)) {
      const found = await lossOfFile(t, name, names)
      t.true(Math.abs(found.loss - loss) <= 1e-5, `${name}, ${form}: ${found.loss}`)
      t.is(found.ownHead, ownHead, form)
      t.deepEqual(found.stored, Object.keys(plain).sort(), form)
    }
  }
  const own = [...under(tensors, 't5 v1.1/weights/').keys()]
  const plain = Object.fromEntries(own.map((key) => [key, key]))
  await t.throwsAsync(lossOfFile(t, 't5 v1.1', { ...plain, [encoders!]: head! }), {
    code: 'ERR_NOT_IMPLEMENTED',
    message: /encoder\.embed_tokens\.weight and shared\.weight in .* differ/,
  })
  const { [bias]: _, ...lacking } = plain
  await t.throwsAsync(lossOfFile(t, 't5 v1.1', lacking), {
    code: 'ERR_INVALID_TENSORS',
    message: /missing: 0\.decoder\.block\.0\.layer\.0\.SelfAttention\.relative_attention_bias\.weight \[32,2\]/,
  })
})

const trainer = (encoder: NativeEncoder, options: Partial<TrainerSpec> = {}): NativeTrainer =>
  new addon.Trainer(encoder, trainerSpec({ type: 'TokenCrossEntropy' }, options))

test('training with dropout lowers the loss, and a seed gives the same weights again', async (t) => {
  const name = 't5'
  const train = async (seed: number) => {
    const encoder = await open(name, 'float32', { dropout_rate: 0.1 })
    const engine = trainer(encoder, { seed })
    const losses: number[] = []
    for (let i = 0; i < 30; i++) {
      losses.push((await engine.step(batchOf(name), { lr: 0.03, report: true }))!.loss)
    }
    const { loss } = await engine.evaluate(batchOf(name))
    await engine.dispose()
    const weights = await dump(encoder)
    await encoder.dispose()
    return { losses, loss, weights }
  }
  const first = await train(1)
  t.true(first.loss < 0.9 * MODELS[name]!.loss, `${first.loss}`)
  t.notDeepEqual(first.losses[0], MODELS[name]!.loss, 'dropout is on')
  t.deepEqual(await train(1), first)
  t.notDeepEqual((await train(2)).losses, first.losses)
})

test('a frozen decoder trains its encoder, and the reverse; tables are frozen alone', async (t) => {
  for (const frozen of ['0.decoder.', '0.encoder.', '0.lm_head.', '0.shared.']) {
    const encoder = await open('t5 v1.1', 'float32')
    const engine = trainer(encoder)
    const groups = encoder.tensors().flatMap(({ name }) => (name.startsWith(frozen) ? [[name, -1] as const] : []))
    engine.setGroups([0, 0], Object.fromEntries(groups))
    const before = await dump(encoder)
    await engine.step(batchOf('t5 v1.1'), { lr: 0.01 })
    const after = await dump(encoder)
    for (const [name, values] of before) {
      const equal = values.every((value, i) => value === after.get(name)![i])
      t.is(equal, name.startsWith(frozen), name)
    }
    await engine.dispose()
    await encoder.dispose()
  }
})

test('what cannot be trained is named', async (t) => {
  const { config } = MODELS.t5!
  const spec: EncoderSpec = { architecture: 't5', config, modules: [], pooler: false, device: 'cpu', dtype: 'float32' }
  const modules = [{ type: 'Pooling', modes: ['mean'], includePrompt: true }]
  const alone = new addon.Encoder({ ...spec, modules })
  t.throws(() => trainer(alone), { code: 'ERR_INVALID_ARGUMENT', message: /TokenCrossEntropy.*an encoder alone/ })
  await alone.dispose()
  const bert = { model_type: 'bert', vocab_size: 20, hidden_size: 8, num_attention_heads: 2, intermediate_size: 8 }
  t.throws(() => new addon.Encoder({ ...spec, architecture: 'bert', config: bert, decoder: true }), {
    code: 'ERR_UNSUPPORTED',
    message: /bert is an encoder alone/,
  })
  t.throws(() => new addon.Encoder({ ...spec, modules, ownHead: true }), { message: /ownHead/ })

  const encoder = await open('t5', 'float32')
  const engine = trainer(encoder)
  const batch = { ids: Int32Array.of(4, 5, 6), offsets: Int32Array.of(0, 1, 3), columns: 1 }
  const step = (ids: number[], offsets: number[]) =>
    engine.step({ ...batch, targets: { ids: Int32Array.from(ids), offsets: Int32Array.from(offsets) } }, { lr: 0 })
  await t.throwsAsync(engine.step(batch, { lr: 0 }), { code: 'ERR_INVALID_DATA', message: /2 target texts.*found 0/ })
  await t.throwsAsync(step([1, 2], [0, 2]), { code: 'ERR_INVALID_DATA', message: /2 target texts/ })
  await t.throwsAsync(step([1, 2], [0, 0, 2]), { message: /target offsets that rise/ })
  await t.throwsAsync(step([1, 30], [0, 1, 2]), { message: /30/ })
  // Nothing to predict is nothing to learn.
  const nothing = { ids: Int32Array.of(-100, -100), offsets: Int32Array.of(0, 1, 2) }
  t.is((await engine.step({ ...batch, targets: nothing }, { lr: 0, report: true }))!.loss, 0)
  await engine.dispose()
  await encoder.dispose()

  for (const [key, value, ids] of [
    ['decoder_start_token_id', null, [4, 5]],
    ['decoder_start_token_id', 30, [4, 5]],
    ['pad_token_id', null, [-100, 5]],
    ['pad_token_id', 1e9, [-100, 5]],
  ] as const) {
    const lacking = await open('t5', 'float32', { [key]: value })
    const engine = trainer(lacking)
    const targets = { ids: Int32Array.from([...ids, 5]), offsets: Int32Array.of(0, 2, 3) }
    await t.throwsAsync(engine.step({ ...batch, targets }, { lr: 0 }), {
      code: 'ERR_INVALID_MODEL',
      message: new RegExp(`${key} .*config.json, found`),
    })
    await engine.dispose()
    await lacking.dispose()
  }
})
