// Sparse encoders put together of modules, weights of tokens from an idf.json, and streams of texts.
import { readFileSync } from 'node:fs'
import { cp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import {
  Pooling,
  Router,
  SentenceTransformer,
  SparseEncoder,
  type SparseEncoderModules,
  SparseStaticEmbedding,
  SpladePooling,
  Transformer,
} from '../../lib/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'

const folderOf = (name: string) => fileURLToPath(new URL(`../../../test/parity/golden/${name}/`, import.meta.url))
const SPARSE = folderOf('sparse')
const ROUTER = folderOf('sparse-router')
const QUERY = 'query_0_SparseStaticEmbedding'
const DOCUMENT = 'document_0_Transformer'
const golden: { texts: string[]; models: Record<string, { embeddings: Record<string, number[]> }> } = JSON.parse(
  readFileSync(join(ROUTER, 'golden.json'), 'utf8'),
)
const { texts } = golden
/** make_sparse_router.py */
const WORDS = 'the a cat dog runs sat on mat ##s fast slow not , .'.split(' ')
const IDF = Object.fromEntries(WORDS.map((word, i) => [word, 0.5 + 0.25 * i]))
const SPLADE = { transformerTask: 'fill-mask' } as const

const near = (t: ExecutionContext, found: Float32Array, wanted: readonly number[]) => {
  t.is(found.length, wanted.length)
  t.true(found.every((value, i) => Math.abs(value - wanted[i]!) <= 1e-5))
}

test('a transformer and SpladePooling are the model that its folder is', async (t) => {
  for (const name of ['bert', 'untied', 'bert-sum']) {
    await using loaded = await SparseEncoder.load(join(SPARSE, name))
    const pooling = new SpladePooling({ poolingStrategy: name === 'bert-sum' ? 'sum' : 'max' })
    const modules: SparseEncoderModules = [await Transformer.load(join(SPARSE, name), SPLADE), pooling]
    await using model = await SparseEncoder.fromModules(modules, { maxActiveDims: 5 })
    t.is(String(model), String(loaded))
    const texts = ['the man plays guitar .', 'dog ?']
    t.deepEqual(await model.encode(texts), await loaded.encode(texts, { maxActiveDims: 5 }))
    const saved = await temporaryFolder(t)
    await model.save(saved)
    await using again = await SparseEncoder.load(saved)
    t.is(again.maxActiveDims, 5)
    t.deepEqual(await again.encode(texts), await model.encode(texts))
  }
})

test('a new masked language model is one', async (t) => {
  const { config } = await Transformer.load(join(SPARSE, 'bert'), SPLADE)
  const options = { tokenizer: join(SPARSE, 'bert'), seed: 3 }
  const first = await Transformer.create(config, { ...options, ...SPLADE })
  await using model = await SparseEncoder.fromModules([first, new SpladePooling()])
  const folder = await temporaryFolder(t)
  await model.save(folder)
  await using again = await SparseEncoder.load(folder)
  t.deepEqual(await again.encode('the man'), await model.encode('the man'))
  t.true((await model.encode('the man')).indices.length > 0)
})

test('a tokenizer with more tokens than the words of the head is refused', async (t) => {
  const { config } = await Transformer.load(join(SPARSE, 'bert'), SPLADE)
  const first = await Transformer.create({ ...config, vocab_size: 60 }, { tokenizer: join(SPARSE, 'bert'), ...SPLADE })
  await t.throwsAsync(SparseEncoder.fromModules([first, new SpladePooling()]), {
    code: 'ERR_INVALID_MODEL',
    message: /at most 60 tokens.*found 73/,
  })
})

test('a Router of weights and SPLADE encodes as the saved one of Python', async (t) => {
  const folder = join(ROUTER, 'learned')
  const document = [await Transformer.load(join(folder, DOCUMENT), SPLADE), new SpladePooling()]
  const query = await SparseStaticEmbedding.load(join(folder, QUERY))
  t.is(query.embeddingDimension, 19)
  const saved = await temporaryFolder(t)
  await using model = await SparseEncoder.fromModules([Router.forQueryDocument([query], document)])
  await model.save(saved)
  await using again = await SparseEncoder.load(saved)
  for (const one of [model, again]) {
    for (const task of ['query', 'document']) {
      near(t, (await one.encode(texts, { task })).toDense().data, golden.models.learned!.embeddings[task]!)
    }
  }
  t.is(String(again), String(model))
})

test('weights of an idf.json are those that Python makes of it', async (t) => {
  const folder = join(await temporaryFolder(t), 'model')
  await cp(join(ROUTER, 'frozen'), folder, { recursive: true })
  const own = join(folder, QUERY)
  await rm(join(own, 'model.safetensors'))
  const idf = join(own, 'idf.json')
  const config = (path: unknown) => writeFile(join(own, 'config.json'), JSON.stringify({ frozen: true, path }))
  await writeFile(idf, JSON.stringify(IDF))
  const wanted = golden.models.frozen!.embeddings.query!
  const saved = await temporaryFolder(t)
  for (const path of ['idf.json', idf]) {
    await config(path)
    await using model = await SparseEncoder.load(folder)
    near(t, (await model.encode(texts, { task: 'query' })).toDense().data, wanted)
    await model.save(saved)
  }
  await using again = await SparseEncoder.load(saved)
  near(t, (await again.encode(texts, { task: 'query' })).toDense().data, wanted)
  const made = await SparseStaticEmbedding.fromJson(idf, { tokenizer: own, frozen: true })
  await using alone = await SparseEncoder.fromModules([made])
  near(t, (await alone.encode(texts)).toDense().data, wanted)

  const refused = (message: RegExp) => t.throwsAsync(SparseEncoder.load(folder), { code: 'ERR_INVALID_MODEL', message })
  await writeFile(idf, JSON.stringify({ ...IDF, elephant: 2 }))
  await refused(/idf\.json, found "elephant", which it does not have/)
  await writeFile(idf, JSON.stringify({ ...IDF, cat: '2' }))
  await refused(/a number for "cat" in .*idf\.json, found "2"/)
  await config('other.json')
  await refused(/no other\.json, the path of .*config\.json/)
  await config('weights.txt')
  await refused(/ends in \.json as path/)
  await t.throwsAsync(SparseStaticEmbedding.fromJson(join(own, 'none.json'), { tokenizer: own }), {
    code: 'ERR_NOT_FOUND',
    message: /none\.json/,
  })
})

test('new weights are 1 for all tokens, or those of the caller', async (t) => {
  const tokenizer = join(ROUTER, 'learned', QUERY)
  await using ones = await SparseEncoder.fromModules([await SparseStaticEmbedding.create({ tokenizer })])
  const { values } = (await ones.encode('the cat runs')).row(0)
  t.deepEqual([...values], [1, 1, 1])
  const weight = Array.from({ length: 19 }, (_, i) => i / 2)
  await using own = await SparseEncoder.fromModules([await SparseStaticEmbedding.create({ tokenizer, weight })])
  t.deepEqual([...(await own.encode('the cat')).row(0).values], [2.5, 3.5])
  await t.throwsAsync(SparseStaticEmbedding.create({ tokenizer, weight: [1] }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /19 numbers, one for each id/,
  })
  t.throws(() => new (SparseStaticEmbedding as never as new () => unknown)(), { code: 'ERR_INVALID_ARGUMENT' })
})

test('modules of another class, or for another use, are refused', async (t) => {
  const features = await Transformer.load(join(SPARSE, 'plain'))
  const logits = await Transformer.load(join(SPARSE, 'bert'), SPLADE)
  const refused = (made: Promise<unknown>, message: RegExp) =>
    t.throwsAsync(made, { code: 'ERR_INVALID_ARGUMENT', message })
  await refused(SparseEncoder.fromModules([features, new SpladePooling()]), /'fill-mask' before SpladePooling/)
  await refused(
    SentenceTransformer.fromModules([logits, new Pooling('mean')]),
    /'feature-extraction' before other modules/,
  )
  await refused(SparseEncoder.fromModules([features, new Pooling('mean')]), /use SentenceTransformer/)
  await refused(SparseEncoder.fromModules([] as never), /SparseStaticEmbedding, after await/)
  await refused(SparseEncoder.fromModules([new SpladePooling()] as never), /a Transformer, a StaticEmbedding/)
  await refused(Transformer.load(join(SPARSE, 'bert'), { transformerTask: 'other' as never }), /fill-mask/)
  await t.throwsAsync(SparseEncoder.fromModules([logits, new SpladePooling()], { truncateDim: 3 } as never), {
    code: 'ERR_UNKNOWN_OPTION',
  })
  await t.throwsAsync(SparseEncoder.load(SPARSE, { modules: [] } as never), {
    code: 'ERR_NOT_IMPLEMENTED',
    message: /SparseEncoder\.fromModules/,
  })
})

test('a stream gives the rows of its texts in order', async (t) => {
  await using model = await SparseEncoder.load(join(SPARSE, 'bert'))
  const lines = Array.from({ length: 700 }, (_, i) => `the ${'big '.repeat(i % 5)}dog ${i % 11 === 0 ? 'plays' : 'is'}`)
  const all = await model.encode(lines, { maxActiveDims: 6 })
  async function* source() {
    yield* lines
  }
  let i = 0
  for await (const { indices, values } of model.encodeStream(source(), { maxActiveDims: 6 })) {
    t.deepEqual(indices, all.row(i).indices)
    const wanted = all.row(i++).values
    t.true(values.every((value, k) => Math.abs(value - wanted[k]!) < 1e-5))
  }
  t.is(i, lines.length)
  const first = async (options: object, texts: unknown = lines) => {
    for await (const row of model.encodeStream(texts as string[], options)) return row
    return undefined
  }
  t.deepEqual((await first({ maxActiveDims: 2 }))!.indices.length, 2)
  await t.throwsAsync(first({}, ['a', 5]), { code: 'ERR_INVALID_ARGUMENT', message: /texts\[1\]/ })
  await t.throwsAsync(first({ other: 1 }), { code: 'ERR_UNKNOWN_OPTION' })
})
