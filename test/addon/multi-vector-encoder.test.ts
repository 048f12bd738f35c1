// Models with a vector for each token: training, saving, and what is refused.
import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import {
  Dataset,
  losses,
  MultiVectorEncoder,
  MultiVectorEncoderTrainer,
  multiVectorLosses,
  SentenceTransformer,
} from '../../lib/index.js'
import { readerOfEncoder } from '../../lib/models/merging/readers.js'
import type { AnyBatchMaker } from '../../lib/training/batches/batch.js'
import { callProgram } from '../helpers/call-program.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { tinyFolder } from '../helpers/tiny-folder.js'

const GOLDEN = fileURLToPath(new URL('../../../test/parity/golden/', import.meta.url))
const CLASSIC = `${GOLDEN}multi-vector/classic`

const rows = Array.from({ length: 16 }, (_, i) => ({
  query: ['a cat', 'the dog', 'slow runs', 'fast mat'][i % 4]!,
  positive: ['the cat sat', 'a dog runs on', 'not slow', 'the mat , fast'][i % 4]!,
}))

for (const loss of [
  new multiVectorLosses.MultiVectorMultipleNegativesRankingLoss(),
  new multiVectorLosses.CachedMultiVectorMultipleNegativesRankingLoss({ miniBatchSize: 3 }),
]) {
  test(`${loss.type}: a training lowers the loss, and what is saved encodes the same`, async (t) => {
    const folder = await temporaryFolder(t)
    const model = await MultiVectorEncoder.load(`${GOLDEN}multi-vector-losses/model`)
    const trainer = new MultiVectorEncoderTrainer({
      model,
      trainDataset: Dataset.fromRows(rows),
      evalDataset: Dataset.fromRows(rows.slice(0, 4)),
      loss,
      args: {
        outputDir: folder,
        maxSteps: 30,
        perDeviceTrainBatchSize: 4,
        learningRate: 1e-2,
        loggingSteps: 10,
        saveStrategy: 'no',
        batchSampler: 'no_duplicates',
        prompts: { query: '[unused0] ', positive: '[unused1] ' },
        maxSeqLength: { positive: 10 },
      },
      progress: false,
    })
    const before = await trainer.evaluate()
    await trainer.train()
    const after = await trainer.evaluate()
    t.true(after.eval_loss! < before.eval_loss!, `${before.eval_loss} → ${after.eval_loss}`)
    const saved = join(folder, 'saved')
    await model.save(saved)
    const again = await MultiVectorEncoder.load(saved)
    const [a, b] = [await model.encodeQuery(['a slow cat']), await again.encodeQuery(['a slow cat'])]
    t.deepEqual([b.data, b.offsets], [a.data, a.offsets])
    t.is(String(again), String(model))
    const card = await readFile(join(saved, 'README.md'), 'utf8')
    for (const part of [
      'Multi-Vector Encoder',
      '**Maximum Query Length:** 8 tokens',
      loss.type,
      'MaxSim',
      'pipeline_tag: feature-extraction',
    ]) {
      t.true(card.includes(part), part)
    }
    await Promise.all([model.dispose(), again.dispose()])
  })
}

test('checkpoints go on bit for bit', async (t) => {
  const folder = await temporaryFolder(t)
  const train = async (maxSteps: number, resumeFromCheckpoint: boolean, outputDir: string) => {
    const model = await MultiVectorEncoder.load(`${GOLDEN}multi-vector/pooled`)
    const args = {
      outputDir,
      maxSteps,
      perDeviceTrainBatchSize: 4,
      saveSteps: 2,
      learningRate: 1e-3,
      lrSchedulerType: 'constant' as const,
    }
    await new MultiVectorEncoderTrainer({ model, trainDataset: Dataset.fromRows(rows), args, progress: false }).train({
      resumeFromCheckpoint,
    })
    const { data } = await model.encodeDocument(['the cat sat on the mat'])
    await model.dispose()
    return [...data]
  }
  const whole = await train(4, false, join(folder, 'whole'))
  await train(2, false, join(folder, 'parts'))
  t.deepEqual(await train(4, true, join(folder, 'parts')), whole)
})

