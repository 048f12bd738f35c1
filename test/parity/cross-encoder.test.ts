// CrossEncoder against sentence-transformers' own: token ids of pairs, predictions, ranking, folders.
import { readFileSync } from 'node:fs'
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { pairTemplate } from '../../lib/data/pair-template.js'
import { TokenCache } from '../../lib/data/pairs.js'
import { CrossEncoder, type Pair } from '../../lib/models/cross-encoder.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { equal, report } from './report.js'
import { maxDifference } from './support.js'

const FOLDER = fileURLToPath(new URL('../../../test/parity/golden/cross-encoder/', import.meta.url))
const TOLERANCE = 1e-5

type Rows = number[] | number[][]
interface Golden {
  pairs: [string, string][]
  tokens: { maxLength: number; ids: number[][]; types: number[][] }[]
  predictions: Record<'one' | 'three', Record<'default' | 'logits' | 'tanh' | 'softmax' | 'prompted', Rows>> & {
    rank: { query: string; documents: string[]; found: { corpus_id: number; score: number; text: string }[] }
  }
}
const golden = JSON.parse(readFileSync(join(FOLDER, 'golden.json'), 'utf8')) as Golden

test('pairs have the token ids, types and cuts of the Hugging Face tokenizer', async (t) => {
  await using model = await CrossEncoder.load(join(FOLDER, 'one'))
  const cache = new TokenCache()
  for (const { maxLength, ids, types } of [...golden.tokens, ...golden.tokens]) {
    const rows = await model.pairTokenizer.encode(
      golden.pairs.map(([first]) => first),
      golden.pairs.map(([, second]) => second),
      maxLength,
      { cache },
    )
    for (const [i, pair] of golden.pairs.entries()) {
      const range = [rows.offsets[i], rows.offsets[i + 1]] as const
      t.deepEqual([...rows.ids.subarray(...range)], ids[i], `${maxLength}: ${pair}`)
      t.deepEqual([...rows.tokenTypes!.subarray(...range)], types[i], `${maxLength}: ${pair}`)
      equal('cross-encoder', 'tokens')
    }
  }
})

for (const name of ['one', 'three'] as const) {
  test(`predictions equal Python's: ${name}`, async (t) => {
    await using model = await CrossEncoder.load(join(FOLDER, name))
    t.is(model.numLabels, name === 'one' ? 1 : 3)
    t.is(model.maxLength, 40)
    t.is(model.activationFn, name === 'one' ? 'sigmoid' : 'identity')
    const expected = golden.predictions[name]
    const cases = {
      default: {},
      logits: { activationFn: 'identity' },
      tanh: { activation: 'tanh', batchSize: 1 },
      softmax: { applySoftmax: true },
      prompted: { prompt: 'the dog: ' },
    } as const
    for (const [kind, options] of Object.entries(cases)) {
      const { data, shape } = await model.predict(golden.pairs, options)
      t.deepEqual(shape, name === 'one' ? [12] : [12, 3])
      const difference = maxDifference(data, expected[kind as keyof typeof cases].flat())
      t.true(difference < TOLERANCE, `${kind}: ${difference}`)
      report('cross-encoder', 'predict', { deviation: difference, allowed: TOLERANCE })
    }
    const single = await model.predict(golden.pairs[1] as Pair)
    t.true(maxDifference(single, [expected.default[1]!].flat()) < TOLERANCE)
  })
}

test('ranking equals Python’s', async (t) => {
  await using model = await CrossEncoder.load(join(FOLDER, 'one'))
  const { query, documents, found } = golden.predictions.rank
  const hits = await model.rank(query, documents, { topK: 7, returnDocuments: true })
  t.deepEqual(
    hits.map(({ text }) => text),
    found.map(({ text }) => text),
  )
  t.true(
    maxDifference(
      hits.map((hit) => hit.score),
      found.map((hit) => hit.score),
    ) < TOLERANCE,
  )
  t.deepEqual(Object.keys((await model.rank(query, documents, { topK: 1 }))[0]!), ['corpusId', 'score'])
  t.deepEqual(await model.rank(query, []), [])
  // Over one label a softmax would make all scores 1.
  const warnings: (Error & { code?: string })[] = []
  const listen = (warning: Error) => warnings.push(warning)
  process.on('warning', listen)
  for (let time = 0; time < 2; time++) {
    t.deepEqual(await model.rank(query, documents, { topK: 7, returnDocuments: true, applySoftmax: true }), hits)
  }
  await new Promise(setImmediate)
  process.off('warning', listen)
  t.is(warnings.filter(({ code }) => code === 'WARN_RANK_SOFTMAX').length, 1)
  await using three = await CrossEncoder.load(join(FOLDER, 'three'))
  await t.throwsAsync(three.rank(query, documents), { code: 'ERR_INVALID_ARGUMENT', message: /predict/ })
})

