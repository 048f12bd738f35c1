import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, posix, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { findCircles } from '../helpers/circles.js'

/** The import rules of the floor plan. A folder may use itself and what is listed behind it. */
const libRules: Record<string, readonly string[]> = {
  errors: [],
  options: ['errors'],
  native: ['errors', 'options'],
  tensor: ['errors', 'options', 'native'],
  io: ['errors', 'options'],
  data: ['errors', 'options', 'io'],
  losses: ['errors', 'options', 'io', 'data', 'native', 'tensor'],
  models: ['errors', 'options', 'io', 'data', 'native'],
  search: ['errors', 'options', 'io', 'data', 'native', 'losses', 'models'],
  corpus: ['errors', 'options', 'io', 'data', 'native', 'models', 'search'],
  evaluation: ['errors', 'options', 'io', 'data', 'native', 'losses', 'models', 'search'],
  training: ['errors', 'options', 'io', 'data', 'native', 'losses', 'models', 'search', 'evaluation'],
  loops: [...['errors', 'options', 'io', 'data', 'native', 'tensor', 'losses', 'models', 'training']],
  classification: ['errors', 'options', 'io', 'data', 'native', 'losses', 'models', 'search', 'evaluation', 'training'],
  serve: [
    ...['errors', 'options', 'io', 'data', 'native', 'losses', 'models', 'search', 'evaluation', 'training'],
    'classification',
  ],
  plots: ['errors', 'options'],
  report: [
    ...['errors', 'options', 'io', 'data', 'native', 'losses', 'models', 'search', 'evaluation', 'training'],
    'plots',
  ],
  recipes: [
    ...['errors', 'options', 'io', 'data', 'native', 'losses', 'models', 'search', 'evaluation', 'training'],
    ...['classification', 'plots', 'report'],
  ],
}
libRules.integrations = ['errors', 'options', 'io', 'data', 'native', 'models', 'search']
libRules.cli = [...Object.keys(libRules)]
libRules.index = [...Object.keys(libRules)]

/** Rooms and files of lib/training. Each may use itself and what stands before it. */
const trainingFloors = [
  ...['arguments', 'health', 'callbacks', 'distributed', 'reporting', 'batches', 'card', 'checkpoint', 'run'],
  ...[
    'trainer-options',
    'base-trainer',
    'sentence-transformer-trainer',
    'sparse-encoder-trainer',
    'cross-encoder-trainer',
    'multi-vector-encoder-trainer',
    'seq2seq-trainer',
    'legacy',
    'index',
  ],
]

const nativeRules: Record<string, readonly string[]> = {
  core: [],
  ops: ['core'],
  onnx: ['core', 'ops'],
  layers: ['core', 'ops', 'onnx'],
  models: ['core', 'ops', 'onnx', 'layers'],
  losses: ['core', 'ops', 'layers'],
  optim: ['core', 'ops', 'layers'],
  engine: ['core', 'ops', 'onnx', 'layers', 'models', 'losses', 'optim'],
  binding: ['core', 'ops', 'onnx', 'layers', 'models', 'losses', 'optim', 'engine'],
  cuda: ['core', 'ops'],
}
/** Folders that may see Node-API. */
const nodeApiFolders = ['binding', 'boot']

interface Reference {
  from: string
  /** What the statement names: a module specifier or an included file. */
  to: string
  /** `import type`: gone after compilation. */
  typeOnly: boolean
  /** `new URL('./x-worker.js', …)`: another thread, which loads its modules for itself. */
  isWorker: boolean
}

const folderOf = (path: string) => path.split('/')[0]!.replace(/\.[cm]?ts$/, '')

/** The file that an import names; undefined for packages. */
function importedFile({ from, to }: Reference): string | undefined {
  return to.startsWith('.') ? posix.normalize(posix.join(posix.dirname(from), to)).replace(/\.js$/, '.ts') : undefined
}

