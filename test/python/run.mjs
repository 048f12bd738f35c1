// npm run test:python: models go from Python to Node and, fine-tuned, back, with the same vectors on both sides.
//
// Python: SENTENCE_TORCH_TEST_PYTHON (one that has sentence-transformers), else bench/peers/venv, which is made when missing.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  CrossEncoder,
  Dataset,
  losses,
  maskTokens,
  SentenceTransformer,
  SentenceTransformerTrainer,
  Seq2SeqModel,
  Seq2SeqTrainer,
} from 'sentence-torch'
import { writeDataFiles } from './data-files.mjs'
import { askServer } from './serve-clients.mjs'

const root = fileURLToPath(new URL('../../', import.meta.url))
const MINILM = join(root, '..', 'shared', 'models', 'all-MiniLM-L6-v2')
const TINY = { tolerance: 1e-5 }
const REAL = { tolerance: 2e-6 }

const TEXTS = [
  'The man plays a guitar.',
  'A woman is playing the flute, in the field!',
  'runner',
  'big dogs run?  small cats PLAY',
  'Zebras xylophone 42 — naïve café 東京',
  '',
  'the '.repeat(60).trim(),
]

const venv = join(root, 'bench', 'peers', 'venv', 'bin', 'python')
const python = process.env.SENTENCE_TORCH_TEST_PYTHON ?? venv
let passed = 0
let failed = 0

function check(name, found, expected, { tolerance }) {
  let worst = found.length === expected.length ? 0 : Number.POSITIVE_INFINITY
  for (let i = 0; i < found.length; i++) worst = Math.max(worst, Math.abs(found[i] - expected[i]))
  const good = worst <= tolerance
  good ? passed++ : failed++
  console.log(`${good ? 'ok' : 'FAILED'}  ${name}: largest difference ${worst.toExponential(1)}, allowed ${tolerance}`)
}

