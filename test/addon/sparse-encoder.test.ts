// What a SparseEncoder refuses, and its settings. test/parity/sparse-encoder.test.ts has its values.
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { CrossEncoder, SentenceTransformer, SparseEmbeddings, SparseEncoder } from '../../lib/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'

const BERT = fileURLToPath(new URL('../../../test/parity/golden/sparse/bert/', import.meta.url))

/** A copy of the tiny model with another JSON file. */
async function changed(t: ExecutionContext, file: string, change: object): Promise<string> {
  const folder = join(await temporaryFolder(t), 'model')
  await cp(BERT, folder, { recursive: true })
  const path = join(folder, file)
  await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), ...change }))
  return folder
}

test('the folder of another class says which class to use', async (t) => {
  const wrong = (file: string) => ({ code: 'ERR_INVALID_MODEL', message: RegExp(`${file}.*use SparseEncoder.load`) })
  await t.throwsAsync(SentenceTransformer.load(BERT), wrong('modules.json'))
  await t.throwsAsync(CrossEncoder.load(BERT), wrong('config_sentence_transformers.json'))
  const config = 'config_sentence_transformers.json'
  const [dense, other] = [
    await changed(t, config, { model_type: 'SentenceTransformer' }),
    await changed(t, config, { model_type: 'MultiVectorEncoder' }),
  ]
  await t.throwsAsync(SparseEncoder.load(dense), { code: 'ERR_INVALID_MODEL', message: /use SentenceTransformer.load/ })
  await t.throwsAsync(SparseEncoder.load(other), { code: 'ERR_INVALID_MODEL', message: /use MultiVectorEncoder.load/ })
  await t.throwsAsync(SparseEncoder.load(await changed(t, config, { model_type: 'Other' })), {
    code: 'ERR_NOT_IMPLEMENTED',
    message: /"Other"/,
  })
})

test('what does not fit the vocabulary, and what is not built, is refused with its place', async (t) => {
  const pooling = '1_SpladePooling/config.json'
  const refused = async (file: string, change: object, code: string, message: RegExp) =>
    t.throwsAsync(SparseEncoder.load(await changed(t, file, change)), { code, message })
  await refused(pooling, { embedding_dimension: 70 }, 'ERR_INVALID_MODEL', /embedding_dimension 70.*vocab_size is 73/)
  await refused(
    pooling,
    { pooling_strategy: 'mean' },
    'ERR_INVALID_MODEL',
    /pooling_strategy "mean"; expected one of max, sum/,
  )
  await refused(pooling, { activation_function: 'gelu' }, 'ERR_INVALID_MODEL', /activation_function "gelu"/)
  await refused('config.json', { vocab_size: 60 }, 'ERR_INVALID_MODEL', /at most 60 tokens/)
  await refused('config.json', { vocab_size: 80 }, 'ERR_INVALID_TENSORS', /\[73\].*expected \[80\]/)
  const max = { max_active_dims: 0 }
  await refused('config_sentence_transformers.json', max, 'ERR_INVALID_MODEL', /max_active_dims/)
  await refused(
    'sentence_bert_config.json',
    { transformer_task: 'feature-extraction' },
    'ERR_NOT_IMPLEMENTED',
    /transformer_task/,
  )
})

test('a plain folder without a masked language model is refused', async (t) => {
  const folder = await changed(t, 'config.json', { architectures: ['BertModel'] })
  for (const name of ['modules.json', 'config_sentence_transformers.json', 'sentence_bert_config.json']) {
    await rm(join(folder, name))
  }
  await t.throwsAsync(SparseEncoder.load(folder), {
    code: 'ERR_NOT_IMPLEMENTED',
    message: /ForMaskedLM.*SparseAutoEncoder/,
  })
})

test('settings, one text, no texts and prompts', async (t) => {
  await using model = await SparseEncoder.load(BERT, { prompts: { query: 'the ' }, maxActiveDims: 4 })
  t.is(model.embeddingDimension, 73)
  t.is(model.similarityFnName, 'dot')
  t.is(model.maxActiveDims, 4)
  const one = await model.encode('dog ?')
  t.is(one.length, 1)
  t.is(one.row(0).indices.length, 4)
  model.maxActiveDims = null
  t.true((await model.encode('dog ?')).row(0).indices.length > 4)
  t.is((await model.encode([])).length, 0)
  t.deepEqual(await model.encodeQuery(['dog']), await model.encode(['the dog']))
  t.deepEqual(await model.encodeDocument(['dog']), await model.encode(['dog']))
  // Jobs of few rows give the same as jobs of many.
  const texts = Array.from({ length: 40 }, (_, i) => `the ${'big '.repeat(i % 7)}dog`)
  const all = await model.encode(texts)
  for (const i of [0, 13, 39]) {
    const { indices, values } = (await model.encode(texts[i]!)).row(0)
    t.deepEqual(all.row(i).indices, indices)
    for (const [k, value] of values.entries()) t.true(Math.abs(value - all.row(i).values[k]!) < 1e-5)
  }
  const { inputIds } = await model.tokenize(['dog ?'])
  const { sentenceEmbedding } = await model.forward(await model.tokenize(['dog ?']))
  t.is(inputIds.shape[0], 1)
  t.deepEqual(SparseEmbeddings.fromDense(sentenceEmbedding), await model.encode('dog ?'))
})

test('arguments that do not fit are refused', async (t) => {
  await using model = await SparseEncoder.load(BERT)
  const invalid = (message: RegExp) => ({ code: 'ERR_INVALID_ARGUMENT', message })
  await t.throwsAsync(model.encode(['a', 1] as never), invalid(/texts\[1\]/))
  await t.throwsAsync(model.encode('a', { maxActiveDims: 0 }), invalid(/maxActiveDims/))
  await t.throwsAsync(model.encode('a', { maxActiveDim: 1 } as never), { code: 'ERR_UNKNOWN_OPTION' })
  await t.throwsAsync(model.encode('a', { convertToSparseTensor: false } as never), { code: 'ERR_NOT_IMPLEMENTED' })
  await t.throwsAsync(model.exportOnnx(join(await temporaryFolder(t), 'onnx')), { code: 'ERR_NOT_IMPLEMENTED' })
  const [two, narrow] = [await model.encode(['dog', 'man']), SparseEmbeddings.fromDense(Float32Array.of(1, 0))]
  t.throws(() => model.decode(narrow), invalid(/dimension 73/))
  t.throws(() => model.decode(two, 0), invalid(/topK/))
  t.throws(() => model.similarity(two, narrow), invalid(/73 and 2/))
  t.throws(() => model.similarity(two, two.toDense() as never), invalid(/SparseEmbeddings/))
  t.throws(() => model.similarityPairwise(two, two.slice(0, 1)), invalid(/2 and 1/))
  t.throws(() => model.intersection(two, two), invalid(/one row/))
  t.deepEqual(model.sparsity(two.slice(0, 0)), { activeDims: 0, sparsityRatio: 1 })
  t.throws(
    () => {
      model.similarityFnName = 'maxsim' as never
    },
    invalid(/similarityFnName/),
  )
})
