import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import { openSafetensors, type TensorSource, writeSafetensors } from '../../lib/io/safetensors.js'
import { NamesOfFiles } from '../../lib/models/checkpoint-names.js'
import { loadWith } from '../../lib/models/sentence-transformer.js'
import type { LoadOptions } from '../../lib/models/types.js'
import { leaveOutSurplus, type StoredTensor } from '../../lib/models/weight-check.js'
import { WeightFiles } from '../../lib/models/weights.js'
import { bertShapes, describeBert, fakeAddon } from '../helpers/fake-addon.js'
import { denseShapes, someTensors, temporaryFolder, writeModel } from '../helpers/model-folders.js'
import { tinyConfig, tinySpec } from '../helpers/tiny-model.js'

test('names of checkpoints become names of the engine', (t) => {
  const names: [string, string | undefined][] = [
    ['encoder.layer.0.output.dense.weight', 'encoder.layer.0.output.dense.weight'],
    ['bert.encoder.layer.0.output.dense.weight', 'encoder.layer.0.output.dense.weight'],
    ['model.pooler.dense.bias', 'pooler.dense.bias'],
    ['0.auto_model.embeddings.LayerNorm.bias', 'embeddings.LayerNorm.bias'],
    ['bert.embeddings.LayerNorm.gamma', 'embeddings.LayerNorm.weight'],
    ['embeddings.LayerNorm.beta', 'embeddings.LayerNorm.bias'],
    ['bert.embeddings.position_ids', undefined],
    ['embeddings.token_type_ids', undefined],
    ['cls.predictions.bias', undefined],
    ['classifier.weight', 'classifier.weight'],
  ]
  const naming = new NamesOfFiles(describeBert(tinyConfig).names)
  for (const [name, expected] of names) t.is(naming.engine(naming.bare(name)), expected)
})

test('renames: numbers and texts come where their signs stand, one rename after the other', (t) => {
  const naming = new NamesOfFiles({
    ...describeBert(tinyConfig).names,
    renames: [
      { from: 'encoder.layers.#.mlp.fc1#.*', to: 'layers.#.mlp.up#.*' },
      { from: '*.up1.*', to: '*.up_proj.*' },
      { from: 'x.#.*.#', to: '*.x' },
      { from: 'emb_ln.*', to: 'norm.*' },
    ],
    leftOut: ['layers.#.rotary.inv_freq', 'a+b'],
    layer: 'layers.',
  })
  const names: [string, string | undefined][] = [
    ['encoder.layers.10.mlp.fc11.weight', 'layers.10.mlp.up_proj.weight'],
    ['encoder.layers.0.mlp.fc12.bias', 'layers.0.mlp.up2.bias'],
    ['encoder.layers.x.mlp.fc11.weight', 'encoder.layers.x.mlp.fc11.weight'],
    ['x.1.y.z.2', 'y.z.x'],
    ['emb_ln.weight', 'norm.weight'],
    ['emb-ln.weight', 'emb-ln.weight'],
    ['layers.7.rotary.inv_freq', undefined],
    ['layers.7.rotary.inv_freq.x', 'layers.7.rotary.inv_freq.x'],
    ['a+b', undefined],
    ['aab', 'aab'],
  ]
  for (const [name, expected] of names) t.is(naming.engine(name), expected, name)
  t.is(naming.layer('layers.12.x'), 12)
  for (const name of ['layers.x.y', 'layers.3', 'layer.3.x', 'a.layers.3.x']) t.is(naming.layer(name), undefined, name)
})

