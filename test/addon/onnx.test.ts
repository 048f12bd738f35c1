// The folders of exportOnnx. What runtimes compute with them is compared in test/python/run.mjs, and with real packages where they are.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { CrossEncoder, SentenceTransformer, Seq2SeqModel } from '../../lib/index.js'
import { writeGraph } from '../../lib/models/onnx/write-graph.js'
import { loadAddon } from '../../lib/native/load.js'
import type { ModuleSpec } from '../../lib/native/types.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { tinyFolder } from '../helpers/tiny-folder.js'
import { tinyEncoder, tinySpec } from '../helpers/tiny-model.js'

const folder = await tinyFolder(mkdtempSync(join(tmpdir(), 'sentence-torch-')))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))
const GOLDEN = fileURLToPath(new URL('../../../test/parity/golden/', import.meta.url))
const texts = ['the cat is red', 'a very black dog and a cow']

test('an exported folder is a saved one with its graphs', async (t) => {
  const out = await temporaryFolder(t)
  const saved = await temporaryFolder(t)
  const model = await SentenceTransformer.load(folder)
  await model.save(saved)
  await model.exportOnnx(out, { dtype: ['fp32', 'q8'] })
  t.deepEqual(readdirSync(join(out, 'onnx')).sort(), ['model.onnx', 'model_quantized.onnx'])
  t.deepEqual(
    readdirSync(out).filter((name) => name !== 'onnx'),
    readdirSync(saved),
  )
  const { data } = await model.encode(texts)
  await using again = await SentenceTransformer.load(out)
  t.deepEqual((await again.encode(texts)).data, data)
  await model.dispose()
  await t.throwsAsync(model.exportOnnx(out), { code: 'ERR_DISPOSED' })
})

test('an export replaces the graphs of an older one, and keeps what is not its own', async (t) => {
  const out = await temporaryFolder(t)
  await mkdir(join(out, 'onnx'))
  for (const name of ['onnx/model.onnx', 'onnx/model.onnx_data', 'onnx/model_quantized.onnx', 'onnx/model_fp16.onnx']) {
    await writeFile(join(out, name), 'old')
  }
  await using model = await SentenceTransformer.load(folder)
  await model.exportOnnx(out, { dtype: 'q8' })
  t.deepEqual(readdirSync(join(out, 'onnx')).sort(), ['model_fp16.onnx', 'model_quantized.onnx'])
  t.not(readFileSync(join(out, 'onnx/model_quantized.onnx'), 'utf8'), 'old')
})

test('an adapter is exported as if it were merged', async (t) => {
  const [before, after, plain] = [await temporaryFolder(t), await temporaryFolder(t), await temporaryFolder(t)]
  await using model = await SentenceTransformer.load(join(GOLDEN, 'adapters', 'bert-adapter'))
  const read = (out: string) => readFileSync(join(out, 'onnx/model.onnx'))
  await model.exportOnnx(before)
  await model.disableAdapters()
  await model.exportOnnx(plain)
  await model.enableAdapters()
  await model.merge()
  await model.exportOnnx(after)
  t.deepEqual(read(before), read(after))
  t.notDeepEqual(read(before), read(plain))
  t.true(existsSync(join(before, 'model.safetensors')))
})

test('a cross-encoder is exported with its logits', async (t) => {
  const out = await temporaryFolder(t)
  await using model = await CrossEncoder.load(join(GOLDEN, 'cross-encoder', 'one'))
  await model.exportOnnx(out)
  const graph = model.encoder.graph()
  t.deepEqual(graph.outputs, [{ name: 'logits', integer: false, shape: ['batch_size', 1] }])
  t.true(statSync(join(out, 'onnx/model.onnx')).size > 1000)
  await using again = await CrossEncoder.load(out)
  const pair = ['the cat', 'a dog'] as const
  t.deepEqual(await again.predict([...pair]), await model.predict([...pair]))
})

test('weights of a file that is too long lie beside it, and config.json tells transformers.js', async (t) => {
  const out = await temporaryFolder(t)
  const encoder = await tinyEncoder(loadAddon())
  const parts = { encoder, graph: encoder.graph(), version: '1.2.3' }
  const [whole, split] = [join(out, 'whole.onnx'), join(out, 'model.onnx')]
  t.false(await writeGraph(whole, parts, 'fp32'))
  t.true(await writeGraph(split, parts, 'fp32', statSync(whole).size - 1))
  t.true(statSync(`${split}_data`).size > statSync(split).size)
  await encoder.dispose()
})

test('a pooling that leaves the prompt out gives no sentence embedding', async (t) => {
  const modules: ModuleSpec[] = [{ type: 'Pooling', modes: ['mean'], includePrompt: false }, { type: 'Normalize' }]
  const encoder = await tinyEncoder(loadAddon(), tinySpec({}, { modules }))
  t.deepEqual(
    encoder.graph().outputs.map(({ name }) => name),
    ['last_hidden_state'],
  )
  await encoder.dispose()
})

test('what is not there is refused by name', async (t) => {
  const out = join(await temporaryFolder(t), 'out')
  await using model = await SentenceTransformer.load(folder)
  const refused = (options: object, code: string, message: RegExp) =>
    t.throwsAsync(model.exportOnnx(out, options), { code, message })
  await refused({ dtype: 'fp16' }, 'ERR_INVALID_ARGUMENT', /fp32.*q8.*fp16/)
  await refused({ dtype: ['q8', 8] }, 'ERR_INVALID_ARGUMENT', /dtype.*8/)
  await refused({ dtype: [] }, 'ERR_INVALID_ARGUMENT', /at least one of fp32 and q8/)
  await refused({ dtypes: 'fp32' }, 'ERR_UNKNOWN_OPTION', /did you mean dtype/)
  await t.throwsAsync(model.exportOnnx(''), { code: 'ERR_INVALID_ARGUMENT', message: /path of a folder/ })
  t.false(existsSync(out))
  const generator = await Seq2SeqModel.load(join(GOLDEN, 'seq2seq-folder'))
  await t.throwsAsync(generator.exportOnnx(out), { code: 'ERR_NOT_IMPLEMENTED', message: /text to text/ })
  await generator.dispose()
})
