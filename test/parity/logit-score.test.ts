// Cross-encoders of language models (LogitScore) against sentence-transformers' own: token ids of pairs that pass a chat template,
// scores, gradients, training, adapters, folders.
import { readFileSync } from 'node:fs'
import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import { BinaryCrossEntropyLoss } from '../../lib/losses/cross-encoder/index.js'
import { CrossEncoder, type Pair } from '../../lib/models/cross-encoder.js'
import type { ConfigObject, PackedBatch } from '../../lib/native/types.js'
import { CrossEncoderTrainer } from '../../lib/training/cross-encoder-trainer.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { equal, report } from './report.js'
import { addon, distance, dump, gradients, load, maxDifference, norm, trainerSpec } from './support.js'

const FOLDER = fileURLToPath(new URL('../../../test/parity/golden/logit-score/', import.meta.url))
const SECTION = 'logit-score'
const TOLERANCE = 1e-5
const PROMPT = 'the dog: '

interface Training {
  losses: number[]
  predictions: number[]
}
interface Golden {
  pairs: Pair[]
  train: { a: string[]; b: string[]; label: number[] }
  models: Record<
    string,
    {
      tokens: { maxLength: number; ids: number[][]; prompted: number[][] }[]
      default: number[]
      logits: number[]
      exact: number[]
      exactPrompted: number[]
      cut: number[]
      prompted: number[]
      rank: { corpusId: number; score: number }[]
      activation: string
      maxLength: number
    }
  >
  gradients: Record<string, { value: number; norms: Record<string, number>; rows: Record<string, number[]> }>
  training: Record<string, Training>
  adapter: { logits: number[] }
}
const golden = JSON.parse(readFileSync(join(FOLDER, 'golden.json'), 'utf8')) as Golden
const [first, second] = [golden.pairs.map(([a]) => a), golden.pairs.map(([, b]) => b)]

/** Whether the files have a last layer of their own. */
const OWN_HEAD: Record<string, boolean> = { text: true, qwen3: false, plain: false, qwen2: true, gemma3: false }

/** The model's scores in float64. */
async function exactScores(model: CrossEncoder, prompt = ''): Promise<number[]> {
  const { folder } = (model as unknown as { parts: { folder: { logitScore: object } } }).parts
  const encoder = new addon.Encoder({
    ...{ architecture: model.config.model_type as string, config: model.config, pooler: false },
    ...{ modules: [{ type: 'LogitScore', ...folder.logitScore } as { type: string }], ownHead: hasOwnHead(model) },
    ...{ device: 'cpu', dtype: 'float64' },
  })
  const weights = await dump(model.encoder)
  await load(encoder, new Map([...weights].map(([name, data]) => [name, Float32Array.from(data)])))
  const tokens = await model.pairTokenizer.encode(first, second, model.maxLength, { prompt })
  const out = new Float32Array(first.length)
  await encoder.encode({ ...tokens, columns: 1 } as PackedBatch, out)
  await encoder.dispose()
  return [...out]
}

function hasOwnHead(model: CrossEncoder): boolean {
  return model.encoder.tensors().some(({ name }) => name === '0.lm_head.weight')
}

