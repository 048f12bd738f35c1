import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { packageRoot } from '#system'
import { temporaryFolder } from './install-helpers.js'

const lib = new URL('../../lib/', import.meta.url)
const bundle = new URL('../../bundle/', import.meta.url)

test('the bundle exports what the library exports', async (t) => {
  const [whole, bundled] = await Promise.all(
    [lib, bundle].map((folder) => import(new URL('index.js', folder).href) as Promise<Record<string, unknown>>),
  )
  t.deepEqual(Object.keys(bundled!).sort(), Object.keys(whole!).sort())
  for (const name of ['losses', 'evaluation', 'util'])
    t.deepEqual(Object.keys(bundled![name] as object).sort(), Object.keys(whole![name] as object).sort(), name)
})

const root = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
  exports: Record<string, { types: string; default: string } | string>
}
for (const [name, module] of [
  ['tensor', 'loops/index'],
  ['serve', 'serve/index'],
  ['langchain', 'integrations/langchain'],
  ['ai-sdk', 'integrations/ai-sdk'],
  ['llamaindex', 'integrations/llamaindex'],
  ['transformers', 'integrations/transformers/index'],
] as const) {
  test(`sentence-torch/${name} is an entry of its own, with all that it exports`, async (t) => {
    const whole = (await import(new URL(`${module}.js`, lib).href)) as object
    const bundled = (await import(new URL(`${name}.js`, bundle).href)) as object
    t.deepEqual(Object.keys(bundled).sort(), Object.keys(whole).sort())
    t.true(Object.values(bundled).some((value) => typeof value === 'function'))
    t.deepEqual(root.exports[`./${name}`], {
      types: `./dist/lib/${module}.d.ts`,
      default: `./dist/bundle/${name}.js`,
    })
    for (const path of Object.values(root.exports[`./${name}`]!))
      t.notThrows(() => readFileSync(join(packageRoot, path)), path)
  })
}

test('every entry of the package is a file of the bundle, and is tested above', (t) => {
  t.deepEqual(Object.keys(root.exports).sort(), [
    ...['.', './ai-sdk', './langchain', './llamaindex', './package.json', './serve', './tensor', './transformers'],
  ])
})

test('classes and functions of the bundle have their names, which cards and messages tell', async (t) => {
  const bundled = (await import(new URL('index.js', bundle).href)) as Record<string, object>
  const isFunction = (value: unknown) => typeof value === 'function'
  for (const [place, members] of [
    ['', bundled],
    ['evaluation', bundled.evaluation!],
    ['losses', bundled.losses!],
  ] as const) {
    const names = Object.entries(members).filter(([, value]) => isFunction(value))
    const wrong = names.filter(([name, value]) => value.name.startsWith('_') && value.name !== name)
    t.true(names.length > 10, place)
    t.deepEqual(wrong, [], place)
  }
})

test('programs of worker threads lie beside the bundle', (t) => {
  const files = readdirSync(lib, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.js'))
  const started = files.flatMap((name) =>
    [...readFileSync(new URL(name, lib), 'utf8').matchAll(/new Worker\(new URL\('(.*?)'/g)].map((match) =>
      basename(match[1]!),
    ),
  )
  t.true(started.length > 2)
  const there = readdirSync(fileURLToPath(bundle))
  t.deepEqual(
    started.filter((name) => !there.includes(name)),
    [],
  )
})

test('the scripts of install/ stay outside: they find the package by their own place', (t) => {
  const files = readdirSync(fileURLToPath(bundle)).filter((name) => name.endsWith('.js'))
  const texts = files.map((name) => readFileSync(new URL(name, bundle), 'utf8'))
  t.true(texts.some((text) => text.includes('from "#system"')))
  t.false(texts.some((text) => text.includes('install/system.mjs')))
})

test('the requires of the built addons stay literal, in a CommonJS file beside the bundle', (t) => {
  const text = readFileSync(new URL('platform.cjs', bundle), 'utf8')
  for (const platform of ['linux-x64', 'linux-arm64', 'darwin-arm64'])
    t.true(text.includes(`require('@sentence-torch/${platform}')`), platform)
})

test('the declarations hold under the strictest options, without skipLibCheck', (t) => {
  const folder = temporaryFolder()
  const file = join(folder, 'user.ts')
  const entries = ['index', 'loops/index', 'integrations/langchain', 'integrations/ai-sdk', 'integrations/llamaindex']
  const all = [...entries, 'integrations/transformers/index', 'serve/index']
  const imports = all.map(
    (name, i) => `export * as m${i} from ${JSON.stringify(join(packageRoot, `dist/lib/${name}.js`))}\n`,
  )
  writeFileSync(file, imports.join(''))
  const options = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess']
  const place = ['--module', 'nodenext', '--target', 'es2022', '--types', 'node', '--typeRoots']
  const { stdout, status } = spawnSync(
    process.execPath,
    [
      join(packageRoot, 'node_modules/typescript/bin/tsc'),
      ...options,
      ...place,
      join(packageRoot, 'node_modules/@types'),
      file,
    ],
    { cwd: folder, encoding: 'utf8' },
  )
  t.is(status, 0, stdout)
})
