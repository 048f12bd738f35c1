// Commands that use a model, with a tiny one: results as the library computes them, and bad input as a table over commands.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { parquetReadObjects } from 'hyparquet'
import { packageRoot } from '#system'
import { Interruption } from '../../lib/cli/io.js'
import { EmbeddingSimilarityEvaluator } from '../../lib/evaluation/embedding-similarity.js'
import { SentenceTransformer } from '../../lib/index.js'
import { callProgram } from '../helpers/call-program.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

const program = join(packageRoot, 'dist/bundle/cli.js')
const folder = mkdtempSync(join(tmpdir(), 'sentence-torch-cli-'))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string) => join(folder, name)
const MODEL = at('model')

const TEXTS = Array.from({ length: 30 }, (_, i) => `${tinyWords[i]} ${tinyWords[(i * 7) % 40]} the ${tinyWords[i % 5]}`)
writeFileSync(at('texts.txt'), `${TEXTS.join('\n')}\n`)
writeFileSync(at('texts.jsonl'), TEXTS.map((text, id) => `${JSON.stringify({ id, text })}\n`).join(''))
const PAIRS = TEXTS.slice(0, 12).map((text, i) => ({ a: text, b: TEXTS[(i * 5 + 3) % 30]!, score: (i * 3) % 6 }))
writeFileSync(at('sts.tsv'), `a\tb\tscore\n${PAIRS.map(({ a, b, score }) => `${a}\t${b}\t${score}\n`).join('')}`)
writeFileSync(at('empty.jsonl'), '')
writeFileSync(at('binary.jsonl'), Buffer.from([0x50, 0x41, 0x52, 0x31, 0xff, 0xfe, 0, 1]))
writeFileSync(at('binary.txt'), Buffer.from([0xff, 0xfe, 0, 1]))
writeFileSync(at('numbers.jsonl'), '{"a":1,"b":2}\n')

let model: SentenceTransformer
let expected: Float32Array
test.before(async () => {
  await tinyFolder(MODEL)
  model = await SentenceTransformer.load(MODEL)
  expected = (await model.encode(TEXTS)).data
})
test.after.always(() => model.dispose())

/** The values of a file of NumPy's format, and its shape. */
function readNpy(path: string) {
  const bytes = readFileSync(path)
  const start = 10 + bytes.readUInt16LE(8)
  const header = bytes.toString('latin1', 10, start)
  const shape = /'descr': '<f4', 'fortran_order': False, 'shape': \((\d+), (\d+)\)/.exec(header)!.slice(1).map(Number)
  return { shape, data: new Float32Array(new Uint8Array(bytes.subarray(start)).buffer) }
}

const near = (t: { true(value: boolean): void }, found: ArrayLike<number>, wanted: ArrayLike<number>, most = 1e-6) => {
  t.true(found.length === wanted.length && Array.from(found).every((value, i) => Math.abs(value - wanted[i]!) <= most))
}