// What Python's collator gives its tokenizer: the length of the column's task, which a column by its name may change.
test('maxSeqLength by task, by column and for all; the model keeps its own lengths; tokens are kept on the disk', async (t) => {
  const folder = await temporaryFolder(t)
  const model = await MultiVectorEncoder.load(`${GOLDEN}multi-vector/kept`)
  const words = 'the cat sat on the mat , a dog runs on the mat'
  const trainDataset = Dataset.fromRows([words, 'a cat'].map((text) => ({ query: text, positive: text })))
  const loss = new multiVectorLosses.MultiVectorMultipleNegativesRankingLoss()
  const lengths = async (args: object) => {
    const trainer = new MultiVectorEncoderTrainer({ model, trainDataset, loss, args, progress: false })
    const parts = { loss, dataset: '', signal: undefined, timings: undefined }
    const maker = (trainer as unknown as { batchMaker(parts: object): AnyBatchMaker }).batchMaker(parts)
    const batch = await maker.make({ dataset: trainDataset, rows: Int32Array.of(0) }, { epoch: 0, index: 0 })
    await maker.close?.()
    return [batch.offsets[1]!, batch.offsets[2]! - batch.offsets[1]!]
  }
  const whole = await lengths({})
  t.true(whole[0]! > 9)
  const tokenCacheDir = join(folder, 'tokens')
  for (const more of [{}, { tokenCacheDir }, { tokenCacheDir }]) {
    t.deepEqual(await lengths({ ...more }), whole)
    t.deepEqual(await lengths({ ...more, maxSeqLength: 5 }), [5, 5])
    t.deepEqual(await lengths({ ...more, maxSeqLength: { query: 4, document: 9 } }), [4, 9])
    t.deepEqual(await lengths({ ...more, maxSeqLength: { document: 9 } }), [whole[0], 9])
    t.deepEqual(await lengths({ ...more, maxSeqLength: { document: 9, positive: 6 } }), [whole[0], 6])
  }
  t.deepEqual([model.maxSeqLength, model.documentLength], [24, null])
  t.true((await readdir(tokenCacheDir)).length > 0)
  await model.dispose()
  // A fixed expansion is the length of queries, whatever is said.
  const fixed = await MultiVectorEncoder.load(CLASSIC)
  const trainer = new MultiVectorEncoderTrainer({
    model: fixed,
    trainDataset,
    loss,
    args: { maxSeqLength: 4 },
    progress: false,
  })
  const maker = (trainer as unknown as { batchMaker(parts: object): AnyBatchMaker }).batchMaker({ loss, dataset: '' })
  const { offsets } = await maker.make({ dataset: trainDataset, rows: Int32Array.of(0) }, { epoch: 0, index: 0 })
  t.deepEqual([...offsets], [0, 10, 14])
  await fixed.dispose()
})

test('models are merged with their projections, in memory, from folders and by the program', async (t) => {
  const folder = await temporaryFolder(t)
  const [first, second] = [await MultiVectorEncoder.load(CLASSIC), await MultiVectorEncoder.load(CLASSIC)]
  const args = { maxSteps: 2, learningRate: 1e-2, saveStrategy: 'no' as const, outputDir: join(folder, 'run') }
  const trainDataset = Dataset.fromRows(rows.slice(0, 8))
  await new MultiVectorEncoderTrainer({ model: second, trainDataset, args, progress: false }).train()
  await second.save(join(folder, 'second'))
  const options = { parameters: { weight: [0.25, 0.75] }, outputPath: join(folder, 'merged') }
  const merged = await MultiVectorEncoder.merge([first, join(folder, 'second')], 'linear', options)
  const [a, b, c] = [first, second, merged].map(({ encoder }) => readerOfEncoder(encoder))
  for (const { name } of merged.encoder.tensors()) {
    const [one, two, found] = [await a!(name), await b!(name), await c!(name)]
    const off = Math.max(...Array.from(one, (value, i) => Math.abs(0.25 * value + 0.75 * two[i]! - found[i]!)))
    t.true(off <= 1e-6, `${name}: ${off}`)
  }
  t.is(String(merged), String(first))
  const words = ['merge', CLASSIC, join(folder, 'second'), '--weight', '0.25,0.75', '--output', join(folder, 'again')]
  const { code, err } = await callProgram(words)
  t.is(code, 0, err)
  const again = await MultiVectorEncoder.load(join(folder, 'again'))
  const [x, y] = [await merged.encodeQuery(['a slow cat']), await again.encodeQuery(['a slow cat'])]
  t.deepEqual([...y.data], [...x.data])
  const refused = (models: string[], code: string, message: RegExp) =>
    t.throwsAsync(MultiVectorEncoder.merge(models), { code, message })
  await refused([CLASSIC, `${GOLDEN}multi-vector/pooled`], 'ERR_INVALID_ARGUMENT', /the same (modules|architecture)/)
  await refused([`${GOLDEN}multi-vector/stanford`, CLASSIC], 'ERR_NOT_IMPLEMENTED', /Stanford/)
  await tinyFolder(join(folder, 'tiny'))
  await refused([CLASSIC, join(folder, 'tiny')], 'ERR_NOT_IMPLEMENTED', /no projection/)
  const sparse = await callProgram([
    'merge',
    `${GOLDEN}sparse/bert`,
    `${GOLDEN}sparse/bert`,
    '--output',
    join(folder, 'no'),
  ])
  t.is(sparse.code, 1)
  t.regex(sparse.err, /SparseEncoder.*not built/)
  await Promise.all([first, second, merged, again].map((model) => model.dispose()))
})

