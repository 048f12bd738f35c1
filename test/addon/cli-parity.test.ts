// `parity`: the vectors of Python beside ours. A program that is no Python stands in for it; test:python has the real one.
import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { npyHeader } from '../../lib/corpus/writers/index.js'
import { SentenceTransformer } from '../../lib/index.js'
import { callProgram } from '../helpers/call-program.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { tinyFolder } from '../helpers/tiny-folder.js'

const TEXTS = ['the cat', 'a dog is very red', '', 'not rain']

/** A model, its texts in a file, and its vectors as an .npy file. */
async function prepared(t: ExecutionContext) {
  const folder = await temporaryFolder(t)
  const model = await tinyFolder(join(folder, 'tiny'))
  const loaded = await SentenceTransformer.load(model)
  const { data, shape } = await loaded.encode(TEXTS)
  await loaded.dispose()
  writeFileSync(join(folder, 'texts.txt'), `${TEXTS.join('\n')}\n`)
  const npy = (name: string, values: Float32Array, rows = shape[0]) => {
    const path = join(folder, name)
    writeFileSync(path, Buffer.concat([npyHeader(rows, values.length / rows), Buffer.from(values.buffer)]))
    return path
  }
  return { folder, model, data: Float32Array.from(data), shape, npy, texts: join(folder, 'texts.txt') }
}

const parity = async (...args: string[]) => {
  const { code, out, err } = await callProgram(['parity', ...args, '--json'])
  return { code, err, found: out === '' ? undefined : (JSON.parse(out) as Record<string, number | boolean | object>) }
}

test('saved vectors: equal ones, one other value and where it is, other shapes', async (t) => {
  const { model, data, shape, npy, texts, folder } = await prepared(t)
  const equal = await parity(model, '--texts', texts, '--vectors', npy('a.npy', data))
  t.is(equal.code, 0, equal.err)
  t.like(equal.found, { texts: 4, dimensions: 32, largest: 0, isEqual: true, tolerance: 1e-4 })
  t.true(Math.abs((equal.found!.smallestCosine as number) - 1) < 1e-12)
  const other = data.slice()
  other[2 * shape[1] + 5]! += 0.01
  const differing = await parity(model, '--texts', texts, '--vectors', npy('b.npy', other))
  t.is(differing.code, 1)
  t.like(differing.found, { text: 2, dimension: 5, isEqual: false })
  t.true(Math.abs((differing.found!.largest as number) - 0.01) < 1e-6)
  t.true((differing.found!.smallestCosine as number) < 1)
  t.is((await parity(model, '--texts', texts, '--vectors', npy('b.npy', other), '--tolerance', '0.1')).code, 0)
  other[0] = Number.NaN
  const broken = await callProgram(['parity', model, '--texts', texts, '--vectors', npy('c.npy', other)])
  t.is(broken.code, 1)
  t.regex(broken.out, /largest difference {2}not a number {2}\("the cat", dimension 0\)\n.*\nNOT equal within 0\.0001/)
  const fewer = await parity(model, '--texts', texts, '--vectors', npy('d.npy', data.slice(0, 2 * shape[1]), 2))
  t.regex(fewer.err, /Expected 4 × 32 values from Python, as here, found 2 × 32/)
  const rows = TEXTS.map((_, i) => [...data.slice(i * shape[1], (i + 1) * shape[1])])
  for (const [name, text] of [
    ['e.json', JSON.stringify(rows)],
    ['e.jsonl', rows.map((embedding, i) => JSON.stringify(i % 2 ? embedding : { embedding })).join('\n')],
  ] as const) {
    writeFileSync(join(folder, name), text)
    t.is((await parity(model, '--texts', texts, '--vectors', join(folder, name))).code, 0, name)
  }
})

test('a Python gets folder, texts and length, and its versions are shown', async (t) => {
  const { folder, model, npy, data, texts } = await prepared(t)
  const vectors = npy('saved.npy', data)
  const python = join(folder, 'python')
  // What sentence-transformers prints must not matter.
  writeFileSync(
    python,
    `#!${process.execPath}
const fs = require('node:fs')
console.log('Loading weights')
const request = JSON.parse(fs.readFileSync(0, 'utf8'))
fs.writeFileSync(${JSON.stringify(join(folder, 'request.json'))}, JSON.stringify({ ...request, code: process.argv.at(-1) }))
fs.copyFileSync(${JSON.stringify(vectors)}, request.vectors)
fs.writeFileSync(request.versions, '{"sentence-transformers":"6.2.0"}')
`,
  )
  chmodSync(python, 0o755)
  // The program gets \`-c\` and a text; node takes both as its own.
  const shell = join(folder, 'shell')
  writeFileSync(shell, `#!/bin/sh\nexec '${process.execPath}' '${python}'\n`)
  chmodSync(shell, 0o755)
  const { code, err, found } = await parity(model, '--texts', texts, '--python', shell)
  t.is(code, 0, err)
  t.deepEqual(found!.python, { 'sentence-transformers': '6.2.0' })
  const request = JSON.parse(
    await import('node:fs').then((fs) => fs.readFileSync(join(folder, 'request.json'), 'utf8')),
  )
  t.deepEqual(request.texts, TEXTS)
  t.is(request.model, model)
  t.false(existsSync(request.vectors))
})

test('what is missing is told, with what to do', async (t) => {
  const { folder, model, texts } = await prepared(t)
  const script = (text: string) => {
    const path = join(folder, `python-${text.length}`)
    writeFileSync(path, `#!/bin/sh\n${text}\n`)
    chmodSync(path, 0o755)
    return path
  }
  const told = async (args: readonly string[], code: number, message: RegExp) => {
    const found = await parity(model, ...args)
    t.is(found.code, code, found.err)
    t.regex(found.err, message)
  }
  await told(
    ['--python', '/nowhere/python'],
    1,
    /Cannot run \/nowhere\/python: there is no such program; --python names/,
  )
  const module = "No module named 'sentence_transformers'"
  await told(['--python', script(`echo "${module}" >&2; exit 86`)], 1, /No module named.*--vectors compares/)
  await told(
    ['--python', script('echo Traceback >&2; echo "ValueError: bad" >&2; exit 1')],
    1,
    /ended with 1: ValueError: bad$/m,
  )
  await told(['--python', script('kill -9 $$')], 1, /ended with SIGKILL/)
  await told(['--python', script('exit 0')], 1, /vectors\.npy/)
  await told(['--vectors', 'a.npy'], 2, /--vectors needs the texts/)
  await told(['--vectors', 'a.npy', '--python', 'x', '--texts', texts], 2, /not both/)
  await told(['--vectors', 'none.npy', '--texts', texts], 1, /none\.npy/)
  writeFileSync(join(folder, 'bad.json'), '[[1,2],[3]]')
  await told(
    ['--vectors', join(folder, 'bad.json'), '--texts', texts],
    1,
    /one length in .*1 numbers in row 1, 2 in row 0/,
  )
  writeFileSync(join(folder, 'empty.txt'), '')
  await told(['--texts', join(folder, 'empty.txt')], 1, /Expected texts in .*empty\.txt, found none/)
})