test.serial('encode: the same rows in every format', async (t) => {
  for (const input of ['texts.txt', 'texts.jsonl']) {
    const { code, err } = await callProgram(['encode', MODEL, at(input), '--output', at('x.npy')])
    t.is(code, 0, err)
    const { shape, data } = readNpy(at('x.npy'))
    t.deepEqual(shape, [30, 32])
    near(t, data, expected)
  }
  const raw = await callProgram(['encode', MODEL, '-', '--output', at('x.f32'), '--json'], TEXTS.join('\r\n'))
  t.like(JSON.parse(raw.out), { rows: 30, dimensions: 32, output: at('x.f32'), badRows: 0 })
  near(t, new Float32Array(new Uint8Array(readFileSync(at('x.f32'))).buffer), expected)
  t.is((await callProgram(['encode', MODEL, at('texts.txt'), '--output', at('x.jsonl'), '--with-text'])).code, 0)
  const rows = readFileSync(at('x.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.deepEqual(
    rows.map(({ text }) => text),
    TEXTS,
  )
  near(
    t,
    rows.flatMap(({ embedding }) => embedding),
    expected,
  )
  t.is((await callProgram(['encode', MODEL, at('texts.txt'), '--output', at('x.parquet'), '--with-text'])).code, 0)
  const file = new Uint8Array(readFileSync(at('x.parquet'))).buffer
  const objects = (await parquetReadObjects({ file })) as { text: string; embedding: number[] }[]
  t.deepEqual(
    objects.map(({ text }) => text),
    TEXTS,
  )
  near(
    t,
    objects.flatMap(({ embedding }) => embedding),
    expected,
  )
})

test.serial('encode: stdin to stdout, a line of JSON for each text', (t) => {
  const { status, stdout, stderr } = spawnSync(program, ['encode', MODEL, '-'], {
    encoding: 'utf8',
    input: TEXTS.join('\n'),
  })
  t.is(status, 0, stderr)
  near(
    t,
    stdout
      .trim()
      .split('\n')
      .flatMap((line) => JSON.parse(line).embedding),
    expected,
  )
})

test.serial('encode: a shard of fewer texts than shards is a file without rows', async (t) => {
  writeFileSync(at('three.txt'), 'a\nb\nc\n')
  for (const ending of ['npy', 'jsonl', 'parquet', 'f32']) {
    const output = at(`empty.${ending}`)
    const { code, out, err } = await callProgram([
      ...['encode', MODEL, at('three.txt'), '--shard', '4/4', '--output', output, '--json'],
    ])
    t.is(code, 0, err)
    t.is(JSON.parse(out).rows, 0)
    t.true(existsSync(output))
  }
  const { shape } = readNpy(at('empty.npy'))
  t.deepEqual(shape, [0, 32])
})

test.serial('encode: the shards of a text file are all its rows', async (t) => {
  const all: number[][] = TEXTS.map(() => [])
  for (const shard of [1, 2, 3, 4]) {
    const { code } = await callProgram([
      'encode',
      MODEL,
      at('texts.txt'),
      '--output',
      at('s.npy'),
      '--shard',
      `${shard}/4`,
    ])
    t.is(code, 0)
    const { shape, data } = readNpy(at('s.npy'))
    t.is(shape[0], [8, 8, 7, 7][shard - 1])
    for (let row = 0; row < shape[0]!; row++) all[row * 4 + shard - 1] = [...data.subarray(row * 32, row * 32 + 32)]
  }
  near(t, all.flat(), expected)
})

test.serial('encode: dimensions, length and prompts are those of the library', async (t) => {
  const options = ['--truncate-dim', '8', '--normalize', '--prompt', 'red ']
  const { code } = await callProgram(['encode', MODEL, at('texts.txt'), '--output', at('t.npy'), ...options])
  t.is(code, 0)
  const own = await model.encode(TEXTS, { truncateDim: 8, normalizeEmbeddings: true, prompt: 'red ' })
  const { shape, data } = readNpy(at('t.npy'))
  t.deepEqual(shape, [30, 8])
  near(t, data, own.data)
})

test.serial('encode: bad rows are told, or left out and counted', async (t) => {
  writeFileSync(at('bad.jsonl'), '{"text":"red"}\n{"text":3}\nno\n{"text":"green"}\n')
  const stopped = await callProgram(['encode', MODEL, at('bad.jsonl'), '--output', at('b.npy')])
  t.is(stopped.code, 1)
  t.regex(stopped.err, /line 3 of .*bad\.jsonl/)
  const { code, err, out } = await callProgram([
    ...['encode', MODEL, at('bad.jsonl'), '--output', at('b.npy'), '--skip-bad-rows', '--json'],
  ])
  t.is(code, 0, err)
  t.like(JSON.parse(out), { rows: 2, badRows: 2 })
  t.regex(err, /left out 2 bad rows:\n.*line 3 .*\n.*line 2 /)
})

test.serial('evaluate: the numbers of the evaluator; kinds by columns or by name', async (t) => {
  const columns = (name: 'a' | 'b') => PAIRS.map((row) => row[name])
  const evaluator = new EmbeddingSimilarityEvaluator({
    ...{ sentences1: columns('a'), sentences2: columns('b'), scores: PAIRS.map(({ score }) => score), name: 'sts' },
  })
  const { metrics, primaryMetric } = await evaluator.evaluate(model)
  const both = ['--on', at('sts.tsv'), '--on', `sts=${at('sts.tsv')}`]
  const { code, out, err } = await callProgram(['evaluate', MODEL, ...both, '--json', '--output', at('eval')])
  t.is(code, 0, err)
  const { results } = JSON.parse(out)
  t.is(results.length, 2)
  for (const result of results) t.like(result, { kind: 'sts', metrics, primaryMetric, score: metrics[primaryMetric] })
  t.deepEqual(readdirSync(at('eval')), ['similarity_evaluation_sts_results.csv'])
  const shown = await callProgram(['evaluate', MODEL, '--on', at('sts.tsv'), '--columns', 'b,a,score'])
  t.regex(shown.out, /\* sts_spearman_cosine +-?\d\.\d{4}/)
})

test.serial('inspect: modules, numbers of parameters, tensors', async (t) => {
  const { code, out } = await callProgram(['inspect', MODEL, '--json', '--tensors'])
  t.is(code, 0)
  const facts = JSON.parse(out)
  t.deepEqual(
    facts.modules.map(({ type }: { type: string }) => type),
    ['Transformer', 'Pooling'],
  )
  const embeddings = (50 + 40 + 2) * 32 + 64
  const layer = 4 * (32 * 32 + 32) + 2 * 32 * 64 + 64 + 32 + 2 * 64
  t.is(facts.parameters, embeddings + 2 * layer)
  t.is(facts.bytes, facts.parameters * 4)
  t.like(facts.settings, { embeddingDimension: 32, similarityFnName: 'cosine' })
  t.true(facts.tensors.some(({ name }: { name: string }) => name === 'embeddings.word_embeddings.weight'))
  const text = (await callProgram(['inspect', MODEL])).out
  t.regex(text, /Module 1 +Pooling \(modes \["mean"\]/)
  t.notRegex(text, /word_embeddings/)
})

/** Bad input: the command ends with one line, and writes nothing. */
const faults: [string, string[], number, RegExp][] = [
  ['no model', ['inspect', at('nowhere')], 1, /There is no model folder/],
  ['a file as model', ['inspect', at('sts.tsv')], 1, /Expected a model folder, but .* is a file/],
  ['no model', ['encode', at('nowhere'), at('texts.txt'), '--output', at('n.npy')], 1, /There is no model folder/],
  ['no file', ['encode', MODEL, at('no.txt'), '--output', at('n.npy')], 1, /There is no file .*no\.txt/],
  ['a folder', ['encode', MODEL, folder, '--output', at('n.npy')], 1, /Expected a file, found the folder/],
  ['no rows', ['encode', MODEL, at('empty.jsonl'), '--output', at('n.npy')], 1, /at least one row/],
  ['no texts', ['encode', MODEL, '-', '--output', at('n.npy')], 1, /Expected texts in -, found none/],
  ['a binary file', ['encode', MODEL, at('binary.txt'), '--output', at('n.npy')], 1, /Expected UTF-8/],
  ['Parquet in disguise', ['encode', MODEL, at('binary.jsonl'), '--output', at('n.npy')], 1, /Parquet: its name/],
  [
    'no texts',
    ['encode', MODEL, at('numbers.jsonl'), '--output', at('n.npy')],
    1,
    /found a, b: choose one with --column/,
  ],
  [
    'no such column',
    ['encode', MODEL, at('texts.jsonl'), '--column', 'txt', '--output', at('n.npy')],
    1,
    /the keys txt/,
  ],
  ['nowhere to write', ['encode', MODEL, at('texts.txt'), '--output', at('no/n.npy')], 1, /no\/n\.npy/],
  ['an unknown ending', ['encode', MODEL, at('texts.txt'), '--output', at('n.xyz')], 2, /ending in \.npy/],
  ['npy to stdout', ['encode', MODEL, at('texts.txt'), '--format', 'npy'], 2, /needs --output/],
  ['an unknown format', ['encode', MODEL, at('texts.txt'), '--format', 'npz'], 2, /did you mean npy/],
  ['a shard too many', ['encode', MODEL, at('texts.txt'), '--shard', '5/4'], 2, /1 ≤ i ≤ n/],
  [
    'no number',
    ['encode', MODEL, at('texts.txt'), '--batch-size', 'many'],
    2,
    /a whole number of at least 1, not "many"/,
  ],
  ['no input', ['encode', MODEL], 2, /encode needs <input>/],
  ['no data', ['evaluate', MODEL], 2, /--on <file or folder>/],
  ['no file', ['evaluate', MODEL, '--on', at('no.tsv')], 1, /There is no file/],
  ['other columns', ['evaluate', MODEL, '--on', at('texts.jsonl')], 1, /two columns of texts and a label/],
  ['no such column', ['evaluate', MODEL, '--on', at('sts.tsv'), '--columns', 'a,c'], 1, /some of a, b, score/],
  ['no rows', ['evaluate', MODEL, '--on', at('empty.jsonl')], 1, /at least one row/],
  ['a binary file', ['evaluate', MODEL, '--on', at('binary.jsonl')], 1, /Parquet: its name/],
  ['no model', ['evaluate', at('nowhere'), '--on', at('sts.tsv')], 1, /There is no model folder/],
]
for (const [what, args, code, message] of faults) {
  test.serial(`${args[0]}, ${what}: ${message}`, async (t) => {
    const result = await callProgram(args)
    t.is(result.code, code, result.err)
    t.regex(result.err, message)
    t.is(result.err.split('\n').length, code === 2 ? 3 : 2)
    t.is(result.out, '')
    t.deepEqual(
      readdirSync(folder).filter((name) => /^n\.|\.tmp|sentence-torch-save/.test(name)),
      [],
    )
  })
}

test.serial('a full disk: the file that was there stays, and nothing else', (t) => {
  writeFileSync(at('full.f32'), 'old')
  const many = at('many.txt')
  writeFileSync(many, 'red green blue\n'.repeat(400))
  // 400 rows of 32 float32 are 51,200 bytes; the limit is 8 blocks of 1,024 bytes (of 512 in some shells).
  const line = `ulimit -f 8; "${process.execPath}" "${program}" encode "${MODEL}" "${many}" --output "${at('full.f32')}"`
  const { status, stderr } = spawnSync('bash', ['-c', line], { encoding: 'utf8' })
  t.is(status, 1)
  t.regex(stderr, /Cannot write .*full\.f32: .*\(EFBIG\)\n$/)
  t.is(readFileSync(at('full.f32'), 'utf8'), 'old')
  t.deepEqual(
    readdirSync(folder).filter((name) => name.includes('full.f32')),
    ['full.f32'],
  )
  if (process.platform !== 'linux') return
  const out = spawnSync('bash', ['-c', `"${process.execPath}" "${program}" inspect "${MODEL}" > /dev/full`], {
    encoding: 'utf8',
  })
  t.is(out.status, 1)
  t.regex(out.stderr, /stdout cannot be written/)
})

test.serial('Ctrl-C: exit code 130, and nothing half-written', async (t) => {
  const controller = new AbortController()
  controller.abort(new Interruption('SIGINT'))
  for (const args of [
    ['encode', MODEL, at('texts.txt'), '--output', at('n.npy')],
    ['evaluate', MODEL, '--on', at('sts.tsv')],
  ]) {
    const { code, err } = await callProgram(args, '', controller.signal)
    t.is(code, 130, err)
    t.false(readdirSync(folder).includes('n.npy'))
  }
})

test.serial('Ctrl-C while stdin gives nothing: exit code 130 at once', async (t) => {
  const child = spawn(process.execPath, [program, 'encode', MODEL, '-'], { stdio: 'pipe' })
  let err = ''
  child.stderr.on('data', (bytes: Buffer) => {
    err += bytes
  })
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  // The first embeddings: from now on it waits for more texts.
  child.stdout.once('data', () => setTimeout(() => child.kill('SIGINT'), 500)).resume()
  child.stdin.on('error', () => {}).write('a red cat\n'.repeat(5000))
  const late = setTimeout(() => child.kill('SIGKILL'), 60_000)
  t.is(await ended, 130, err)
  clearTimeout(late)
  t.is(err, 'sentence-torch: interrupted by SIGINT\n')
})
