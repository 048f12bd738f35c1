import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import {
  CrossEncoder,
  type MergeOptions,
  type ModelModules,
  Pooling,
  SentenceTransformer,
  Transformer,
} from '../../lib/index.js'
import { openSafetensors, type TensorSource, writeSafetensors } from '../../lib/io/safetensors.js'

const GOLDEN = fileURLToPath(new URL('../../../test/parity/golden/merging/', import.meta.url))
const [base, one, two] = ['base', 'one', 'two'].map((name) => join(GOLDEN, name)) as [string, string, string]
const root = await mkdtemp(join(tmpdir(), 'sentence-torch-'))
test.after.always(() => rm(root, { recursive: true, force: true }))
// Other tests merge models beside these, and have their temporary folders elsewhere.
process.env.TMPDIR = root
const texts = ['the cat sat on a mat', 'a dog runs fast .']
let copies = 0

async function copy(folder: string): Promise<string> {
  const path = join(root, `copy-${copies++}`)
  await cp(folder, path, { recursive: true })
  return path
}

async function change<Json>(folder: string, file: string, edit: (json: Json) => void): Promise<void> {
  const json = JSON.parse(await readFile(join(folder, file), 'utf8'))
  edit(json)
  await writeFile(join(folder, file), JSON.stringify(json))
}

async function vectors(model: SentenceTransformer): Promise<number[]> {
  return [...(await model.encode(texts)).data]
}

test.serial('folders, loaded models and both give one model, which is ordinary', async (t) => {
  const outputPath = join(root, 'merged')
  const parameters = { weight: [0.7, 0.3] }
  await using fromFolders = await SentenceTransformer.merge([one, two], 'linear', { parameters, outputPath })
  const expected = await vectors(fromFolders)
  await using loaded = await SentenceTransformer.load(one)
  await using other = await SentenceTransformer.load(two)
  loaded.prompts.query = 'find: '
  loaded.maxSeqLength = 9
  await using fromLoaded = await SentenceTransformer.merge([loaded, other], 'linear', { parameters })
  await using fromBoth = await SentenceTransformer.merge([one, other], 'linear', { parameters })
  t.deepEqual(await vectors(fromLoaded), expected)
  t.deepEqual(await vectors(fromBoth), expected)
  t.notDeepEqual(await vectors(loaded), expected)
  t.is(fromLoaded.prompts.query, 'find: ')
  t.is(fromLoaded.maxSeqLength, 9)
  await using saved = await SentenceTransformer.load(outputPath)
  t.deepEqual(await vectors(saved), expected)
  // A merged model without a folder stands on its own.
  await fromLoaded.addAdapter()
  await fromLoaded.save(join(root, 'with-adapter'))
  t.deepEqual(
    (await readdir(tmpdir())).filter((name) => name.includes('sentence-torch-merge')),
    [],
  )
})

test('a base among the models counts once, by path or as an object', async (t) => {
  await using loaded = await SentenceTransformer.load(base)
  const options = { baseModel: loaded, parameters: { weight: [0.6, 0.3] } }
  await using inside = await SentenceTransformer.merge([loaded, one, two], 'task_arithmetic', options)
  await using outside = await SentenceTransformer.merge([one, two], 'task_arithmetic', options)
  t.deepEqual(await vectors(inside), await vectors(outside))
})

test('models that differ in more than their weights are refused by the first difference', async (t) => {
  const refused = async (edit: (folder: string) => Promise<void>, message: RegExp) => {
    const other = await copy(two)
    await edit(other)
    const outputPath = join(root, `none-${copies}`)
    await t.throwsAsync(SentenceTransformer.merge([one, other], 'linear', { outputPath }), {
      code: 'ERR_INVALID_ARGUMENT',
      message,
    })
    await t.throwsAsync(readdir(outputPath), { code: 'ENOENT' })
  }
  await refused(
    (folder) => change(folder, 'config.json', (json: Record<string, unknown>) => (json.hidden_act = 'relu')),
    /hidden_act of config\.json: models\[0\] \(.*one\) has "gelu", models\[1\] \(.*\) has "relu"/,
  )
  await refused(
    (folder) =>
      change(folder, 'tokenizer.json', (json: { model: { vocab: object } }) =>
        Object.assign(json.model.vocab, { cat: 8, dog: 7 }),
      ),
    /the token "cat": .* has 7, .* has 8/,
  )
  await refused(
    (folder) =>
      change(folder, '1_Pooling/config.json', (json: Record<string, unknown>) => {
        if ('pooling_mode' in json) json.pooling_mode = 'cls'
        else Object.assign(json, { pooling_mode_mean_tokens: false, pooling_mode_cls_token: true })
      }),
    /the module 1 \(Pooling\)/,
  )
  await refused(
    (folder) => change(folder, 'modules.json', (json: unknown[]) => json.pop()),
    /modules: .*\["Transformer","Pooling","Dense"\], .*\["Transformer","Pooling"\]/,
  )
  const shape: string = await copy(two)
  await change(shape, 'config.json', (json: Record<string, unknown>) => (json.intermediate_size = 16))
  await t.throwsAsync(SentenceTransformer.merge([one, shape]), { message: /intermediate_size/ })
  // What only one file has, and where a model comes from, do not count.
  const fine = await copy(two)
  await change(fine, 'config.json', (json: Record<string, unknown>) =>
    Object.assign(json, { transformers_version: '1', x_new: 5, _name: 'x' }),
  )
  await using merged = await SentenceTransformer.merge([one, fine])
  t.is(merged.embeddingDimension, 6)
})