test('losses and data of other models are refused', async (t) => {
  const model = await MultiVectorEncoder.load(CLASSIC)
  const trainDataset = Dataset.fromRows(rows)
  t.throws(() => new MultiVectorEncoderTrainer({ model, trainDataset, loss: new losses.CoSENTLoss() as never }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /multiVectorLosses/,
  })
  const loss = new multiVectorLosses.MultiVectorMarginMSELoss()
  t.throws(() => new MultiVectorEncoderTrainer({ model, trainDataset, loss }), {
    code: 'ERR_INVALID_DATA',
    message: /3 text columns/,
  })
  t.throws(() => new MultiVectorEncoderTrainer({ model, trainDataset, args: { maxSeqLength: { question: 8 } } }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /maxSeqLength.*question.*query, positive, query, document/,
  })
  t.throws(() => new MultiVectorEncoderTrainer({ model: {} as never, trainDataset }), {
    message: /a MultiVectorEncoder/,
  })
  await t.throwsAsync(() => model.exportOnnx('somewhere'), { code: 'ERR_NOT_IMPLEMENTED' })
  await model.dispose()
})

test('folders of other classes, and settings that do not fit, are refused', async (t) => {
  const folder = await temporaryFolder(t)
  await t.throwsAsync(() => SentenceTransformer.load(CLASSIC), { message: /MultiVector/ })
  const change = async (file: string, changes: object) => {
    const copy = join(folder, 'copy')
    await cp(CLASSIC, copy, { recursive: true, force: true })
    const path = join(copy, file)
    await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), ...changes }))
    return MultiVectorEncoder.load(copy)
  }
  const config = 'config_sentence_transformers.json'
  const refused = async (file: string, changes: object, code: string, message: RegExp) => {
    await t.throwsAsync(() => change(file, changes), { code, message })
  }
  await refused(config, { model_type: 'SparseEncoder' }, 'ERR_INVALID_MODEL', /SparseEncoder\.load/)
  const own = 'sentence_bert_config.json'
  await refused(own, { query_expansion: { strategy: 'most', length: 4 } }, 'ERR_INVALID_MODEL', /fixed or min.*"most"/)
  await refused(
    own,
    { query_expansion: { strategy: 'min', length: 0 } },
    'ERR_INVALID_MODEL',
    /positive integer as length/,
  )
  const token = { strategy: 'min', length: 4, token: 'horse' }
  await refused(own, { query_expansion: token }, 'ERR_INVALID_MODEL', /token of the vocabulary.*"horse"/)
  await refused(own, { document_length: 0.5 }, 'ERR_INVALID_MODEL', /document_length/)
  await refused('2_MultiVectorMask/config.json', { skiplist_tasks: 7 }, 'ERR_INVALID_MODEL', /skiplistTasks/)
  await refused('1_Dense/config.json', { in_features: 9 }, 'ERR_INVALID_MODEL', /in_features 9/)
  await t.throwsAsync(() => MultiVectorEncoder.load(CLASSIC, { queryLength: 3 }), { message: /at least 10/ })
  await t.throwsAsync(() => MultiVectorEncoder.load(CLASSIC, { similarityFnName: 'xtr' as never }), {
    message: /xtr_scores/,
  })
  const model = await MultiVectorEncoder.load(CLASSIC)
  t.throws(() => (model.similarityFnName = 'cosine' as never), { code: 'ERR_INVALID_ARGUMENT' })
  await t.throwsAsync(() => model.encode(['a', 1 as never]), { message: /texts\[1\]/ })
  model.queryExpansion = null
  t.deepEqual((await model.encodeQuery('a cat')).shape, [8, 4])
  await model.dispose()
})

// [PAD] is id 0 of the golden vocabulary.
test('a document all of whose tokens are left out has no vectors, and scores below all others', async (t) => {
  const folder = await temporaryFolder(t)
  await cp(CLASSIC, folder, { recursive: true })
  const path = join(folder, '2_MultiVectorMask', 'config.json')
  const words = ['[CLS]', '[SEP]', '.', 'the']
  await writeFile(
    path,
    JSON.stringify({ skiplist_words: words, skiplist_tasks: ['document'], keep_only_token_ids: null }),
  )
  const model = await MultiVectorEncoder.load(folder)
  const documents = await model.encodeDocument(['.', 'a cat'])
  t.deepEqual([...documents.offsets], [0, 0, 2])
  const hits = await model.rank('a cat', ['.', 'a cat'])
  t.deepEqual(
    hits.map(({ corpusId }) => corpusId),
    [1, 0],
  )
  t.is(hits[1]!.score, -1e9)
  await model.dispose()
})
