// Adapters through the public classes: what they train, what is saved, and what is refused.
import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import {
  type AdapterOptions,
  CrossEncoder,
  CrossEncoderTrainer,
  Dataset,
  losses,
  SentenceTransformer,
  SentenceTransformerTrainer,
  Seq2SeqModel,
  Seq2SeqTrainer,
} from '../../lib/index.js'
import { openSafetensors, writeSafetensors } from '../../lib/io/safetensors.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { tinyFolder } from '../helpers/tiny-folder.js'

const folder = await tinyFolder(mkdtempSync(join(tmpdir(), 'sentence-torch-')))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))
const GOLDEN = fileURLToPath(new URL('../../../test/parity/golden/', import.meta.url))
const CROSS_ENCODER = join(GOLDEN, 'cross-encoder', 'one')
const ADAPTER = join(GOLDEN, 'adapters', 'bert-adapter')

const texts = ['the cat sat on the mat', 'a dog', 'the man plays']
const anchor = ['the cat', 'the dog', 'the man', 'the woman', 'the house', 'the field', 'the red', 'the flute']
const trainDataset = Dataset.fromColumns({ anchor, positive: anchor.map((text) => `${text} a`) })

async function vectors(model: SentenceTransformer): Promise<number[]> {
  return [...(await model.encode(texts)).data]
}

function difference(a: number[], b: number[]): number {
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]!)))
}

async function train(model: SentenceTransformer, outputDir: string, args: object = {}): Promise<void> {
  const trainer = new SentenceTransformerTrainer({
    ...{ model, trainDataset, loss: new losses.MultipleNegativesRankingLoss(), progress: false },
    args: { outputDir, maxSteps: 6, perDeviceTrainBatchSize: 8, learningRate: 5e-3, saveStrategy: 'no', ...args },
  })
  await trainer.train()
}

test('an adapter is trained alone: the base stays as it was, and folders hold the adapter', async (t) => {
  const outputDir = await temporaryFolder(t)
  await using model = await SentenceTransformer.load(folder)
  const plain = await vectors(model)
  await model.addAdapter({ r: 4, alpha: 16, dropout: 0.1, targetModules: ['query', 'value', 'output.dense'], seed: 3 })
  t.deepEqual(await vectors(model), plain, 'B is 0 at first')
  await train(model, outputDir, { saveStrategy: 'steps', saveSteps: 3 })
  const adapted = await vectors(model)
  t.true(difference(adapted, plain) > 1e-3)
  await model.disableAdapters()
  t.deepEqual(await vectors(model), plain)
  await model.enableAdapters()
  t.deepEqual(await vectors(model), adapted)

  const checkpoint = join(outputDir, 'checkpoint-6')
  t.false(existsSync(join(checkpoint, 'model.safetensors')) || existsSync(join(checkpoint, 'config.json')))
  const optimizer = await openSafetensors(join(checkpoint, 'optimizer.safetensors'))
  t.is(optimizer.tensors.size, 2 * 2 * 4 * 2, 'moments of A and B of four layers, twice')
  await optimizer.close()
  await using again = await SentenceTransformer.load(checkpoint)
  t.deepEqual(await vectors(again), adapted)

  // A folder of one kind takes the place of the other.
  await model.save(checkpoint, { adapterOnly: false })
  t.false(existsSync(join(checkpoint, 'adapter_config.json')))
  await using whole = await SentenceTransformer.load(checkpoint)
  t.true(difference(await vectors(whole), adapted) < 1e-5)
  await model.save(checkpoint)
  t.false(existsSync(join(checkpoint, 'config.json')))
  await using third = await SentenceTransformer.load(checkpoint)
  t.deepEqual(await vectors(third), adapted)
})