test('options that a method does not have, and values that it cannot use', async (t) => {
  const refused = async (
    method: string,
    options: object,
    message: RegExp,
    code = 'ERR_INVALID_ARGUMENT',
    models = [one, two],
  ) => {
    const merge = SentenceTransformer.merge(models, method as 'linear', options as MergeOptions<SentenceTransformer>)
    await t.throwsAsync(merge, { code, message })
  }
  await refused('lineer', {}, /did you mean linear/)
  await refused('della', {}, /della/, 'ERR_NOT_IMPLEMENTED')
  await refused('linear', { baseModel: base }, /linear has no baseModel/)
  await refused('ties', {}, /baseModel of the method ties/)
  await refused('slerp', { baseModel: base }, /slerp takes 2 models.* received 3/)
  await refused('model_stock', { baseModel: two }, /at least 3 models.* received 2/)
  await refused('linear', { parameters: { t: 1 } }, /no option "t"; .* weight, normalize/, 'ERR_UNKNOWN_OPTION')
  await refused('task_arithmetic', { baseModel: base, parameters: { density: 1 } }, /density/, 'ERR_UNKNOWN_OPTION')
  await refused('linear', { parameters: { weight: [1] } }, /or 2, one for each model but the base, for weight/)
  await refused('linear', { parameters: { weight: { 0: 1 } } }, /weight of models\[1\]/)
  await refused('linear', { parameters: { weight: { 0: 1, 1: 1, 2: 1 } } }, /places of models \(0, 1\) for weight/)
  await refused('linear', { parameters: { weight: [1, Number.NaN] } }, /weight of models\[1\].* NaN/)
  await refused('linear', { parameters: { weight: [1, -1] } }, /sum to 0/)
  await refused('ties', { baseModel: base, parameters: { density: 1.5 } }, /density/)
  await refused('ties', { baseModel: base, parameters: { int8Mask: true } }, /int8Mask/, 'ERR_NOT_IMPLEMENTED')
  await refused('linear', { dtype: 'bfloat16' }, /outDtype/, 'ERR_NOT_IMPLEMENTED')
  await refused('linear', { outDtype: 'int8' }, /outDtype/)
  await refused('linear', {}, /at least two/, 'ERR_INVALID_ARGUMENT', [one])
  await refused('linear', { outputPath: one }, /another folder/)
  await refused('linear', {}, /models\[1\]/, 'ERR_INVALID_ARGUMENT', [one, undefined as unknown as string])
  await refused('linear', {}, /nowhere/, 'ERR_NOT_FOUND', [one, './nowhere'])
  await using crossEncoder = await CrossEncoder.load(join(GOLDEN, 'ce-one'))
  await refused('linear', {}, /of this class for models\[1\] .*CrossEncoder/, 'ERR_INVALID_ARGUMENT', [
    one,
    crossEncoder as unknown as string,
  ])
  await using adapted = await SentenceTransformer.load(two)
  await adapted.addAdapter()
  await refused('linear', {}, /the adapter "default"/, 'ERR_INVALID_ARGUMENT', [one, adapted as unknown as string])
})

async function scaled(folder: string, factor: number): Promise<string> {
  const path = await copy(folder)
  const file = await openSafetensors(join(path, 'model.safetensors'))
  const tensors: TensorSource[] = []
  for (const [name, { dtype, shape }] of file.tensors) {
    const data = await file.read(name)
    tensors.push({
      name,
      dtype,
      shape,
      data: new Uint8Array(new Float32Array(data.buffer).map((x) => x * factor).buffer),
    })
  }
  await file.close()
  await writeSafetensors(join(path, 'model.safetensors'), tensors, { format: 'pt' })
  return path
}

test('a result that is not finite is refused by its tensor, and the old folder stays', async (t) => {
  const large = [await scaled(one, 1e38), await scaled(two, 1e38)]
  // Other tests fill folders beside their own at the same time.
  const alone = await mkdtemp(join(root, 'alone-'))
  const outputPath = join(alone, 'model')
  await cp(one, outputPath, { recursive: true })
  const merge = SentenceTransformer.merge(large, 'linear', { parameters: { weight: 9, normalize: false }, outputPath })
  await t.throwsAsync(merge, { code: 'ERR_INVALID_TENSORS', message: /Merging the tensor 0\.\S+ gives -?Infinity/ })
  await using model = await SentenceTransformer.load(outputPath)
  await using before = await SentenceTransformer.load(one)
  t.deepEqual(await vectors(model), await vectors(before))
  t.deepEqual(await readdir(alone), ['model'])
})

test('what is not built is told by name', async (t) => {
  const scores = fileURLToPath(new URL('../../../test/parity/golden/logit-score/qwen3', import.meta.url))
  await t.throwsAsync(CrossEncoder.merge([scores, scores]), {
    code: 'ERR_NOT_IMPLEMENTED',
    message: /models\[0\].*logits/,
  })
})

test('static tables, and a model that was put together, merge like others', async (t) => {
  const transformer = () => Transformer.load(base)
  const made = async () => SentenceTransformer.fromModules([await transformer(), new Pooling('mean')] as ModelModules)
  await using first = await made()
  await using second = await made()
  await using same = await SentenceTransformer.merge([first, second], 'slerp')
  t.deepEqual(await vectors(same), await vectors(first))
  const table = fileURLToPath(new URL('../../../test/parity/golden/modules/model2vec', import.meta.url))
  await using merged = await SentenceTransformer.merge([table, table], 'linear')
  await using own = await SentenceTransformer.load(table)
  t.deepEqual(await vectors(merged), await vectors(own))
})
