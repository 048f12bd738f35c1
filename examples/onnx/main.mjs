// node examples/onnx/main.mjs [model] [folder]
//
// A model exported as ONNX, opened by onnxruntime-node and by transformers.js, beside its own embeddings. Needs
// `npm i onnxruntime-node @huggingface/transformers`.
import { basename, dirname, join, resolve } from 'node:path'
import { env, pipeline } from '@huggingface/transformers'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { SentenceTransformer } from 'sentence-torch'

const texts = ['Order a replacement in the app.', 'We are open from 9 to 5.', 'Rates are set every morning.']
const model = await SentenceTransformer.load(process.argv[2] ?? 'sentence-transformers/all-MiniLM-L6-v2')
const folder = resolve(process.argv[3] ?? 'all-MiniLM-L6-v2-onnx')
const expected = await model.encode(texts)
await model.exportOnnx(folder, { dtype: ['fp32', 'q8'] })

/** Largest difference of a number, and smallest cosine of a text. */
function compare(name, rows) {
  let difference = 0
  let least = 1
  for (const [i, row] of rows.entries()) {
    const own = expected.row(i)
    const dot = (a, b) => a.reduce((sum, value, j) => sum + value * b[j], 0)
    difference = Math.max(difference, ...row.map((value, j) => Math.abs(value - own[j])))
    least = Math.min(least, dot(row, own) / Math.sqrt(dot(row, row) * dot(own, own)))
  }
  console.log(`${name}: difference ${difference.toExponential(1)}, cosine ${least.toFixed(5)}`)
}

const session = await InferenceSession.create(join(folder, 'onnx', 'model.onnx'))
const rows = []
for (const text of texts) {
  const { ids } = await model.tokenizer.encodeAll([text], model.maxSeqLength)
  const row = (values) => new Tensor('int64', BigInt64Array.from(values, BigInt), [1, ids.length])
  const inputs = { input_ids: row(ids), attention_mask: row(ids.map(() => 1)), token_type_ids: row(ids.map(() => 0)) }
  const given = Object.fromEntries(session.inputNames.map((name) => [name, inputs[name]]))
  rows.push([...(await session.run(given)).sentence_embedding.data])
}
compare('onnxruntime-node', rows)

env.localModelPath = dirname(folder)
env.allowRemoteModels = false
for (const dtype of ['fp32', 'q8']) {
  const extract = await pipeline('feature-extraction', basename(folder), { dtype })
  const found = await extract(texts, { pooling: 'mean', normalize: true })
  compare(`transformers.js, ${dtype}`, found.tolist())
}
await model.dispose()
