import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, posix, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

/** The import rules of the floor plan. A folder may use itself and what is listed behind it. */
const libRules: Record<string, readonly string[]> = {
  errors: [],
  options: ['errors'],
  native: ['errors', 'options'],
  io: ['errors', 'options'],
  data: ['errors', 'options', 'io'],
  losses: ['errors', 'options', 'io', 'data', 'native'],
  models: ['errors', 'options', 'io', 'data', 'native'],
  search: ['errors', 'options', 'io', 'data', 'native', 'losses', 'models'],
  evaluation: ['errors', 'options', 'io', 'data', 'native', 'losses', 'models', 'search'],
  training: ['errors', 'options', 'io', 'data', 'native', 'losses', 'models', 'search', 'evaluation'],
  serve: ['errors', 'options', 'io', 'data', 'native', 'losses', 'models', 'search', 'evaluation', 'training'],
  recipes: ['errors', 'options', 'io', 'data', 'native', 'losses', 'models', 'search', 'evaluation', 'training'],
}
libRules.cli = [...Object.keys(libRules)]
libRules.index = [...Object.keys(libRules)]

const nativeRules: Record<string, readonly string[]> = {
  core: [],
  ops: ['core'],
  layers: ['core', 'ops'],
  models: ['core', 'ops', 'layers'],
  losses: ['core', 'ops', 'layers'],
  optim: ['core', 'ops', 'layers'],
  engine: ['core', 'ops', 'layers', 'models', 'losses', 'optim'],
  binding: ['core', 'ops', 'layers', 'models', 'losses', 'optim', 'engine'],
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
}

const folderOf = (path: string) => path.split('/')[0]!.replace(/\.[cm]?ts$/, '')

/** Violations among the imports of lib; paths are relative to lib. */
function libViolations(references: readonly Reference[]): string[] {
  return references.flatMap(({ from, to, typeOnly }) => {
    if (!to.startsWith('.')) return []
    const target = posix.normalize(posix.join(posix.dirname(from), to)).replace(/\.js$/, '.ts')
    if (target.startsWith('..')) return [`${from} imports ${to}, outside lib`]
    // types.ts is the boundary written down: it holds no code.
    if (target === 'native/types.ts') return typeOnly ? [] : [`${from} imports ${to} without "type"`]
    const [own, other] = [folderOf(from), folderOf(target)]
    if (own === other || libRules[own]?.includes(other)) return []
    return [`${from} imports ${to}: ${own} may not use ${other}`]
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
const includePattern = /^\s*#\s*include\s*[<"]([^>"]+)[>"]/gm

function importsIn(from: string, source: string): Reference[] {
  return [...source.matchAll(importPattern)].map((match) => {
    return { from, to: (match[2] ?? match[3] ?? match[4])!, typeOnly: match[1] !== undefined }
  })
}

function includesIn(from: string, source: string): Reference[] {
  return [...source.matchAll(includePattern)].map((match) => ({ from, to: match[1]!, typeOnly: false }))
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

test('native: every include follows the floor plan, and Node-API stays in the binding', (t) => {
  const references = scan('native', /\.(h|hpp|cc|cpp|cu|cuh)$/, includesIn)
  t.true(references.length > 5, 'includes are found')
  t.deepEqual(nativeViolations(references), [])
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
    /^training\/(run\/(loop|session|run|steps|evaluation)|batches\/source|checkpoint\/checkpoint)\.js$/,
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
