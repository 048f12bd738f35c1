// Losses with a language-model head start from the checkpoint's, as transformers and sentence-transformers do; golden values by
// test/parity/make_language_models.py.
import { readdirSync, readFileSync } from 'node:fs'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import {
  Dataset,
  losses,
  SentenceTransformer,
  SentenceTransformerTrainer,
  type SentenceTransformerTrainerOptions,
} from '../../lib/index.js'
import { writeSafetensors } from '../../lib/io/safetensors.js'
import { LanguageModelWeights } from '../../lib/models/language-model.js'
import { loadAddon } from '../../lib/native/load.js'
import type { PackedBatch } from '../../lib/native/types.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { firstLoss, tensorsOf } from './language-models.js'
import { report } from './report.js'

const ROOT = fileURLToPath(new URL('../../../test/parity/golden/language-models/', import.meta.url))
const golden = JSON.parse(readFileSync(join(ROOT, 'golden.json'), 'utf8')) as {
  ids: number[][]
  targets: number[][]
  masked: Record<string, { missing: string[]; loss: number | null; tied: boolean }>
  pairs: [string, string][]
  denoising: { tied: number; untied: number }
}

/** A checkpoint with the tokenizer's files. */
async function checkpoint(t: ExecutionContext, name: string): Promise<string> {
  const folder = await temporaryFolder(t)
  for (const part of ['tokenizer', name]) await cp(join(ROOT, part), folder, { recursive: true })
  return folder
}

/** `folder` as sentence-transformers has it, pooling by [CLS]. */
async function withPooling(folder: string): Promise<string> {
  const json = (path: string, value: object) => writeFile(join(folder, path), JSON.stringify(value))
  await mkdir(join(folder, '1_Pooling'))
  await json('modules.json', [
    { idx: 0, name: '0', path: '', type: 'sentence_transformers.models.Transformer' },
    { idx: 1, name: '1', path: '1_Pooling', type: 'sentence_transformers.models.Pooling' },
  ])
  await json('1_Pooling/config.json', { word_embedding_dimension: 16, pooling_mode_cls_token: true })
  return folder
}

function batch(): PackedBatch {
  const flat = (rows: number[][]) => Int32Array.from(rows.flat())
  const offsets = Int32Array.from([0, ...golden.ids.map((_, i) => golden.ids.slice(0, i + 1).flat().length)])
  return { ids: flat(golden.ids), offsets, columns: 1, targets: { ids: flat(golden.targets), offsets } }
}

test('masked language models: the loss of every checkpoint is that of AutoModelForMaskedLM', async (t) => {
  let compared = 0
  for (const [name, { loss, tied, missing }] of Object.entries(golden.masked)) {
    const folder = await checkpoint(t, name)
    const weights = await LanguageModelWeights.open({ transformerPath: folder, id: undefined, addon: loadAddon() })
    await weights.close()
    t.is(weights.tieWordEmbeddings, tied, name)
    // decoder.bias is another name of bias here.
    for (const absent of missing)
      t.is(weights.shape(absent.replace('decoder.bias', 'bias')), undefined, `${name}: ${absent}`)
    if (loss === null) continue
    const found = await firstLoss(folder, new losses.MaskedLanguageModelLoss(), batch())
    t.true(Math.abs(found - loss) <= 1e-5 * loss, `${name}: ${found}, in Python ${loss}`)
    report('language-models', 'MaskedLanguageModelLoss', {
      part: 'checkpoints',
      deviation: Math.abs(found - loss) / loss,
      allowed: 1e-5,
    })
    compared++
    // The head of another folder, or that of the same by its path.
    const own = new losses.MaskedLanguageModelLoss({ decoderNameOrPath: folder })
    t.is(await firstLoss(folder, own, batch()), found, name)
  }
  t.is(compared, 11)
})

async function train(folder: string, options: Partial<SentenceTransformerTrainerOptions>) {
  await using model = await SentenceTransformer.load(folder)
  const records: Readonly<Record<string, number>>[] = []
  const trainer = new SentenceTransformerTrainer({
    model,
    trainDataset: Dataset.fromColumns({ text: golden.pairs.map(([, text]) => text) }),
    progress: false,
    ...options,
    callbacks: [{ onLog: (record) => void records.push(record) }],
    args: {
      ...{ maxSteps: 1, learningRate: 0, saveStrategy: 'no', perDeviceTrainBatchSize: 4, perDeviceEvalBatchSize: 4 },
      ...{ loggingSteps: 1, ...options.args },
    },
  })
  const { lossTensors } = await trainer.train()
  return { lossTensors, records, first: records.find(({ loss }) => loss !== undefined)!.loss! }
}