test('a saved folder loads with equal predictions and settings', async (t) => {
  const target = join(await temporaryFolder(t), 'saved')
  await using model = await CrossEncoder.load(join(FOLDER, 'three'), { prompts: { query: 'the cat ' } })
  model.activationFn = 'softmax'
  model.maxLength = 17
  await model.save(target)
  t.deepEqual((await readdir(target)).sort(), [
    ...['README.md', 'config.json', 'config_sentence_transformers.json', 'model.safetensors', 'modules.json'],
    ...['sentence_bert_config.json', 'tokenizer.json', 'tokenizer_config.json'],
  ])
  await using again = await CrossEncoder.load(target)
  t.is(again.maxLength, 17)
  t.is(again.activationFn, 'softmax')
  t.deepEqual(again.prompts, { query: 'the cat ' })
  const options = { promptName: 'query' }
  t.deepEqual((await again.predict(golden.pairs, options)).data, (await model.predict(golden.pairs, options)).data)
  const config = JSON.parse(await readFile(join(target, 'config.json'), 'utf8'))
  t.deepEqual(config.architectures, ['BertForSequenceClassification'])
  t.deepEqual(config.id2label, { 0: 'LABEL_0', 1: 'LABEL_1', 2: 'LABEL_2' })
})

test.serial('a bare transformer gets a seeded classifier and a warning', async (t) => {
  const warnings: string[] = []
  const listen = (warning: Error) => warnings.push(warning.message)
  process.on('warning', listen)
  const logits = async (options: object) => {
    await using model = await CrossEncoder.load(join(FOLDER, 'bare'), options)
    return await model.predict(golden.pairs, { activationFn: 'identity' })
  }
  const first = await logits({})
  const two = await logits({ numLabels: 2, seed: 3 })
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', listen)
  t.deepEqual(first.shape, [12])
  t.deepEqual(two.shape, [12, 2])
  t.true(first.data.every((value) => value !== 0))
  t.deepEqual((await logits({})).data, first.data)
  t.notDeepEqual((await logits({ seed: 1 })).data, first.data)
  t.true(warnings.some((text) => /classifier\.weight, classifier\.bias/.test(text) && !/pooler/.test(text)))
})

test('folders of older versions: where each keeps the activation, and none of it', async (t) => {
  const folder = await temporaryFolder(t)
  await cp(join(FOLDER, 'one'), folder, { recursive: true })
  for (const file of ['modules.json', 'config_sentence_transformers.json', 'sentence_bert_config.json']) {
    await rm(join(folder, file))
  }
  const file = join(folder, 'config.json')
  const config = JSON.parse(await readFile(file, 'utf8'))
  const load = async (changes: object) => {
    await writeFile(file, JSON.stringify({ ...config, ...changes }))
    await using model = await CrossEncoder.load(folder)
    const expected = golden.predictions.one[model.activationFn === 'identity' ? 'logits' : 'default']
    t.true(maxDifference((await model.predict(golden.pairs)).data, expected.flat()) < TOLERANCE)
    return model.activationFn
  }
  const identity = 'torch.nn.modules.linear.Identity'
  t.is(await load({}), 'sigmoid')
  t.is(await load({ sentence_transformers: { activation_fn: identity, version: '5.2.0' } }), 'identity')
  t.is(await load({ sbert_ce_default_activation_function: identity }), 'identity')
  t.is(await load({ sentence_transformers: { activation_fn: 'my.Code' } }), 'sigmoid')
  await t.throwsAsync(load({ sbert_ce_default_activation_function: 'torch.nn.modules.activation.Mish' }), {
    code: 'ERR_NOT_IMPLEMENTED',
    message: /Mish/,
  })
})

test('what does not fit is refused', async (t) => {
  await t.throwsAsync(CrossEncoder.load(join(FOLDER, 'three'), { numLabels: 2 }), {
    code: 'ERR_INVALID_TENSORS',
    message: /classifier\.weight is \[3,16\].*expected \[2,16\]/,
  })
  await t.throwsAsync(CrossEncoder.load(join(FOLDER, 'one'), { maxLength: 41 }), { code: 'ERR_INVALID_ARGUMENT' })
  await t.throwsAsync(CrossEncoder.load(join(FOLDER, 'one'), { maxLenght: 4 } as object), {
    code: 'ERR_UNKNOWN_OPTION',
    message: /maxLength/,
  })
  const model = await CrossEncoder.load(join(FOLDER, 'one'))
  await t.throwsAsync(model.predict([['a', 'b'], ['a']] as unknown as Pair[]), { message: /pairs\[1\]/ })
  await t.throwsAsync(model.predict(golden.pairs, { promptName: 'query' }), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(() => model.encoder && Object.assign(model, { maxLength: 2 }), { code: 'ERR_INVALID_ARGUMENT' })
  await model.dispose()
  await t.throwsAsync(model.predict(golden.pairs), { code: 'ERR_DISPOSED' })
})

test('pair templates of other tokenizers', (t) => {
  const roberta = pairTemplate({ type: 'RobertaProcessing', cls: ['<s>', 0], sep: ['</s>', 2] })
  t.deepEqual(roberta, [
    { ids: [0], type: 0 },
    { text: 0, type: 0 },
    { ids: [2, 2], type: 0 },
    { text: 1, type: 0 },
    { ids: [2], type: 0 },
  ])
  const bert = { type: 'BertProcessing', cls: ['[CLS]', 1], sep: ['[SEP]', 2] }
  t.deepEqual(pairTemplate({ type: 'Sequence', processors: [{ type: 'ByteLevel' }, bert] }), pairTemplate(bert))
  t.deepEqual(pairTemplate(null), [
    { text: 0, type: 0 },
    { text: 1, type: 1 },
  ])
  t.throws(() => pairTemplate({ type: 'Other' }), { code: 'ERR_INVALID_MODEL' })
})