test('of two tensors for the same, the preferred one counts, wherever it stands; it is saved under the name of the engine', async (t) => {
  const { names } = describeBert(tinyConfig)
  const table = 'embeddings.word_embeddings.weight'
  const description = {
    ...describeBert(tinyConfig),
    names: { ...names, renames: [{ from: 'own.weight', to: table }], preferred: ['own.weight'] },
  }
  for (const order of [[table, 'own.weight'], ['own.weight', table], ['own.weight']]) {
    const path = await temporaryFolder(t)
    const others = someTensors(bertShapes(tinyConfig, false)).filter(({ name }) => name !== table)
    const tables = order.map((name): TensorSource => {
      const data = new Float32Array(50 * 32).fill(name === table ? 1 : 2)
      return { name, dtype: 'F32', shape: [50, 32], data: new Uint8Array(data.buffer) }
    })
    await writeSafetensors(join(path, 'model.safetensors'), [...tables, ...others])
    const files = await WeightFiles.open({ path, transformerPath: path, modules: [], description })
    const encoder = new (fakeAddon().Encoder)(tinySpec())
    const { names: stored } = await files.load(encoder)
    await files.close()
    t.is(stored.get(`0.${table}`), table)
    const read = new Float32Array(50 * 32)
    await encoder.dump([{ name: `0.${table}`, start: 0, dtype: 'F32', data: new Uint8Array(read.buffer) }])
    t.true(
      read.every((value) => value === 2),
      order.join(),
    )
  }
})

/** Loads the plain model with these tensors instead; answers with what the engine holds. */
async function load(path: string, tensors: TensorSource[], options: LoadOptions = {}) {
  await writeModel(path, 'plain')
  await writeSafetensors(join(path, 'model.safetensors'), tensors)
  const engine = fakeAddon()
  const model = await loadWith(() => engine, path, options)
  return { model, encoder: engine.encoders[0]! }
}

const bytes = (tensor: TensorSource) => tensor.data as Uint8Array

test('prefixes, gamma and beta, position ids and pre-training heads', async (t) => {
  const path = await temporaryFolder(t)
  const tensors = someTensors(
    bertShapes(tinyConfig),
    (name) => `bert.${name.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta')}`,
  )
  const more: TensorSource[] = [
    { name: 'bert.embeddings.position_ids', dtype: 'I64', shape: [1, 40], data: new Uint8Array(320) },
    { name: 'cls.predictions.bias', dtype: 'F32', shape: [50], data: new Uint8Array(200) },
  ]
  const { encoder } = await load(path, [...tensors, ...more])
  t.is(encoder.values.size, tensors.length)
  t.deepEqual(
    encoder.values.get('0.embeddings.LayerNorm.weight'),
    bytes(tensors.find(({ name }) => name === 'bert.embeddings.LayerNorm.gamma')!),
  )
})

test('a pooler is loaded when the file has one, and not expected when it has none', async (t) => {
  const path = await temporaryFolder(t)
  const { encoder } = await load(path, someTensors(bertShapes(tinyConfig)))
  t.true(encoder.spec.pooler)
  t.true(encoder.values.has('0.pooler.dense.weight'))
  const { encoder: bare } = await load(path, someTensors(bertShapes(tinyConfig, false)))
  t.false(bare.spec.pooler)
})

test('a model that is in use gets other weights in one job, between two steps', async (t) => {
  const path = await temporaryFolder(t)
  // More than cross to the engine at once.
  const big = { ...tinyConfig, vocab_size: 40_000 }
  const tensors = someTensors(bertShapes(big))
  await writeModel(path, 'plain')
  await writeFile(join(path, 'config.json'), JSON.stringify(big))
  await writeSafetensors(join(path, 'model.safetensors'), tensors)
  const engine = fakeAddon()
  const model = await loadWith(() => engine, path, {})
  const encoder = engine.encoders[0]!
  const loaded = new Map(encoder.values)
  const sizes: number[] = []
  const load = encoder.load.bind(encoder)
  encoder.load = (ranges) => {
    sizes.push(ranges.length)
    return load(ranges)
  }
  encoder.values.clear()
  let held = true
  const holding = model.hold(async () => {
    await setTimeout(50)
    t.deepEqual(sizes, [])
    held = false
  })
  await model.loadWeights(path)
  t.false(held)
  await holding
  t.is(sizes.length, 1)
  t.true(sizes[0]! > tensors.length)
  t.deepEqual(encoder.values, loaded)
})