const noise = Dataset.fromColumns({
  damaged: golden.pairs.map(([text]) => text),
  original: golden.pairs.map(([, text]) => text),
})

test('a denoising autoencoder: the first loss is that of sentence-transformers', async (t) => {
  const folder = await withPooling(await checkpoint(t, 'masked'))
  const decoderNameOrPath = await checkpoint(t, 'decoder')
  for (const tieEncoderDecoder of [true, false]) {
    const loss = new losses.DenoisingAutoEncoderLoss({ decoderNameOrPath, tieEncoderDecoder })
    const { first, records } = await train(folder, {
      loss,
      trainDataset: noise,
      evalDataset: noise,
      args: { evalOnStart: true },
    })
    const expected = golden.denoising[tieEncoderDecoder ? 'tied' : 'untied']
    for (const found of [first, records.find(({ eval_loss }) => eval_loss !== undefined)!.eval_loss!]) {
      t.true(Math.abs(found - expected) <= 1e-5 * expected, `${tieEncoderDecoder}: ${found}, in Python ${expected}`)
      const deviation = Math.abs(found - expected) / expected
      report('language-models', 'DenoisingAutoEncoderLoss', { part: 'checkpoints', deviation, allowed: 1e-5 })
    }
  }
})

/** Warnings of this process while `run` runs. */
async function warnings(run: () => Promise<unknown>): Promise<string[]> {
  const found: string[] = []
  const listen = ({ message }: Error) => void found.push(message)
  process.on('warning', listen)
  await run()
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', listen)
  return found
}

test('the bias of the checkpoint is where both losses begin, and it is trained', async (t) => {
  const folder = await withPooling(await checkpoint(t, 'seven'))
  const masked = await train(folder, { loss: new losses.MaskedLanguageModelLoss() })
  t.true(masked.lossTensors['cls.predictions.bias']!.data.every((value) => value === 7))
  const denoising = await train(folder, { loss: new losses.DenoisingAutoEncoderLoss(), trainDataset: noise })
  t.true(denoising.lossTensors['decoder.cls.predictions.bias']!.data.every((value) => value === 7))
  const by = { mlm: new losses.MaskedLanguageModelLoss() }
  const text = Dataset.fromColumns({ text: golden.pairs.map(([, text]) => text) })
  const named = await train(folder, { loss: by, trainDataset: { mlm: text } })
  t.is(named.lossTensors['mlm.cls.predictions.bias']!.data[0], 7)
  const trained = await train(folder, { loss: new losses.MaskedLanguageModelLoss(), args: { learningRate: 1e-2 } })
  const bias = trained.lossTensors['cls.predictions.bias']!.data
  t.true(bias.every((value) => Math.abs(value - 7) <= 1e-2 + 1e-6) && bias.some((value) => value !== 7))
  // What the caller gives comes before the checkpoint.
  const again = await train(folder, { loss: new losses.MaskedLanguageModelLoss(), lossTensors: trained.lossTensors })
  t.deepEqual(again.lossTensors, trained.lossTensors)
})

test.serial('what a checkpoint lacks is new, as transformers makes it, with one warning that lists it', async (t) => {
  const folder = await withPooling(await checkpoint(t, 'bare'))
  let tensors: Awaited<ReturnType<typeof train>>['lossTensors'] = {}
  const [message = '', ...more] = await warnings(async () => {
    tensors = (await train(folder, { loss: new losses.MaskedLanguageModelLoss() })).lossTensors
  })
  const names = golden.masked.bare!.missing.filter((name) => !name.includes('decoder'))
  t.deepEqual(more, [])
  t.is(message.split(': ')[0], `Some weights of MaskedLanguageModelLoss are not in ${folder} and are newly initialised`)
  t.deepEqual(message.split(': ')[1]!.split(', ').sort(), names)
  const values = (name: string) => [...tensors[`cls.predictions.${name}`]!.data]
  t.true(
    values('bias').every((value) => value === 0) && values('transform.LayerNorm.weight').every((value) => value === 1),
  )
  // initializer_range 0.4: of 256 numbers the mean of the squares is within a third.
  const square = values('transform.dense.weight').reduce((sum, value) => sum + value * value, 0) / 256
  t.true(square > 0.11 && square < 0.22, `${square}`)

  const headed = await withPooling(await checkpoint(t, 'masked'))
  const loss = new losses.DenoisingAutoEncoderLoss()
  const found = await warnings(() => train(headed, { loss, trainDataset: noise }))
  t.is(found.length, 1)
  t.regex(found[0]!, /bert\.encoder\.layer\.\{0, 1\}\.crossattention\.self\.value\.weight/)
  t.notRegex(found[0]!, /cls\./)
  const decoderNameOrPath = await checkpoint(t, 'decoder')
  const whole = new losses.DenoisingAutoEncoderLoss({ decoderNameOrPath })
  t.deepEqual(await warnings(() => train(headed, { loss: whole, trainDataset: noise })), [])
})