/** The file that an include names, by its path in native. */
function includedFile({ from, to }: Reference): string {
  return to.startsWith('.') || !to.includes('/') ? posix.normalize(posix.join(posix.dirname(from), to)) : to
}

/** Circles among the files of a folder; imports of types count, too. */
function circles(references: readonly Reference[], fileOf: (reference: Reference) => string | undefined): string[] {
  const edges = new Map<string, Set<string>>()
  for (const reference of references) {
    const file = fileOf(reference)
    if (file === undefined || reference.isWorker) continue
    edges.set(reference.from, (edges.get(reference.from) ?? new Set()).add(file))
  }
  return findCircles(edges).map((circle) => circle.join(' → '))
}

/** Violations among the imports of lib; paths are relative to lib. */
function libViolations(references: readonly Reference[]): string[] {
  return references.flatMap((reference) => {
    const { from, to, typeOnly } = reference
    const target = importedFile(reference)
    if (target === undefined) return []
    if (target.startsWith('..')) return [`${from} imports ${to}, outside lib`]
    // types.ts is the boundary written down: it holds no code.
    if (target === 'native/types.ts') return typeOnly ? [] : [`${from} imports ${to} without "type"`]
    const [own, other] = [folderOf(from), folderOf(target)]
    if (own === other || libRules[own]?.includes(other)) return []
    return [`${from} imports ${to}: ${own} may not use ${other}`]
  })
}

/** Violations among the imports of lib/training; paths are relative to it. */
function trainingViolations(references: readonly Reference[]): string[] {
  return references.flatMap((reference) => {
    const target = importedFile(reference)
    if (target === undefined || target.startsWith('..')) return []
    const [own, other] = [folderOf(reference.from), folderOf(target)]
    const [ownFloor, otherFloor] = [own, other].map((name) => trainingFloors.indexOf(name)) as [number, number]
    if (otherFloor !== -1 && otherFloor <= ownFloor) return []
    return [`${reference.from} imports ${reference.to}: ${own} may not use ${other}`]
  })
}

/** Violations among the includes of native; paths are relative to native. */
function nativeViolations(references: readonly Reference[]): string[] {
  return references.flatMap(({ from, to }) => {
    const own = folderOf(from)
    if (own === 'test') return []
    if (/^(napi\.h|node_api\.h|js_native_api\.h)$/.test(to)) {
      return nodeApiFolders.includes(own) ? [] : [`${from} includes ${to}: only ${nodeApiFolders.join(', ')} may`]
    }
    const target = to.startsWith('.') ? posix.normalize(posix.join(posix.dirname(from), to)) : to
    const other = folderOf(target)
    if (!target.includes('/') || !(other in nativeRules) || other === own) return []
    return nativeRules[own]?.includes(other) ? [] : [`${from} includes ${to}: ${own} may not use ${other}`]
  })
}