const broken: [string, TensorSource['dtype'], (values: Float32Array) => Uint8Array][] = [
  ['NaN', 'F32', (values) => bytesOf(values.with(3, Number.NaN))],
  ['infinities that cancel', 'F32', (values) => bytesOf(values.with(3, Infinity).with(4, -Infinity))],
  ['a double beyond float32', 'F64', (values) => bytesOf(Float64Array.from(values).with(3, 1e39))],
  ['an infinity in float16', 'F16', (values) => bytesOf(new Uint16Array(values.length).with(3, 0xfc00))],
  ['NaN in bfloat16', 'BF16', (values) => bytesOf(new Uint16Array(values.length).with(3, 0x7fc0))],
]
const bytesOf = ({ buffer }: Float32Array | Float64Array | Uint16Array) => new Uint8Array(buffer)

test('a model that is in use keeps its weights where the new ones hold a value that is not finite', async (t) => {
  const path = await temporaryFolder(t)
  const { model, encoder } = await load(path, someTensors(bertShapes(tinyConfig)))
  const before = new Map([...encoder.values].map(([name, data]) => [name, data.slice()]))
  const name = 'encoder.layer.1.output.dense.bias'
  for (const [what, dtype, change] of broken) {
    const tensors = someTensors(bertShapes(tinyConfig)).map((tensor): TensorSource => {
      const values = new Float32Array((tensor.data as Uint8Array).slice().buffer)
      if (tensor.name === name) return { ...tensor, dtype, data: change(values) }
      return { ...tensor, data: bytesOf(values.map((x) => x + 1)) }
    })
    await writeSafetensors(join(path, 'model.safetensors'), tensors)
    const message = new RegExp(
      `Tensor 0\\.${name.replaceAll('.', '\\.')} in .*model\\.safetensors holds a value that is not finite`,
    )
    await t.throwsAsync(model.loadWeights(path), { code: 'ERR_INVALID_TENSORS', message }, what)
    t.deepEqual(encoder.values, before, what)
  }
  t.is(encoder.disposals, 0)
  // As large as a number can be, and of any dtype: all of these are finite.
  const largest = someTensors(bertShapes(tinyConfig)).map((tensor): TensorSource => {
    const values = new Float32Array((tensor.data as Uint8Array).slice().buffer).fill(3.4028234663852886e38)
    return { ...tensor, data: bytesOf(values) }
  })
  await writeSafetensors(join(path, 'model.safetensors'), largest)
  await t.notThrowsAsync(model.loadWeights(path))
})

test('a model of which the engine took some weights alone is disposed, and says so', async (t) => {
  const path = await temporaryFolder(t)
  const { model, encoder } = await load(path, someTensors(bertShapes(tinyConfig)))
  const failing = (code: string) => async () => {
    throw Object.assign(new Error('no more'), { code })
  }
  encoder.load = failing('ERR_BUSY')
  await t.throwsAsync(model.loadWeights(path), { code: 'ERR_BUSY', message: 'no more' })
  t.is(encoder.disposals, 0)
  encoder.load = failing('ERR_OUT_OF_MEMORY')
  const message = /no more; the model has been disposed, since some of its weights may be new and others old/
  await t.throwsAsync(model.loadWeights(path), { code: 'ERR_OUT_OF_MEMORY', message })
  t.is(encoder.disposals, 1)
})