test('an adapter does not take the place of the base that it needs', async (t) => {
  const base = await tinyFolder(await temporaryFolder(t))
  const files = readdirSync(base).sort()
  await using model = await SentenceTransformer.load(base)
  await model.addAdapter({ targetModules: ['query'] })
  const refused = { code: 'ERR_INVALID_ARGUMENT', message: /another folder than that of the base model/ }
  await t.throwsAsync(model.save(base), refused)
  const link = join(await temporaryFolder(t), 'link')
  symlinkSync(base, link)
  await t.throwsAsync(model.save(link), refused)
  const trainer = new SentenceTransformerTrainer({
    ...{ model, trainDataset, loss: new losses.MultipleNegativesRankingLoss(), progress: false },
    args: { outputDir: base, maxSteps: 1, saveStrategy: 'no' },
  })
  await t.throwsAsync(trainer.saveModel(), refused)
  t.deepEqual(readdirSync(base).sort(), files)
  // An adapter's own folder is no base.
  const own = await temporaryFolder(t)
  await model.save(own)
  await using again = await SentenceTransformer.load(own)
  await again.save(own)
  await model.save(base, { adapterOnly: false })
  await using whole = await SentenceTransformer.load(base)
  t.deepEqual(await vectors(whole), await vectors(again))
})

test('merged weights take the path of the base: the same bits in a model that was saved as a whole', async (t) => {
  const saved = await temporaryFolder(t)
  await using model = await SentenceTransformer.load(folder)
  await model.addAdapter({ targetModules: 'all-linear' })
  await train(model, await temporaryFolder(t))
  const adapted = await vectors(model)
  await model.save(saved, { adapterOnly: false })
  await using whole = await SentenceTransformer.load(saved)
  t.deepEqual(await vectors(whole), adapted)
  await model.merge()
  t.deepEqual(await vectors(model), adapted)
})

test('several adapters by name, one of them active', async (t) => {
  await using model = await SentenceTransformer.load(folder)
  const plain = await vectors(model)
  t.deepEqual([model.activeAdapters(), model.adapterNames], [[], []])
  await model.addAdapter({ name: 'one', targetModules: ['key'], rankPattern: { 'layer.0.attention.self.key': 3 } })
  await train(model, await temporaryFolder(t))
  const one = await vectors(model)
  await model.addAdapter({ name: 'two', r: 2, targetModules: /.*intermediate\.dense/ })
  t.deepEqual(await vectors(model), plain)
  await train(model, await temporaryFolder(t))
  const two = await vectors(model)
  t.true(difference(one, two) > 1e-4)
  await model.setAdapter('one')
  t.deepEqual(await vectors(model), one)
  t.deepEqual([model.activeAdapters(), model.adapterNames], [['one'], ['one', 'two']])
  const state = await model.getAdapterStateDict('two')
  t.deepEqual(state['base_model.model.encoder.layer.1.intermediate.dense.lora_A.weight']!.shape[0], 2)
  t.is(
    (await model.getAdapterStateDict())['base_model.model.encoder.layer.0.attention.self.key.lora_A.weight']!.shape[0],
    3,
  )
  await model.deleteAdapter('one')
  t.deepEqual(await vectors(model), plain)
  await t.throwsAsync(train(model, await temporaryFolder(t)), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /none of them is active/,
  })
  await model.setAdapter('two')
  t.deepEqual(await vectors(model), two)
  await t.throwsAsync(model.addAdapter({ name: 'two', targetModules: ['key'] }), { message: /named two already/ })
  await model.deleteAdapter('two')
  // Without adapters the whole model is trained again.
  await train(model, await temporaryFolder(t))
  t.true(difference(await vectors(model), plain) > 1e-3)
})

test('initial values: by the seed, A within PEFT’s bound, B 0', async (t) => {
  const of = async (seed: number) => {
    await using model = await SentenceTransformer.load(folder)
    await model.addAdapter({ seed })
    return Object.values(await model.getAdapterStateDict()).map(({ data }) => [...data])
  }
  const [first, again, other] = [await of(1), await of(1), await of(2)]
  t.deepEqual(first, again)
  t.notDeepEqual(first, other)
  t.is(first.length, 8, 'query and value of two layers, as PEFT chooses them')
  const bound = 1 / Math.sqrt(32)
  first.forEach((values, i) => {
    const largest = Math.max(...values.map(Math.abs))
    t.true(i % 2 === 1 ? largest === 0 : largest > 0.9 * bound && largest <= bound)
  })
})