const importPattern =
  /(?:^|[\n;])\s*(?:import|export)\s+(type\s)?(?:[^'"`;]*?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)|\bnew URL\(\s*['"](\.[^'"]+)['"]/g
/** In compiled files, whose type imports are gone. */
const staticImportPattern = /^(?:import|export)\s(?:[^'"`;]*?\sfrom\s+)?['"]([^'"]+)['"]/gm
const nativeFiles = /\.(h|hpp|inl|cc|cpp|cu|cuh)$/
const includePattern = /^\s*#\s*include\s*[<"]([^>"]+)[>"]/gm

function importsIn(from: string, source: string): Reference[] {
  return [...source.matchAll(importPattern)].map((match) => {
    const to = (match[2] ?? match[3] ?? match[4])!
    return { from, to, typeOnly: match[1] !== undefined, isWorker: match[4] !== undefined }
  })
}

function includesIn(from: string, source: string): Reference[] {
  return [...source.matchAll(includePattern)].map((match) => ({
    from,
    to: match[1]!,
    typeOnly: false,
    isWorker: false,
  }))
}

/** All references in the files below `folder` of the repository whose names match. */
function scan(folder: string, files: RegExp, find: (from: string, source: string) => Reference[]): Reference[] {
  const root = fileURLToPath(new URL(`../../../${folder}/`, import.meta.url))
  if (!existsSync(root)) return []
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && files.test(entry.name))
    .flatMap((entry) => {
      const path = join(entry.parentPath ?? entry.path, entry.name)
      return find(relative(root, path).split('\\').join('/'), readFileSync(path, 'utf8'))
    })
}

test('lib: every import follows the floor plan', (t) => {
  const references = scan('lib', /\.[cm]?ts$/, importsIn)
  t.true(references.length > 20, 'imports are found')
  t.deepEqual(libViolations(references), [])
  for (const { from } of references) t.true(folderOf(from) in libRules, `${from} is in a folder that has no rule`)
})

test('lib/training: every room uses itself and the rooms before it', (t) => {
  const references = scan('lib/training', /\.ts$/, importsIn)
  t.true(references.length > 100, 'imports are found')
  t.deepEqual(trainingViolations(references), [])
})

test('no circle of imports in lib, and none of includes in native', (t) => {
  // It goes with the table of arguments, which has the interface in a file of its own.
  const known = /^training\/arguments\/arguments\.ts → training\/arguments\/check-arguments\.ts → /
  const found = circles(scan('lib', /\.[cm]?ts$/, importsIn), importedFile)
  t.deepEqual(
    found.filter((circle) => !known.test(circle)),
    [],
  )
  t.deepEqual(circles(scan('native', nativeFiles, includesIn), includedFile), [])
})

test('native: every include follows the floor plan, and Node-API stays in the binding', (t) => {
  const references = scan('native', nativeFiles, includesIn)
  t.true(references.length > 5, 'includes are found')
  t.deepEqual(nativeViolations(references), [])
})

test('native: losses see no batch and no model', (t) => {
  const edges = new Map<string, string[]>()
  for (const reference of scan('native', nativeFiles, includesIn)) {
    edges.set(reference.from, [...(edges.get(reference.from) ?? []), includedFile(reference)])
  }
  const seen = new Set<string>()
  const visit = (file: string) => {
    if (seen.has(file)) return
    seen.add(file)
    for (const included of edges.get(file) ?? []) visit(included)
  }
  visit('losses/loss.h')
  t.true(seen.has('core/parameters.h'))
  t.deepEqual(
    [...seen].filter((file) => /^(core\/packed\.h|ops\/input\.h|models\/)/.test(file)),
    [],
  )
})

test('a process that only encodes loads neither the loop of training nor the clients of hub and tokenizers', (t) => {
  const compiled = fileURLToPath(new URL('../../lib/', import.meta.url))
  const loaded = new Set<string>()
  const load = (file: string) => {
    if (loaded.has(file)) return
    loaded.add(file)
    if (!file.endsWith('.js')) return
    for (const [, to] of readFileSync(join(compiled, file), 'utf8').matchAll(staticImportPattern)) {
      load(to!.startsWith('.') ? posix.join(posix.dirname(file), to!) : to!)
    }
  }
  load('index.js')
  t.true(loaded.size > 50 && loaded.has('training/sentence-transformer-trainer.js') && loaded.has('node:path'))
  const late = [
    /^training\/(run\/(loop|session|run|steps|evaluation|train)|batches\/source|checkpoint\/checkpoint)\.js$/,
    /^@huggingface\//,
    /^hyparquet/,
    /^yaml$/,
    /^picomatch$/,
  ]
  t.deepEqual(
    [...loaded].filter((file) => late.some((pattern) => pattern.test(file))),
    [],
  )
})

test('the rules find violations in lib', (t) => {
  const source = `
import { a } from '../native/load.js'
import type { B } from '../native/types.js'
import { C } from '../native/types.js'
export { d } from '../models/x.js'
import {
  e,
  type F,
} from '../training/trainer.js'
import '../cli/run.js'
const g = await import('../losses/g.js')
const worker = new URL('../serve/worker.js', import.meta.url)
import h from 'node:fs'
import { i } from './dataset.js'
import { j } from '../errors.js'
import { k } from '../../install/x.mjs'
`
  const found = libViolations(importsIn('data/bad.ts', source))
  t.deepEqual(found, [
    'data/bad.ts imports ../native/load.js: data may not use native',
    'data/bad.ts imports ../native/types.js without "type"',
    'data/bad.ts imports ../models/x.js: data may not use models',
    'data/bad.ts imports ../training/trainer.js: data may not use training',
    'data/bad.ts imports ../cli/run.js: data may not use cli',
    'data/bad.ts imports ../losses/g.js: data may not use losses',
    'data/bad.ts imports ../serve/worker.js: data may not use serve',
    'data/bad.ts imports ../../install/x.mjs, outside lib',
  ])
  t.deepEqual(libViolations(importsIn('index.ts', "export * from './training/trainer.js'\n")), [])
  t.is(libViolations(importsIn('errors.ts', "import { x } from './io/atomic.js'\n")).length, 1)
  t.is(libViolations(importsIn('options.ts', "import { x } from './losses/index.js'\n")).length, 1)
  t.deepEqual(libViolations(importsIn('data/a.ts', "import { checkType } from '../options.js'\n")), [])
})

test('the rules find violations in native', (t) => {
  const source =
    '#include "engine/encoder.h"\n  # include <napi.h>\n#include <vector>\n#include "core/error.h"\n#include "../models/bert.h"\n'
  t.deepEqual(nativeViolations(includesIn('ops/bad.cc', source)), [
    'ops/bad.cc includes engine/encoder.h: ops may not use engine',
    'ops/bad.cc includes napi.h: only binding, boot may',
    'ops/bad.cc includes ../models/bert.h: ops may not use models',
  ])
  t.deepEqual(nativeViolations(includesIn('binding/addon.cc', '#include <napi.h>\n#include "engine/encoder.h"\n')), [])
})

test('circles are found, through types and through several files', (t) => {
  const files: Record<string, string> = {
    'a/one.ts': "import type { Two } from './two.js'\nimport { d } from '../b/leaf.js'\n",
    'a/two.ts': "export { three } from '../b/three.js'\n",
    'b/three.ts': "const one = await import('../a/one.js')\n",
    'b/leaf.ts': "import fs from 'node:fs'\nconst worker = new URL('./leaf-worker.js', import.meta.url)\n",
    'b/leaf-worker.ts': "import { leaf } from './leaf.js'\n",
  }
  const references = Object.entries(files).flatMap(([from, source]) => importsIn(from, source))
  t.deepEqual(circles(references, importedFile), ['a/one.ts → a/two.ts → b/three.ts → a/one.ts'])
  const includes = ['ops/a.h', 'core/b.h'].flatMap((from, i) =>
    includesIn(from, i === 0 ? '#include "core/b.h"\n' : '#include "../ops/a.h"\n#include <vector>\n'),
  )
  t.deepEqual(circles(includes, includedFile), ['ops/a.h → core/b.h → ops/a.h'])
  t.deepEqual(circles([...includes.slice(0, 1)], includedFile), [])
})

test('the rules find violations in lib/training', (t) => {
  const source =
    "import { a } from '../run/run.js'\nimport type { B } from '../base-trainer.js'\nimport '../../data/feed.js'\n"
  t.deepEqual(trainingViolations(importsIn('batches/bad.ts', source)), [
    'batches/bad.ts imports ../run/run.js: batches may not use run',
    'batches/bad.ts imports ../base-trainer.js: batches may not use base-trainer',
  ])
  t.is(trainingViolations(importsIn('stray.ts', "import './run/run.js'\n")).length, 1)
  t.deepEqual(trainingViolations(importsIn('run/good.ts', "import '../batches/source.js'\nimport './gate.js'\n")), [])
})