function run(program, args) {
  const { status, error, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', cwd: root })
  if (error) throw error
  if (status !== 0) throw new Error(`${args.join(' ')} failed:\n${stdout}\n${stderr}`)
  return stdout
}

/** The calls that need a GPU, as far as LibTorch can say their shapes without one. */
function cudaShapes() {
  const { status, stdout, stderr } = spawnSync(python, ['test/python/cuda_shapes.py'], { encoding: 'utf8', cwd: root })
  const lines = stdout.trim().split('\n')
  const wrong = lines.filter((line) => !line.startsWith('ok'))
  const good = status === 0 && wrong.length === 0
  good ? passed++ : failed++
  console.log(`${good ? 'ok' : 'FAILED'}  ${lines.length} shapes of calls on CUDA devices`)
  if (!good) console.log(`${wrong.join('\n')}\n${stderr}`)
}

/** A small file is read into memory that Node shares among files. */
function floatsOf(file) {
  return new Float32Array(new Uint8Array(readFileSync(file)).buffer)
}

function pythonVectors(jobs, command = 'encode') {
  const list = join(work, 'jobs.json')
  writeFileSync(list, JSON.stringify(jobs))
  run(python, ['test/python/models.py', command, list])
  return jobs.map(({ out }) => floatsOf(out))
}

/** Vectors of the folder as Node loads it. */
async function nodeVectors({ folder, texts, promptName }) {
  const model = await SentenceTransformer.load(folder)
  const { data } = await model.encode(texts, { promptName })
  await model.dispose()
  return data
}

/** Loads `folder`, trains a few steps, saves to `target`; resolves to the trained model's vectors. */
async function fineTune({ folder, texts, promptName }, target, learningRate) {
  const model = await SentenceTransformer.load(folder)
  const before = (await model.encode(texts, { promptName })).data.slice()
  const anchor = ['the man runs', 'a red dog', 'she plays the flute', 'a big house']
  const positive = ['a man is running', 'the dog is red', 'a woman on the flute', 'the house was big']
  const trainer = new SentenceTransformerTrainer({
    model,
    trainDataset: Dataset.fromColumns({ anchor, positive }),
    loss: new losses.MultipleNegativesRankingLoss(),
    args: { maxSteps: 3, perDeviceTrainBatchSize: 4, learningRate, saveStrategy: 'no' },
    progress: false,
  })
  await trainer.train()
  await model.save(target)
  const { data } = await model.encode(texts, { promptName })
  await model.dispose()
  if (data.every((value, i) => value === before[i])) throw new Error('training changed nothing')
  return data
}

/** Cross-encoders: saved by Python and scored here, saved here and scored by Python. */
async function crossEncoders() {
  const made = join(work, 'cross-encoders')
  run(python, ['test/python/models.py', 'make-cross-encoders', made])
  const pairs = TEXTS.flatMap((first) => TEXTS.map((second) => [first, second]))
  const jobs = readdirSync(made)
    .filter((name) => name !== 'parts')
    .map((name) => ({ name, folder: join(made, name), pairs, out: join(work, `${name}.f32`) }))
  // With the scores of language models, and chat templates. Without a template, two empty texts are no row.
  const golden = join(root, 'test/parity/golden/logit-score')
  for (const name of ['text', 'plain', 'qwen2', 'gemma3'])
    jobs.push({
      ...{ name: `logit-score-${name}`, folder: join(golden, name), out: join(work, `ls-${name}.f32`) },
      pairs: pairs.filter(([first, second]) => first + second !== ''),
    })
  const expected = pythonVectors(jobs, 'predict')
  // A sentence-embedding model with a new classifier, which Python gets only from here.
  if (existsSync(MINILM))
    jobs.push({ name: 'all-MiniLM-L6-v2 as a cross-encoder', folder: MINILM, pairs, out: join(work, 'ce.f32') })
  const saved = []
  for (const [i, job] of jobs.entries()) {
    const model = await CrossEncoder.load(job.folder)
    const { data } = await model.predict(job.pairs)
    if (expected[i]) check(`${job.name}, saved by Python, loaded here`, data, expected[i], TINY)
    saved.push({ ...job, folder: join(work, 'saved', job.name), ours: data })
    await model.save(saved[i].folder)
    await model.dispose()
  }
  const theirs = pythonVectors(
    saved.map(({ ours, ...job }) => job),
    'predict',
  )
  for (const [i, { name, ours }] of saved.entries())
    check(`${name}, saved here, loaded by Python`, theirs[i], ours, TINY)
}

/** Masked language models: checkpoints of transformers, trained and saved here, loaded by AutoModelForMaskedLM. */
async function languageModels() {
  const made = join(work, 'language-models')
  run(python, ['test/python/models.py', 'make-language-models', made])
  const text = TEXTS.filter((words) => words !== '')
  const jobs = []
  for (const name of readdirSync(made)) {
    const model = await SentenceTransformer.load(join(made, name))
    const train = async (options, args) => {
      const records = []
      const trainer = new SentenceTransformerTrainer({
        model,
        loss: new losses.MaskedLanguageModelLoss({ mlmProbability: 0.5 }),
        trainDataset: Dataset.fromColumns({ text }),
        progress: false,
        callbacks: [{ onLog: (record) => void records.push(record) }],
        ...options,
        args: { saveStrategy: 'no', ...args },
      })
      const { lossTensors } = await trainer.train()
      return { lossTensors, losses: records.flatMap(({ eval_loss }) => eval_loss ?? []) }
    }
    const { lossTensors } = await train({}, { maxSteps: 3, learningRate: 1e-2 })
    const folder = join(work, 'saved', name)
    await model.saveMaskedLanguageModel(folder, lossTensors)
    // The masks of an evaluation: of epoch 0, by the number of the row.
    const { maskTokenId, vocabSize, specialTokenIds } = model.tokenizer
    const options = { maskTokenId, vocabSize, specialTokenIds, mlmProbability: 0.5 }
    const tokens = await model.tokenizer.encodeAll(text, model.maxSeqLength)
    const masked = maskTokens(tokens, options, { seed: 42, epoch: 0, rows: text.map((_, row) => row) })
    const rows = (values) => text.map((_, row) => [...values.subarray(masked.offsets[row], masked.offsets[row + 1])])
    const [ids, targets] = [rows(masked.ids), rows(masked.targets)]
    const evaluated = await train(
      { lossTensors, evalDataset: Dataset.fromColumns({ text }) },
      { maxSteps: 1, learningRate: 0, evalOnStart: true, perDeviceEvalBatchSize: 64 },
    )
    const predicted = targets.map((row) => row.filter((id) => id >= 0).length)
    const kept = (list) => list.filter((_, row) => predicted[row] > 0)
    const job = { name, folder, ids: kept(ids), targets: kept(targets), counts: kept(predicted) }
    jobs.push({ ...job, ours: evaluated.losses[0], out: join(work, `${name}.masked.f32`) })
    await model.dispose()
  }
  const theirs = pythonVectors(
    jobs.map(({ folder, ids, targets, out }) => ({ folder, ids, targets, out })),
    'masked',
  )
  for (const [i, { name, ours, counts }] of jobs.entries()) {
    const tokens = counts.reduce((sum, n) => sum + n, 0)
    const mean = theirs[i].reduce((sum, loss, row) => sum + loss * counts[row], 0) / tokens
    check(`${name}: the loss of the masked language model saved here, in Python`, [mean], [ours], TINY)
  }
}

/** Adapters: trained and saved here, loaded by sentence-transformers with PEFT. */
async function adapters() {
  const golden = 'test/parity/golden/adapters'
  const texts = ['the cat sat on the mat', 'a dog runs', 'fast dogs, slow cats.']
  const chosen = {
    bert: {
      r: 4,
      alpha: 16,
      targetModules: ['query', 'value', 'output.dense'],
      rankPattern: { 'layer.1.attention.self.value': 2 },
    },
    mpnet: { r: 3, useRslora: true, targetModules: 'all-linear' },
    modernbert: { alphaPattern: { 'mlp.Wo': 3 }, targetModules: /.*(Wqkv|mlp\.W[io])/ },
  }
  const jobs = []
  for (const [name, options] of Object.entries(chosen)) {
    const model = await SentenceTransformer.load(`${golden}/${name}`)
    const plain = (await model.encode(texts)).data.slice()
    await model.addAdapter({ ...options, dropout: 0.1 })
    const trainer = new SentenceTransformerTrainer({
      model,
      trainDataset: Dataset.fromColumns({ a: ['the cat', 'a dog', 'slow'], b: ['cat', 'dog runs', 'slow mat'] }),
      loss: new losses.MultipleNegativesRankingLoss(),
      args: { maxSteps: 10, learningRate: 2e-2, saveStrategy: 'no' },
      progress: false,
    })
    await trainer.train()
    const folder = join(work, 'adapters', name)
    await model.save(folder)
    const { data } = await model.encode(texts)
    if (data.every((value, i) => Math.abs(value - plain[i]) < 1e-2)) throw new Error('training changed nothing')
    jobs.push({ name, ours: data, folder, texts, out: join(work, `${name}.adapter.f32`) })
    await model.dispose()
  }
  const theirs = pythonVectors(jobs.map(({ ours, name, ...job }) => job))
  for (const [i, { name, ours }] of jobs.entries()) check(`an adapter for ${name}, saved here`, theirs[i], ours, TINY)
}

/** A model for text to text: of transformers, trained and saved here, with the same texts in Python. */
async function textToText() {
  const golden = join(root, 'test/parity/golden/seq2seq-folder')
  const { sources, targets } = JSON.parse(readFileSync(join(golden, 'expected.json'), 'utf8'))
  const model = await Seq2SeqModel.load(golden)
  const trainer = new Seq2SeqTrainer({
    model,
    trainDataset: Dataset.fromColumns({ source: sources, target: targets }),
    args: { maxSteps: 10, perDeviceTrainBatchSize: 6, learningRate: 1e-3, saveStrategy: 'no' },
    progress: false,
  })
  await trainer.train()
  const ours = await model.generate(sources)
  const job = { folder: join(work, 'saved', 'seq2seq'), texts: sources, out: join(work, 'texts.json') }
  await model.save(job.folder)
  await model.dispose()
  const list = join(work, 'jobs.json')
  writeFileSync(list, JSON.stringify([job]))
  run(python, ['test/python/models.py', 'generate', list])
  const theirs = JSON.parse(readFileSync(job.out, 'utf8'))
  const equal = ours.filter((text, i) => text === theirs[i]).length
  check('texts of a model that was trained and saved here, in Python', [equal], [sources.length], { tolerance: 0 })
}

/** What onnxruntime computes with graphs that were written here. `made`: models of Python, with the vectors that it computes. */
async function onnxGraphs(made) {
  const script = 'test/python/onnx_models.py'
  if (spawnSync(python, ['-c', 'import onnx, onnxruntime']).status !== 0) {
    console.log(`${python} has no onnx and onnxruntime: graphs of ONNX are left out`)
    return
  }
  const found = (command, argument) => JSON.parse(run(python, [script, command, argument]))
  const list = join(work, 'jobs.json')
  const { writeOnnxFiles } = await import('../../dist/test/python/onnx-files.js')
  writeFileSync(list, JSON.stringify(await writeOnnxFiles(join(work, 'onnx'))))
  for (const [name, off] of Object.entries(found('tokens', list))) check(`ONNX, ${name}`, [off], [0], TINY)

  const jobs = []
  for (const { folder, out, ...job } of made) {
    const model = await SentenceTransformer.load(folder)
    const exported = join(work, 'exported', job.name)
    await model.exportOnnx(exported, { dtype: ['fp32', 'q8'] })
    await model.dispose()
    jobs.push({ ...job, folder: exported, out: `${out}.onnx` })
  }
  // Its graph does not know where a prompt ends.
  const known = jobs.filter(({ name }) => name !== 'without-prompt')
  writeFileSync(list, JSON.stringify(known.map(({ expected, ...job }) => job)))
  run(python, [script, 'folders', list])
  for (const { name, out, expected } of known) {
    check(`ONNX, ${name}, tokenized by transformers`, floatsOf(out), expected, TINY)
  }

  const real = jobs.find(({ name }) => name === 'all-MiniLM-L6-v2')
  if (real) {
    writeFileSync(list, JSON.stringify(hardTexts()))
    const cosines = JSON.parse(run(python, [script, 'lowest', real.folder, list]))
    for (const [i, name] of ['one by one', 'in batches'].entries()) {
      check(`ONNX in 8 bits, 1 - lowest cosine of texts ${name}`, [Math.max(0, 1 - cosines[i])], [0], {
        tolerance: 0.01,
      })
    }
  }

  const wide = found('quantized', jobs.find(({ name }) => name === 'wide').folder)
  check('ONNX in 8 bits, matrices and tables of onnxruntime', [wide.matrices, wide.tables], [12, 1], { tolerance: 0 })
  check("ONNX in 8 bits, onnxruntime's weights", [wide.weights], [0], { tolerance: 0 })
  check("ONNX in 8 bits, onnxruntime's scales", [wide.scales], [0], { tolerance: 1e-6 })
  check('ONNX in 8 bits, 1 - cosine', [Math.max(0, 1 - wide.cosine)], [0], { tolerance: 0.01 })
}

/**
 * Texts of which 8 bits lose most, by onnxruntime's own recipe 0.03 and more of the cosine, and others that it does not harm as much.
 * @returns those of STS and of passages where the data are
 */
function hardTexts() {
  const hard = [
    "I think it's going to depend on what the reasons are.",
    'I have been reading on this topic since I have asked this question.',
    'At first, I thought this is a bit of a tricky question.',
    "I can't think of the specifics, but I seem to remember this scenario from many years ago.",
    "There's a geek answer to this, and a practical answer to this.",
  ]
  const data = join(root, '..', 'shared', 'data')
  if (!existsSync(data)) return hard
  const lines = (name) => readFileSync(join(data, name), 'utf8').trim().split('\n')
  const sentences = lines('stsb/dev.tsv')
    .slice(1)
    .flatMap((line) => line.split('\t').slice(0, 2))
  const passages = lines('squad/dev-passages.jsonl').map((line) => JSON.parse(line).passage)
  return [...hard, ...sentences.filter((_, i) => i % 20 === 0), ...passages.slice(0, 10)]
}

/** Datasets: written here, with the same values in pandas and `datasets`. */
async function dataFiles() {
  const folder = join(work, 'data')
  mkdirSync(folder)
  await writeDataFiles(folder)
  run(python, ['test/python/data_files.py', folder])
  passed++
  console.log('ok  datasets written here have the same values in pandas and `datasets`')
}

/** Clients of OpenAI, Hugging Face, LangChain, LlamaIndex and Cohere get from the server what the models give. */
async function serverClients(embedder) {
  const reranker = join(root, 'test/parity/golden/cross-encoder/one')
  for (const { name, found, expected } of await askServer({ python, work, embedder, reranker }))
    check(`the client ${name} of Python`, found, expected, { tolerance: 1e-6 })
}

const work = mkdtempSync(join(tmpdir(), 'sentence-torch-python-'))
/** The command `parity` finds the folders equal. */
function parityCommand(jobs) {
  for (const { name, folder } of jobs.slice(-3)) {
    const args = ['dist/lib/cli/main.js', 'parity', folder, '--python', python, '--json']
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
    if (status === 0) passed++
    else failed++
    console.log(`${status === 0 ? 'ok' : 'FAILED'}: ${name}, sentence-torch parity ${(stdout || stderr).trim()}`)
  }
}

try {
  if (!process.env.SENTENCE_TORCH_TEST_PYTHON && !existsSync(venv)) {
    console.log('Making bench/peers/venv')
    const { status } = spawnSync('python3', ['bench/setup.py', '--python'], { cwd: root, stdio: 'inherit' })
    if (status !== 0) throw new Error('bench/setup.py failed')
  }
  const made = join(work, 'made')
  run(python, ['test/python/models.py', 'make', made])
  const names = readdirSync(made).filter((name) => name !== 'parts')
  const jobs = names.map((name) => ({
    name,
    folder: join(made, name),
    texts: TEXTS,
    promptName: name.includes('prompt') ? 'query' : undefined,
    out: join(work, `${name}.f32`),
    rate: 1e-2,
    ...TINY,
  }))
  if (existsSync(MINILM)) {
    jobs.push({
      name: 'all-MiniLM-L6-v2',
      folder: MINILM,
      texts: TEXTS,
      out: join(work, 'real.f32'),
      rate: 1e-4,
      ...REAL,
    })
  } else console.log('No ../shared/models/all-MiniLM-L6-v2 beside the repository: the real model is left out')

  cudaShapes()
  const expected = pythonVectors(jobs)
  for (const [i, job] of jobs.entries()) {
    check(`${job.name}, saved by Python, loaded here`, await nodeVectors(job), expected[i], job)
  }

  const trained = []
  for (const job of jobs) {
    const folder = join(work, 'trained', job.name)
    const ours = await fineTune(job, folder, job.rate)
    trained.push({ ...job, folder, ours })
    check(`${job.name}, fine-tuned, saved and loaded here`, await nodeVectors({ ...job, folder }), ours, {
      tolerance: 0,
    })
  }
  const theirs = pythonVectors(trained.map(({ ours, ...job }) => job))
  for (const [i, job] of trained.entries()) {
    check(`${job.name}, fine-tuned and saved here, loaded by Python`, theirs[i], job.ours, job)
  }
  await parityCommand(jobs)
  await onnxGraphs(jobs.map((job, i) => ({ ...job, expected: expected[i] })))
  await crossEncoders()
  await adapters()
  await languageModels()
  await dataFiles()
  await textToText()
  await serverClients(jobs.at(-1).folder)
} catch (error) {
  failed++
  console.error(error)
} finally {
  rmSync(work, { recursive: true, force: true })
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