test('a cross-encoder is trained, saved and loaded with an adapter, its classifier among the layers', async (t) => {
  const [outputDir, saved] = [await temporaryFolder(t), await temporaryFolder(t)]
  await using model = await CrossEncoder.load(CROSS_ENCODER)
  const pairs = anchor.map((text): [string, string] => [text, 'the cat'])
  const scores = async (of: CrossEncoder) => [...(await of.predict(pairs)).data]
  const plain = await scores(model)
  await model.addAdapter({ r: 4, alpha: 32, targetModules: 'all-linear' })
  const names = Object.keys(await model.getAdapterStateDict())
  for (const name of ['bert.encoder.layer.0.attention.self.query', 'bert.pooler.dense', 'classifier']) {
    t.true(names.includes(`base_model.model.${name}.lora_A.weight`), name)
  }
  const data = Dataset.fromColumns({ a: anchor, b: anchor.map(() => 'the cat'), label: anchor.map((_, i) => i % 2) })
  const args = { outputDir, maxSteps: 5, learningRate: 1e-2, saveStrategy: 'no' } as const
  await new CrossEncoderTrainer({ model, trainDataset: data, args, progress: false }).train()
  const adapted = await scores(model)
  t.true(difference(adapted, plain) > 1e-3)
  await model.save(saved)
  t.deepEqual(
    readdirSync(saved).filter((name) => name.endsWith('.safetensors')),
    ['adapter_model.safetensors'],
  )
  await using again = await CrossEncoder.load(saved)
  t.deepEqual(await scores(again), adapted)
  await again.merge()
  t.true(difference(await scores(again), adapted) < 1e-5)
})

test('a model for text to text is trained, saved and loaded with an adapter of encoder and decoder', async (t) => {
  const golden = join(GOLDEN, 'seq2seq-folder')
  const { sources, targets } = JSON.parse(await readFile(join(golden, 'expected.json'), 'utf8')) as {
    sources: string[]
    targets: string[]
  }
  const saved = await temporaryFolder(t)
  await using model = await Seq2SeqModel.load(golden)
  const plain = await model.generate(sources)
  await model.addAdapter({ r: 8, alpha: 64, dropout: 0.1, targetModules: 'all-linear' })
  const names = Object.keys(await model.getAdapterStateDict())
  for (const name of ['encoder.block.0.layer.0.SelfAttention.q', 'decoder.block.0.layer.1.EncDecAttention.k']) {
    t.true(names.includes(`base_model.model.${name}.lora_A.weight`), `${name} among ${names.slice(0, 5)}`)
  }
  t.deepEqual(await model.generate(sources), plain)
  const trainer = new Seq2SeqTrainer({
    model,
    trainDataset: Dataset.fromColumns({ source: sources, target: targets }),
    args: { maxSteps: 20, perDeviceTrainBatchSize: 6, learningRate: 2e-2, saveStrategy: 'no' },
    progress: false,
  })
  await trainer.train()
  const adapted = await model.generate(sources)
  t.notDeepEqual(adapted, plain)
  await model.save(saved)
  t.false(existsSync(join(saved, 'model.safetensors')))
  await using again = await Seq2SeqModel.load(saved)
  t.deepEqual(await again.generate(sources), adapted)
  await again.merge()
  t.deepEqual(await again.generate(sources), adapted)
})

test('bfloat16: an adapter is trained, and dtype int8 is refused', async (t) => {
  await using model = await SentenceTransformer.load(folder, { dtype: 'bfloat16' })
  await model.addAdapter({ targetModules: 'all-linear' })
  const plain = await vectors(model)
  await train(model, await temporaryFolder(t))
  const adapted = await vectors(model)
  t.true(difference(adapted, plain) > 1e-3)
  await model.merge()
  t.true(difference(await vectors(model), adapted) < 0.05)
  let small: SentenceTransformer
  try {
    small = await SentenceTransformer.load(folder, { dtype: 'int8' })
  } catch {
    return // no such processor
  }
  await t.throwsAsync(small.addAdapter(), { code: 'ERR_UNSUPPORTED', message: /int8/ })
  await small.dispose()
})

