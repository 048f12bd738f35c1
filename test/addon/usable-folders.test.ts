// Folders that hold more, or say it otherwise, than those of this package: their vectors are those of the clean folder.
import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { CrossEncoder, SentenceTransformer } from '../../lib/index.js'
import { openSafetensors, type TensorSource, writeSafetensors } from '../../lib/io/safetensors.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'
import { toTorchFile } from '../helpers/torch-file.js'
import { SPECIAL_TOKENS } from '../helpers/word-piece.js'

const root = await mkdtemp(join(tmpdir(), 'sentence-torch-'))
const clean = await tinyFolder(join(root, 'clean'))
const ONE = fileURLToPath(new URL('../../../test/parity/golden/cross-encoder/one/', import.meta.url))
test.after.always(() => rm(root, { recursive: true, force: true }))

const texts = ['the cat', 'THE RED DOG', 'very white snow']
let copies = 0

async function copy(folder: string): Promise<string> {
  const path = join(root, `copy-${copies++}`)
  await cp(folder, path, { recursive: true })
  return path
}

async function tensorsOf(folder: string): Promise<TensorSource[]> {
  const file = await openSafetensors(join(folder, 'model.safetensors'))
  const tensors: TensorSource[] = []
  for (const [name, { dtype, shape }] of file.tensors) tensors.push({ name, dtype, shape, data: await file.read(name) })
  await file.close()
  return tensors
}

const zeros = (name: string, ...shape: number[]): TensorSource => {
  return { name, dtype: 'F32', shape, data: new Uint8Array(shape.reduce((a, b) => a * b, 4)) }
}

async function change(folder: string, file: string, values: object): Promise<void> {
  const path = join(folder, file)
  await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), ...values }))
}

async function vectors(folder: string, prompt = ''): Promise<Float32Array> {
  await using model = await SentenceTransformer.load(folder)
  return (await model.encode(texts, { prompt })).data
}

test('heads of other tasks, more layers, buffers, under a prefix', async (t) => {
  const path = await copy(clean)
  const own = (await tensorsOf(clean)).map((tensor) => ({ ...tensor, name: `bert.${tensor.name}` }))
  const buffers = ['position_ids', 'token_type_ids'].map((name): TensorSource => {
    return { name: `bert.embeddings.${name}`, dtype: 'I64', shape: [1, 40], data: new Uint8Array(320) }
  })
  const heads = [zeros('qa_outputs.weight', 2, 32), zeros('classifier.bias', 2), zeros('logit_scale')]
  const layer = zeros('bert.encoder.layer.2.output.dense.bias', 32)
  await writeSafetensors(join(path, 'model.safetensors'), [...own, ...buffers, ...heads, layer])
  t.deepEqual(await vectors(path), await vectors(clean))
})

test('shards with a tensor that the index does not name', async (t) => {
  const path = await copy(clean)
  const tensors = await tensorsOf(clean)
  await rm(join(path, 'model.safetensors'))
  const file = 'model-00001-of-00001.safetensors'
  await writeSafetensors(join(path, file), [...tensors, zeros('qa_outputs.bias', 2)])
  const weight_map = Object.fromEntries(tensors.slice(1).map(({ name }) => [name, file]))
  await writeFile(join(path, 'model.safetensors.index.json'), JSON.stringify({ weight_map }))
  t.deepEqual(await vectors(path), await vectors(clean))
})

test('weights of torch.save, in one file and in shards of any name', async (t) => {
  const path = await copy(clean)
  await toTorchFile(path)
  t.deepEqual(await vectors(path), await vectors(clean))
  await rename(join(path, 'pytorch_model.bin'), join(path, 'part.bin'))
  await writeFile(join(path, 'pytorch_model.bin.index.json'), JSON.stringify({ weight_map: { x: 'part.bin' } }))
  t.deepEqual(await vectors(path), await vectors(clean))
})

test('a model that is in use stays as it was where new weights hold a value that is not finite', async (t) => {
  await using model = await SentenceTransformer.load(clean)
  const path = await copy(clean)
  const tensors = (await tensorsOf(clean)).map((tensor) => {
    const values = new Float32Array((tensor.data as Uint8Array).slice().buffer).map((x) => 2 * x + 1)
    if (tensor.name === 'encoder.layer.1.output.dense.bias') values[3] = Number.NaN
    return { ...tensor, data: new Uint8Array(values.buffer) }
  })
  await writeSafetensors(join(path, 'model.safetensors'), tensors)
  const before = (await model.encode(texts)).data
  const message = /encoder\.layer\.1\.output\.dense\.bias in .* not finite/
  await t.throwsAsync(model.loadWeights(path), { code: 'ERR_INVALID_TENSORS', message })
  t.deepEqual((await model.encode(texts)).data, before)
})

test('a vocab.txt instead of a tokenizer.json', async (t) => {
  const path = await copy(clean)
  await writeFile(join(path, 'vocab.txt'), [...SPECIAL_TOKENS, ...tinyWords].join('\n'))
  await rm(join(path, 'tokenizer.json'))
  t.deepEqual(await vectors(path), await vectors(clean))
})

for (const [file, key, forms] of [
  ['1_Pooling/config.json', 'pooling_mode_cls_token', { true: [1, 'true'], false: [0, null] }],
  ['1_Pooling/config.json', 'include_prompt', { true: [1], false: [0, null, ''] }],
  ['sentence_bert_config.json', 'do_lower_case', { true: [1], false: [0, null] }],
] as const) {
  test(`${key} in other words`, async (t) => {
    const base = await copy(clean)
    // So that lower-casing shows: the tokenizer itself does none.
    const tokenizer = JSON.parse(await readFile(join(base, 'tokenizer.json'), 'utf8'))
    tokenizer.normalizer.lowercase = false
    await writeFile(join(base, 'tokenizer.json'), JSON.stringify(tokenizer))
    await change(base, 'tokenizer_config.json', { do_lower_case: false })
    const read = async (value: unknown) => {
      await change(base, file, { [key]: value })
      return vectors(base, 'the red ')
    }
    const [yes, no] = [await read(true), await read(false)]
    t.notDeepEqual(yes, no)
    for (const value of forms.true) t.deepEqual(await read(value), yes, String(value))
    for (const value of forms.false) t.deepEqual(await read(value), no, String(value))
  })
}

test('cross-encoders: heads of other tasks, more layers, num_labels beside the names of others', async (t) => {
  const predict = async (folder: string) => {
    await using model = await CrossEncoder.load(folder)
    return (await model.predict(texts.map((text) => ['the cat', text] as const))).data
  }
  const path = await copy(ONE)
  const more = [zeros('qa_outputs.weight', 2, 16), zeros('bert.encoder.layer.9.output.dense.bias', 16)]
  await writeSafetensors(join(path, 'model.safetensors'), [...(await tensorsOf(ONE)), ...more, zeros('stray', 3)])
  await change(path, 'config.json', { num_labels: 1, id2label: { 0: 'a', 1: 'b' } })
  await t.throwsAsync(CrossEncoder.load(path), { code: 'ERR_INVALID_TENSORS', message: /stray.*ignoreTensors/s })
  await using model = await CrossEncoder.load(path, { ignoreTensors: [/stray/] })
  t.deepEqual((await model.predict(texts.map((text) => ['the cat', text] as const))).data, await predict(ONE))
})