test('a checkpoint that does not fit is refused', async (t) => {
  const folder = await withPooling(await checkpoint(t, 'masked'))
  const other = await checkpoint(t, 'masked')
  const config = JSON.parse(readFileSync(join(other, 'config.json'), 'utf8'))
  const run = (decoderNameOrPath: string, more = {}) =>
    train(folder, { loss: new losses.MaskedLanguageModelLoss({ decoderNameOrPath, ...more }) })
  await t.throwsAsync(run(join(other, 'nowhere')), { code: 'ERR_NOT_FOUND' })
  await t.throwsAsync(run('no/such/model/here'), { code: 'ERR_NOT_FOUND' })
  const wide = join(await temporaryFolder(t), 'wide')
  await cp(other, wide, { recursive: true })
  await writeFile(join(other, 'config.json'), JSON.stringify({ ...config, model_type: 'gpt2' }))
  await t.throwsAsync(run(other), { code: 'ERR_NOT_IMPLEMENTED', message: /gpt2/ })
  const bias = { name: 'cls.predictions.bias', dtype: 'F32', shape: [3], data: new Uint8Array(12) } as const
  await writeSafetensors(join(wide, 'model.safetensors'), [bias])
  await t.throwsAsync(run(wide), {
    code: 'ERR_INVALID_TENSORS',
    message: `MaskedLanguageModelLoss cannot start from ${wide}: cls.predictions.bias is [3], expected [${config.vocab_size}]`,
  })
  await writeSafetensors(join(wide, 'model.safetensors'), [{ ...bias, dtype: 'I32' }])
  await t.throwsAsync(run(wide), { code: 'ERR_INVALID_TENSORS', message: /found I32/ })
  // The model is free for another trainer.
  t.truthy(await train(folder, { loss: new losses.MaskedLanguageModelLoss() }))
})

test('a masked language model is saved as transformers saves it; model.save writes no head', async (t) => {
  for (const name of ['masked', 'untied']) {
    const folder = await withPooling(await checkpoint(t, name))
    await using model = await SentenceTransformer.load(folder)
    const trainer = new SentenceTransformerTrainer({
      model,
      loss: new losses.MaskedLanguageModelLoss(),
      trainDataset: Dataset.fromColumns({ text: golden.pairs.map(([, text]) => text) }),
      progress: false,
      args: { maxSteps: 1, learningRate: 0, saveStrategy: 'no' },
    })
    const { lossTensors } = await trainer.train()
    const saved = join(await temporaryFolder(t), 'saved')
    await model.save(saved)
    t.true(Object.keys(await tensorsOf(saved)).every((tensor) => /^(embeddings|encoder)\./.test(tensor)))
    await model.saveMaskedLanguageModel(saved, lossTensors)
    const theirs = await tensorsOf(folder)
    // A head that is not tied reads decoder.bias alone; this is a copy of it.
    if (name === 'untied') theirs['cls.predictions.bias'] = theirs['cls.predictions.decoder.bias']!
    t.deepEqual(await tensorsOf(saved), theirs)
    const config = JSON.parse(readFileSync(join(saved, 'config.json'), 'utf8'))
    t.like(config, { architectures: ['BertForMaskedLM'], tie_word_embeddings: name === 'masked', hidden_size: 16 })
    t.false(readdirSync(saved).some((file) => file.startsWith('modules') || file.endsWith('Pooling')))
    // It is where later trainings begin.
    const loss = golden.masked[name]!.loss!
    t.true(Math.abs((await firstLoss(saved, new losses.MaskedLanguageModelLoss(), batch())) - loss) <= 1e-5 * loss)

    const { 'cls.predictions.bias': bias, ...rest } = lossTensors
    for (const [head, message] of [
      [rest, /cls\.predictions\.bias is missing/],
      [{ ...lossTensors, more: bias! }, /more is unknown/],
      [{ ...lossTensors, 'cls.predictions.bias': { ...bias!, shape: [3] } }, /bias is \[3\], expected/],
      [{}, /transform\.dense\.weight is missing/],
    ] as const) {
      await t.throwsAsync(model.saveMaskedLanguageModel(saved, head), { code: 'ERR_INVALID_TENSORS', message })
    }
    await t.throwsAsync(model.saveMaskedLanguageModel(saved, new Map() as never), { code: 'ERR_INVALID_ARGUMENT' })
    await t.throwsAsync(model.saveMaskedLanguageModel('', lossTensors), { code: 'ERR_INVALID_ARGUMENT' })
  }
})