test('learning rates by pattern know the names that Python gives to A and B', async (t) => {
  await using model = await SentenceTransformer.load(folder)
  await model.addAdapter({ targetModules: ['query', 'key'] })
  const before = await model.getAdapterStateDict()
  await train(model, await temporaryFolder(t), {
    learningRateMapping: { 'query\\.lora_[AB]\\.default\\.weight': 0 },
    weightDecay: 0,
  })
  const after = await model.getAdapterStateDict()
  for (const [name, { data }] of Object.entries(before)) {
    t.is(difference([...data], [...after[name]!.data]) === 0, name.includes('query'), name)
  }
  const wrong = { learningRateMapping: { 'intermediate.dense': 0 } }
  await t.throwsAsync(train(model, await temporaryFolder(t), wrong), { message: /lora_A\.default\.weight/ })
})

test('options and targets that cannot be are refused', async (t) => {
  await using model = await SentenceTransformer.load(folder)
  const refused = async (options: unknown, code: string, message: RegExp) => {
    await t.throwsAsync(model.addAdapter(options as AdapterOptions), { code, message })
    t.deepEqual(model.adapterNames, [])
  }
  const invalid = 'ERR_INVALID_ARGUMENT'
  await refused({ targetModules: ['query', 'q_proj'] }, invalid, /"q_proj".*encoder\.layer\.\*\.attention\.self\.query/)
  await refused({ targetModules: 'query' }, invalid, /finds none of/)
  await refused({ targetModules: ['word_embeddings'] }, invalid, /finds none of/)
  await refused({ targetModules: [] }, invalid, /targetModules/)
  await refused({ targetModules: '(' }, invalid, /regular expressions/)
  await refused({ r: 0 }, invalid, /at least 1 for r/)
  await refused({ alpha: Number.NaN }, invalid, /alpha/)
  await refused({ dropout: 1 }, invalid, /dropout/)
  await refused({ name: 'a.b' }, invalid, /name/)
  await refused({ rankPattern: { query: 0 } }, invalid, /rankPattern/)
  await refused({ rank: 3 }, 'ERR_UNKNOWN_OPTION', /rank/)
  for (const name of [
    'useDora',
    'useQalora',
    'modulesToSave',
    'layerReplication',
    'trainableTokenIndices',
    'targetParameters',
  ]) {
    await refused({ [name]: true }, 'ERR_NOT_IMPLEMENTED', new RegExp(name))
  }
  await refused({ bias: 'all' }, 'ERR_NOT_IMPLEMENTED', /bias/)
  for (const call of [
    () => model.setAdapter('x'),
    () => model.deleteAdapter('x'),
    () => model.merge(),
    () => model.disableAdapters(),
  ]) {
    await t.throwsAsync(call, { code: invalid, message: /has no adapter/ })
  }
  await t.throwsAsync(model.save(await temporaryFolder(t), { adapterOnly: true }), {
    code: invalid,
    message: /adapterOnly/,
  })
})