for (const [name, expected] of Object.entries(golden.models)) {
  test(`token ids of pairs equal Python's: ${name}`, async (t) => {
    await using model = await CrossEncoder.load(join(FOLDER, name))
    t.is(model.maxLength, expected.maxLength)
    for (const { maxLength, ids, prompted } of expected.tokens) {
      for (const [prompt, wanted] of [
        ['', ids],
        [PROMPT, prompted],
      ] as const) {
        const rows = await model.pairTokenizer.encode(first, second, maxLength, { prompt })
        for (const [i, row] of wanted.entries()) {
          const found = [...rows.ids.subarray(rows.offsets[i], rows.offsets[i + 1])]
          t.deepEqual(found, row, `${maxLength} ${prompt} ${golden.pairs[i]}`)
          equal(SECTION, 'tokens')
        }
      }
    }
  })

  test(`scores equal Python's: ${name}`, async (t) => {
    await using model = await CrossEncoder.load(join(FOLDER, name))
    t.is(model.numLabels, 1)
    t.is(model.activationFn, expected.activation.toLowerCase() as 'sigmoid')
    t.is(hasOwnHead(model), OWN_HEAD[name]!)
    const compare = (part: string, found: ArrayLike<number>, wanted: number[], allowed: number) => {
      const deviation = maxDifference(found, wanted)
      t.true(deviation <= allowed, `${part}: ${deviation}`)
      report(SECTION, 'predict', { part, deviation, allowed })
    }
    const { data, shape } = await model.predict(golden.pairs)
    t.deepEqual(shape, [golden.pairs.length])
    compare('default', data, expected.default, TOLERANCE)
    compare('logits', (await model.predict(golden.pairs, { activationFn: 'identity' })).data, expected.logits, 5e-5)
    compare('prompted', (await model.predict(golden.pairs, { prompt: PROMPT })).data, expected.prompted, TOLERANCE)
    const compareExact = (found: number[], wanted: number[]) => {
      const relative = found.map((value, i) => (value - wanted[i]!) / Math.max(1, Math.abs(wanted[i]!)))
      // What leaves the engine is float32.
      compare('float64', relative, Array(wanted.length).fill(0), 1e-7)
    }
    if (model.defaultPromptName === null) compareExact(await exactScores(model), expected.exact)
    compareExact(await exactScores(model, PROMPT), expected.exactPrompted)
    const hits = await model.rank('how many dogs?', second, { topK: 4 })
    t.deepEqual(
      hits.map(({ corpusId }) => corpusId),
      expected.rank.map(({ corpusId }) => corpusId),
    )
    compare(
      'rank',
      Float64Array.from(hits, ({ score }) => score),
      expected.rank.map(({ score }) => score),
      5e-5,
    )
    model.maxLength = 33
    if (model.defaultPromptName === null) compareExact(await exactScores(model), expected.cut)
  })

  test(`a saved folder has the same settings, weights and scores: ${name}`, async (t) => {
    const target = join(await temporaryFolder(t), 'saved')
    await using model = await CrossEncoder.load(join(FOLDER, name))
    model.maxLength = 60
    await model.save(target)
    const chat = name === 'text' ? [] : ['chat_template.jinja']
    t.deepEqual((await readdir(target)).sort(), [
      ...[
        '1_LogitScore',
        'README.md',
        ...chat,
        'config.json',
        'config_sentence_transformers.json',
        'model.safetensors',
      ],
      ...['modules.json', 'sentence_bert_config.json', 'tokenizer.json', 'tokenizer_config.json'],
    ])
    await using again = await CrossEncoder.load(target)
    t.is(again.maxLength, 60)
    t.is(again.activationFn, model.activationFn)
    t.deepEqual((await again.predict(golden.pairs)).data, (await model.predict(golden.pairs)).data)
    const json = async (folder: string, file: string) => JSON.parse(await readFile(join(folder, file), 'utf8'))
    const source = name === 'plain' ? 'qwen3' : name
    t.deepEqual(
      (await json(target, 'modules.json')).map(({ type, path }: ConfigObject) => [type, path]),
      (await json(join(FOLDER, source), 'modules.json')).map(({ type, path }: ConfigObject) => [type, path]),
    )
    for (const [file, keys] of [
      ['1_LogitScore/config.json', ['true_token_id', 'false_token_id', 'module_input_name']],
      ['sentence_bert_config.json', ['transformer_task', 'modality_config', 'module_output_name', 'processing_kwargs']],
      ['config.json', ['architectures', 'tie_word_embeddings', 'vocab_size']],
    ] as const) {
      const [found, wanted] = [await json(target, file), await json(join(FOLDER, source), file)]
      for (const key of keys) t.deepEqual(found[key], wanted[key], `${file}: ${key}`)
    }
  })
}

const trainRows = Dataset.fromColumns(golden.train)

for (const [name, expected] of Object.entries(golden.gradients)) {
  test(`value and gradients are those of sentence-transformers: ${name}`, async (t) => {
    await using model = await CrossEncoder.load(join(FOLDER, name))
    const loss = new BinaryCrossEntropyLoss()
    const trainer = new addon.Trainer(model.encoder, trainerSpec(loss.spec(model.numLabels)))
    const tokens = await model.pairTokenizer.encode(golden.train.a, golden.train.b)
    const batch = { ...tokens, columns: 1, labels: Float32Array.from(golden.train.label) } as PackedBatch
    const step = (await trainer.step(batch, { lr: 0, update: false, report: true }))!
    const allowed = 1e-5 * Math.max(1, Math.abs(expected.value))
    t.true(Math.abs(step.loss - expected.value) <= allowed, `${step.loss}, expected ${expected.value}`)
    report(SECTION, 'training', { part: 'value', deviation: Math.abs(step.loss - expected.value), allowed })
    const found = await gradients(trainer)
    // A tied last layer is the table of words under a second name.
    const names = Object.keys(expected.norms).filter((key) => OWN_HEAD[name] || key !== 'lm_head.weight')
    const engineName = (key: string) => `0.${key.replace(/^model\./, '')}`
    t.deepEqual([...found.keys()].sort(), names.map(engineName).sort())
    const total = norm(Object.values(expected.norms))
    for (const key of names) {
      const size = expected.norms[key]!
      const off = Math.abs(norm(found.get(engineName(key))!) - size)
      const most = 1e-4 * size + 1e-6 * total
      t.true(off <= most, `${key}: off by ${off} of ${size}`)
      report(SECTION, 'training', { part: 'gradient', deviation: off, allowed: most })
    }
    for (const [key, values] of Object.entries(expected.rows)) {
      if (!names.includes(key)) continue
      const off = distance(found.get(engineName(key))!, values)
      const most = 1e-4 * norm(values) + 1e-6 * total
      t.true(off <= most, `${key}: off by ${off}`)
      report(SECTION, 'training', { part: 'gradient', deviation: off, allowed: most })
    }
    await trainer.dispose()
  })
}