test('all that is missing, unknown or unfit is one error, before any byte moves', async (t) => {
  const path = await temporaryFolder(t)
  const shapes = bertShapes(tinyConfig)
    .filter(([name]) => name !== 'encoder.layer.1.output.dense.bias' && name !== 'pooler.dense.bias')
    .map(([name, shape]): [string, number[]] => (name === 'embeddings.LayerNorm.weight' ? [name, [31]] : [name, shape]))
  const tensors = someTensors(shapes).map(
    (tensor): TensorSource => (tensor.name === 'embeddings.LayerNorm.bias' ? { ...tensor, dtype: 'I32' } : tensor),
  )
  await writeModel(path, 'plain')
  await writeSafetensors(join(path, 'model.safetensors'), [...tensors, ...someTensors([['stray', [2, 2]]])])
  const engine = fakeAddon()
  const error = await t.throwsAsync(
    loadWith(() => engine, path, {}),
    { code: 'ERR_INVALID_TENSORS' },
  )
  t.regex(error.message, /^5 tensors do not fit the model/)
  t.regex(error.message, /missing: 0\.encoder\.layer\.1\.output\.dense\.bias \[32\]/)
  t.regex(error.message, /unknown: pooler\.dense\.weight \[32,32\]/)
  t.regex(error.message, /unknown: stray \[2,2\]/)
  t.regex(error.message, /wrong shape: embeddings\.LayerNorm\.weight is \[31\].*expected \[32\]/)
  t.regex(error.message, /wrong dtype: embeddings\.LayerNorm\.bias is I32.*expected F64, F32, F16, BF16/)
  t.is(engine.encoders[0]!.values.size, 0)
  t.is(engine.encoders[0]!.disposals, 1)
})

/** The warnings that `work` leads to. */
async function warningsOf(work: () => Promise<unknown>): Promise<string[]> {
  const warnings: string[] = []
  const hear = ({ message }: Error) => void warnings.push(message)
  process.on('warning', hear)
  await work()
  await new Promise(setImmediate)
  process.off('warning', hear)
  return warnings
}

// As Python leaves them out, with a warning: checked with transformers 5.24.
test.serial('heads of other tasks and layers beyond those of config.json are left out, with one warning', async (t) => {
  const path = await temporaryFolder(t)
  const own = bertShapes(tinyConfig)
  const more: [string, number[]][] = [
    ['qa_outputs.weight', [2, 32]],
    ['classifier.bias', [3]],
    ['pre_classifier.weight', [32, 32]],
    ['vocab_transform.weight', [32, 32]],
    ['lm_head.decoder.weight', [50, 32]],
    ['logit_scale', []],
    ['bert.encoder.layer.2.output.dense.bias', [32]],
    ['bert.encoder.layer.2.output.dense.weight', [32, 64]],
    ['bert.encoder.layer.10.output.dense.bias', [32]],
  ]
  const tensors = [...someTensors(own, (name) => `bert.${name}`), ...someTensors(more)]
  const warnings = await warningsOf(async () => {
    const { encoder } = await load(path, tensors)
    t.deepEqual([...encoder.values.keys()].sort(), own.map(([name]) => `0.${name}`).sort())
  })
  t.is(warnings.length, 1)
  for (const [name] of more.slice(0, 6)) t.true(warnings[0]!.includes(name), name)
  t.regex(warnings[0]!, /beyond the 2 of config\.json \(bert\.encoder\.layer\.10\.\*, bert\.encoder\.layer\.2\.\*\)/)
})

test('a pooler that a classifier does not read is left out, as a whole', (t) => {
  const tensor = (name: string) => [`0.${name}`, { name, path: 'x', bare: name, dtype: 'F32', shape: [1] }] as const
  const left = (places: string[], stored: string[]) => {
    const map = new Map(stored.map(tensor)) as unknown as Map<string, StoredTensor>
    const tensors = places.map((name) => ({ name: `0.${name}`, shape: [1], group: 'decay' as const }))
    leaveOutSurplus(map, tensors, describeBert(tinyConfig), 'model.safetensors')
    return [...map.values()].map(({ name }) => name)
  }
  const [weight, bias] = ['pooler.dense.weight', 'pooler.dense.bias']
  t.deepEqual(left(['x'], ['x', weight, bias]), ['x'])
  t.deepEqual(left(['x', weight, bias], ['x', weight, bias]), ['x', weight, bias])
  t.deepEqual(left(['x'], ['x', weight]), ['x', weight])
})

