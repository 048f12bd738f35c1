// What the built addons ask of the machine that loads them, read from the files.
import { existsSync, readFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test from 'ava'
import { buildFolder, glibcVersion, packageRoot } from '#system'
import { compareVersions, type ElfImports, elfImports, newerThan } from '../helpers/elf.js'

/** glibc 2.28, and libstdc++ of GCC 8.2 beside it: Debian 10, RHEL 8 and everything later. */
const LIMITS = { GLIBC: '2.28', GLIBCXX: '3.4.25', CXXABI: '1.3.11' }
/** The newest glibc whose new symbols native/glibc/old_symbols.cpp is known to cover. */
const KNOWN_GLIBC = '2.36'

interface Addon {
  name: string
  content: Buffer
  imports: ElfImports
}

const named = process.env.SENTENCE_TORCH_ADDON
const folders = [named ? dirname(named) : join(buildFolder(), 'Release'), join(packageRoot, 'build-arm64', 'Release')]
const addons: Addon[] =
  process.platform === 'linux'
    ? folders
        .flatMap((folder) => ['boot.node', 'sentence_torch.node'].map((name) => join(folder, name)))
        .filter(existsSync)
        .map((name) => {
          const content = readFileSync(name)
          return { name, content, imports: elfImports(content) }
        })
    : []

function check(title: string, judge: (addon: Addon) => string[]) {
  test(title, (t) => {
    if (!addons.length) t.log('skipped: no addon for Linux is built here')
    for (const addon of addons) t.deepEqual(judge(addon), [], addon.name)
    t.pass()
  })
}

test('the reader finds versions above a limit', (t) => {
  const versions = [
    'GLIBC_2.2.5',
    'GLIBC_2.28',
    'GLIBC_2.29',
    'GLIBCXX_3.4',
    'GLIBCXX_3.4.30',
    'CXXABI_1.3.9',
    'GOMP_4.0',
  ]
  t.deepEqual(newerThan(versions, LIMITS), ['GLIBC_2.29', 'GLIBCXX_3.4.30'])
  t.throws(() => elfImports(Buffer.from('#!/bin/sh\n')), { message: /not a 64-bit/ })
})

test('the reader knows what the addons import', (t) => {
  if (!addons.length) t.log('skipped: no addon for Linux is built here')
  for (const { name, imports } of addons) {
    t.true(imports.versions.includes('GLIBCXX_3.4'), name)
    t.true(imports.needed.includes('libstdc++.so.6'), name)
    t.true(imports.symbols.includes('napi_create_function'), name)
    if (name.endsWith('sentence_torch.node')) t.true(imports.needed.includes('libtorch_cpu.so'), name)
  }
  t.pass()
})

const glibc = glibcVersion() ?? '0'
if (!named && compareVersions(glibc, KNOWN_GLIBC) > 0) {
  test('the addons load on glibc 2.28', (t) => {
    // What a compiler of tomorrow asks for is no mistake of this clone; what is released is named by SENTENCE_TORCH_ADDON.
    for (const { name, imports } of addons)
      t.log(
        `not judged on glibc ${glibc}: ${name} needs ${newerThan(imports.versions, LIMITS).join(', ') || 'no more'}`,
      )
    t.pass()
  })
} else {
  check('the addons load on glibc 2.28', ({ imports }) => newerThan(imports.versions, LIMITS))
}

// Electron's memory cage forbids buffers outside of the JavaScript heap.
check('no addon makes external buffers or strings', ({ imports }) =>
  imports.symbols.filter((name) => /^(napi|node_api)_create_external_/.test(name)),
)

check('no addon holds a path of the machine that built it', ({ content, imports }) => {
  // A home of "/" or the like says nothing.
  const places = [packageRoot, buildFolder(), homedir(), tmpdir()].filter((place) => place.length > 3)
  const sources = content.toString('latin1').match(/(?<=\0)\/[^\0\n]{3,400}\.(?:h|hpp|inl|cpp|cu)(?=\0)/g)
  return [...imports.searchPaths, ...places.filter((place) => content.includes(`${place}/`)), ...(sources ?? [])]
})