/** Rows in their order. */
const inOrder = (dataset: { length: number }, { batchSize }: { batchSize: number }) => ({
  length: Math.ceil(dataset.length / batchSize),
  async *batches() {
    for (let start = 0; start < dataset.length; start += batchSize) {
      const size = Math.min(batchSize, dataset.length - start)
      yield Int32Array.from({ length: size }, (_, row) => start + row)
    }
  },
})

async function train(t: ExecutionContext, model: CrossEncoder, args: object = {}): Promise<number[]> {
  const losses: number[] = []
  const trainer = new CrossEncoderTrainer({
    ...{ model, trainDataset: trainRows, loss: new BinaryCrossEntropyLoss(), progress: false as const },
    args: {
      ...{ outputDir: await temporaryFolder(t), maxSteps: 20, perDeviceTrainBatchSize: 4, learningRate: 2e-3 },
      ...{ warmupSteps: 3, weightDecay: 0.01, saveStrategy: 'no' as const, loggingSteps: 1, batchSampler: inOrder },
      ...args,
    },
    callbacks: [
      {
        onLog: ({ loss }) => {
          if (typeof loss === 'number') losses.push(loss)
        },
      },
    ],
  })
  await trainer.train()
  return losses
}

for (const [name, expected] of Object.entries(golden.training)) {
  test(`20 steps are those of CrossEncoderTrainer: ${name}`, async (t) => {
    await using model = await CrossEncoder.load(join(FOLDER, name))
    const losses = await train(t, model)
    t.is(losses.length, expected.losses.length)
    // Python logs with 4 digits behind the point.
    const loss = maxDifference(losses, expected.losses)
    t.true(loss < 2e-4, `losses: ${loss}`)
    const { data } = await model.predict(golden.pairs, { activationFn: 'identity' })
    const score = maxDifference(data, expected.predictions)
    t.true(score < 2e-3, `scores: ${score}`)
    report(SECTION, 'training', { part: 'losses of 20 steps', deviation: loss, allowed: 2e-4 })
    report(SECTION, 'training', { part: 'scores after 20 steps', deviation: score, allowed: 2e-3 })
  })
}

test('an adapter of PEFT gives the scores of Python, alone and merged', async (t) => {
  const folder = join(await temporaryFolder(t), 'adapter')
  await cp(join(FOLDER, 'adapter'), folder, { recursive: true })
  const file = join(folder, 'adapter_config.json')
  const config = JSON.parse(await readFile(file, 'utf8'))
  await writeFile(file, JSON.stringify({ ...config, base_model_name_or_path: join(FOLDER, 'qwen3') }))
  await using model = await CrossEncoder.load(folder)
  const scores = async () => (await model.predict(golden.pairs, { activationFn: 'identity' })).data
  const deviation = maxDifference(await scores(), golden.adapter.logits)
  t.true(deviation < 5e-5, `${deviation}`)
  report(SECTION, 'predict', { part: 'adapter', deviation, allowed: 5e-5 })
  const saved = join(await temporaryFolder(t), 'saved')
  await model.save(saved)
  t.true((await readdir(saved)).includes('adapter_model.safetensors'))
  await using again = await CrossEncoder.load(saved)
  t.deepEqual((await again.predict(golden.pairs, { activationFn: 'identity' })).data, await scores())
  await model.merge()
  t.true(maxDifference(await scores(), golden.adapter.logits) < 5e-5)
})

test('an adapter is trained alone, and the rows that the score reads stay', async (t) => {
  await using model = await CrossEncoder.load(join(FOLDER, 'qwen3'))
  const before = await dump(model.encoder)
  await model.addAdapter({ r: 4, targetModules: 'all-linear', seed: 2 })
  const losses = await train(t, model, { maxSteps: 30, learningRate: 1e-2, warmupSteps: 0 })
  t.true(losses.at(-1)! < losses[0]! - 0.05, `${losses[0]} ${losses.at(-1)}`)
  await model.disableAdapters()
  t.deepEqual(await dump(model.encoder), before)
})

test('in bfloat16 scores are near, and training goes on', async (t) => {
  if (!addon.runtime().fastDTypes.includes('bfloat16')) return t.pass('skipped: this processor has no bfloat16')
  await using model = await CrossEncoder.load(join(FOLDER, 'qwen3'), { dtype: 'bfloat16' })
  const { data } = await model.predict(golden.pairs, { activationFn: 'sigmoid' })
  const wanted = golden.models.qwen3!.logits.map((x) => 1 / (1 + Math.exp(-x)))
  t.true(maxDifference(data, wanted) < 0.1, `${maxDifference(data, wanted)}`)
  const losses = await train(t, model)
  t.true(losses.at(-1)! < losses[0]!)
})