test('what may be a part of the model is refused, unless ignoreTensors names it', async (t) => {
  const path = await temporaryFolder(t)
  const more: [string, number[]][] = [
    ['stray', [2]],
    ['encoder.layer.0.adapter.weight', [2, 2]],
    ['encoder.layer.1.adapter.weight', [2, 2]],
    ['bert.embeddings.LayerNorm.bias', [32]],
  ]
  const tensors = [...someTensors(bertShapes(tinyConfig)), ...someTensors(more)]
  const refused = { code: 'ERR_INVALID_TENSORS', message: /adapter.*ignoreTensors/s }
  await t.throwsAsync(load(path, tensors), refused)
  await t.throwsAsync(load(path, tensors, { ignoreTensors: ['^stray$'] }), refused)
  const { encoder } = await load(path, tensors, { ignoreTensors: ['^stray$', /\.ADAPTER\./gi, '^bert\\.'] })
  t.is(encoder.values.size, bertShapes(tinyConfig).length)
  const stranger = load(path, tensors, { ignoreTensors: ['stray', 'nonsense'] })
  await t.throwsAsync(stranger, { code: 'ERR_INVALID_ARGUMENT', message: /ignoreTensors.*nonsense/ })
  const needed = load(path, tensors, { ignoreTensors: ['stray', 'adapter', 'bert', 'word_embeddings'] })
  await t.throwsAsync(needed, { code: 'ERR_INVALID_TENSORS', message: /missing: 0\.embeddings\.word_embeddings/ })
  for (const wrong of ['stray', [1], ['(']]) {
    const options = { ignoreTensors: wrong } as LoadOptions
    await t.throwsAsync(load(path, tensors, options), { code: 'ERR_INVALID_ARGUMENT', message: /ignoreTensors/ })
  }
})

test('a tensor under two names is refused', async (t) => {
  const path = await temporaryFolder(t)
  const shapes = bertShapes(tinyConfig)
  const twice = [...someTensors(shapes), ...someTensors([['bert.embeddings.LayerNorm.bias', [32]]])]
  await t.throwsAsync(load(path, twice), { code: 'ERR_INVALID_TENSORS', message: /same tensor/ })
})

test('a block of several tensors is read, and saved, by the name that the file has for it', async (t) => {
  const path = await temporaryFolder(t)
  const parts = ['query', 'key', 'value'].flatMap((part) => [`self.${part}.weight`, `self.${part}.bias`])
  const shapes = bertShapes(tinyConfig).flatMap(([name, shape]): [string, number[]][] => {
    // The first layer has blocks, the second one its parts.
    if (!name.startsWith('encoder.layer.0.') || !parts.some((part) => name.endsWith(part))) return [[name, shape]]
    if (!name.includes('.query.')) return []
    const [rows, ...rest] = shape as [number, ...number[]]
    return [[name.replace('attention.self.query', 'attn.Wqkv'), [3 * rows, ...rest]]]
  })
  const load = async (tensors: TensorSource[], folder = path) => {
    await writeModel(folder, 'plain', { x_blocks: true })
    await writeSafetensors(join(folder, 'model.safetensors'), tensors)
    const engine = fakeAddon()
    return { model: await loadWith(() => engine, folder, {}), values: engine.encoders[0]!.values }
  }
  const gamma = (name: string) => `bert.${name.replace('LayerNorm.weight', 'LayerNorm.gamma')}`
  const tensors = someTensors(shapes, gamma)
  const { model, values } = await load(tensors)
  t.is(values.size, shapes.length)
  t.deepEqual(
    values.get('0.encoder.layer.0.attn.Wqkv.weight'),
    bytes(tensors.find(({ name }) => name.endsWith('Wqkv.weight'))!),
  )
  // Blocks and gamma keep their names; the prefix is that of a class with a head.
  await model.save(join(path, 'saved'))
  const saved = await openSafetensors(join(path, 'saved', 'model.safetensors'))
  t.deepEqual([...saved.tensors.keys()].sort(), tensors.map(({ name }) => name.slice('bert.'.length)).sort())
  t.deepEqual(saved.tensors.get('encoder.layer.0.attn.Wqkv.weight')?.shape, [96, 32])
  for (const tensor of tensors) t.deepEqual(await saved.read(tensor.name.slice('bert.'.length)), bytes(tensor))
  await saved.close()

  const refused = async (changed: TensorSource[], message: RegExp) => {
    await t.throwsAsync(load(changed, path), { code: 'ERR_INVALID_TENSORS', message })
  }
  const more = someTensors([['encoder.layer.0.attention.self.key.weight', [32, 32]]])
  await refused(
    [...tensors, ...more],
    /bert\.encoder\.layer\.0\.attn\.Wqkv\.weight and encoder\.layer\.0\.attention\.self\.key\.weight in .* are the same tensor/,
  )
  const without = tensors.filter(({ name }) => !name.endsWith('Wqkv.bias'))
  await refused(without, /^3 tensors.*missing: 0\.encoder\.layer\.0\.attention\.self\.query\.bias \[32\]/s)
  const narrow = [...without, ...someTensors([['encoder.layer.0.attn.Wqkv.bias', [32]]])]
  await refused(narrow, /wrong shape: encoder\.layer\.0\.attn\.Wqkv\.bias is \[32\] in .*expected \[96\]/)
})