test('files that cannot be are refused, and the model stays as it was', async (t) => {
  await using model = await SentenceTransformer.load(folder)
  const plain = await vectors(model)
  const refused = async (change: (config: Record<string, unknown>) => void, code: string, message: RegExp) => {
    const copy = await temporaryFolder(t)
    const config = JSON.parse(await readFile(join(ADAPTER, 'adapter_config.json'), 'utf8'))
    change(config)
    await writeFile(join(copy, 'adapter_config.json'), JSON.stringify(config))
    await writeFile(join(copy, 'adapter_model.safetensors'), await readFile(join(ADAPTER, 'adapter_model.safetensors')))
    await t.throwsAsync(model.loadAdapter(copy), { code, message })
    t.deepEqual(await vectors(model), plain)
  }
  // That of the golden files is of width 16, this model's is 32.
  await refused(
    () => {},
    'ERR_INVALID_TENSORS',
    /does not fit the model: base_model\.model\.encoder\.layer\.0\..*another base model/,
  )
  const changes: Record<string, unknown> = {
    ...{
      peft_type: 'IA3',
      use_dora: true,
      use_qalora: true,
      bias: 'lora_only',
      lora_bias: true,
      modules_to_save: ['x'],
    },
    ...{
      layer_replication: [[0, 1]],
      trainable_token_indices: [1],
      target_parameters: ['x'],
      init_lora_weights: 'pissa',
    },
    ...{ alora_invocation_tokens: [1], what_comes_next: true },
  }
  for (const [key, value] of Object.entries(changes)) {
    const change = (config: Record<string, unknown>) => Object.assign(config, { [key]: value })
    await refused(change, 'ERR_NOT_IMPLEMENTED', new RegExp(`adapter_config\\.json has ${key} `))
  }
  await refused(
    (config) => Object.assign(config, { alpha_pattern: { '(a+)+b': 1 } }),
    'ERR_NOT_IMPLEMENTED',
    /alpha_pattern/,
  )
  await refused((config) => Object.assign(config, { lora_alpha: 'x' }), 'ERR_INVALID_MODEL', /lora_alpha/)
  await t.throwsAsync(model.loadAdapter(folder), { code: 'ERR_NOT_FOUND', message: /no adapter in/ })
  await t.throwsAsync(model.loadAdapter(join(folder, 'none')), { code: 'ERR_NOT_FOUND' })

  // A tensor that is missing, and one with a value that is none.
  await using base = await SentenceTransformer.load(join(GOLDEN, 'adapters', 'bert'))
  const before = await vectors(base)
  for (const kind of ['missing', 'NaN']) {
    const copy = await temporaryFolder(t)
    const file = await openSafetensors(join(ADAPTER, 'adapter_model.safetensors'))
    const tensors = await Promise.all(
      [...file.tensors].map(async ([name, { shape }]) => ({
        name,
        dtype: 'F32' as const,
        shape,
        data: await file.read(name),
      })),
    )
    await file.close()
    if (kind === 'NaN') tensors[0]!.data.fill(255)
    await writeSafetensors(join(copy, 'adapter_model.safetensors'), kind === 'missing' ? tensors.slice(1) : tensors)
    await writeFile(join(copy, 'adapter_config.json'), await readFile(join(ADAPTER, 'adapter_config.json')))
    await t.throwsAsync(base.loadAdapter(copy), { code: 'ERR_INVALID_TENSORS' }, kind)
    t.deepEqual(await vectors(base), before)
    t.deepEqual(base.adapterNames, [])
  }
  const lone = await temporaryFolder(t)
  await writeFile(join(lone, 'adapter_config.json'), JSON.stringify({ peft_type: 'LORA' }))
  await t.throwsAsync(SentenceTransformer.load(lone), { code: 'ERR_INVALID_MODEL', message: /base_model_name_or_path/ })
})

test('adapters are not changed during a training', async (t) => {
  const outputDir = await temporaryFolder(t)
  await using model = await SentenceTransformer.load(folder)
  await model.addAdapter()
  let refusal: unknown
  const trainer = new SentenceTransformerTrainer({
    ...{ model, trainDataset, loss: new losses.MultipleNegativesRankingLoss(), progress: false },
    args: { outputDir, maxSteps: 2, saveStrategy: 'no' },
    callbacks: [
      {
        onStepEnd: async () => {
          refusal = await model.disableAdapters().catch((error: unknown) => error)
        },
      },
    ],
  })
  await trainer.train()
  t.like(refusal, { code: 'ERR_BUSY' })
  t.deepEqual(model.activeAdapters(), ['default'])
})