test('shards with an index are one file', async (t) => {
  const path = await temporaryFolder(t)
  await writeModel(path, 'plain')
  const tensors = someTensors(bertShapes(tinyConfig))
  await rm(join(path, 'model.safetensors'))
  const files = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']
  for (const [i, file] of files.entries())
    await writeSafetensors(
      join(path, file),
      tensors.filter((_, k) => k % 2 === i),
    )
  const weight_map = Object.fromEntries(tensors.map(({ name }, k) => [name, files[k % 2]!]))
  await writeFile(join(path, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map }))
  const engine = fakeAddon()
  await loadWith(() => engine, path, {})
  for (const tensor of tensors) t.deepEqual(engine.encoders[0]!.values.get(`0.${tensor.name}`), bytes(tensor))
})

test('the weights of a Dense lie under its place in the list', async (t) => {
  const path = await temporaryFolder(t)
  await writeModel(path, '5.2')
  const engine = fakeAddon()
  await loadWith(() => engine, path, {})
  const [weight, bias] = someTensors(denseShapes)
  t.deepEqual(engine.encoders[0]!.values.get('2.linear.weight'), bytes(weight!))
  t.deepEqual(engine.encoders[0]!.values.get('2.linear.bias'), bytes(bias!))
})

test('a tensor larger than one range arrives whole', async (t) => {
  // 4 MiB at a time: a vocabulary of 100,000 rows of 32 float32 takes four, with the engine reading later than they come.
  const path = await temporaryFolder(t)
  const config = { ...tinyConfig, vocab_size: 100_000 }
  await writeModel(path, 'plain', { vocab_size: 100_000 })
  const engine = fakeAddon()
  await loadWith(() => engine, path, {})
  const [words] = someTensors(bertShapes(config).slice(0, 1))
  t.true(Buffer.from(engine.encoders[0]!.values.get('0.embeddings.word_embeddings.weight')!).equals(bytes(words!)))
})

test('a truncated file is refused with its name', async (t) => {
  const path = await temporaryFolder(t)
  await writeModel(path, 'plain')
  const file = join(path, 'model.safetensors')
  await writeFile(file, (await readFile(file)).subarray(0, -100))
  await t.throwsAsync(
    loadWith(() => fakeAddon(), path, {}),
    { code: 'ERR_INVALID_FILE', message: /model\.safetensors/ },
  )
})
