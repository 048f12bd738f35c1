// Every way to an addon that is missing or does not load ends with one error, which names the case and what mends it.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { FoundAddon } from '../../lib/native/find-addon.js'
import { commandsFor, type Installation } from '../../lib/native/installation.js'
import { loadFailure } from '../../lib/native/load-failure.js'
import {
  installLibtorch,
  installMain,
  installPlatform,
  type LoadResult,
  loadIn,
  loadWithoutRoot,
  otherPlatform,
  platform,
  platformIndex,
  projectFolder,
  runIn,
  stubLibrary,
  suffix,
  VERSION,
  writeFiles,
} from '../helpers/fake-install.js'

const ours = `@sentence-torch/${platform}`
const theirs = `@sentence-torch/${otherPlatform}`
const libtorchPackage = `@sentence-torch/libtorch-${platform}`

/** A project with the main package, and what `add` puts beside it. */
function project(t: ExecutionContext, add: (modules: string, folder: string, root: string) => void = () => {}) {
  const folder = projectFolder(t)
  const modules = join(folder, 'node_modules')
  const root = installMain(modules)
  add(modules, folder, root)
  return { folder, modules, root }
}

function both(modules: string): void {
  installPlatform(modules)
  installLibtorch(modules)
}

function refused(t: ExecutionContext, { name, code, message = '' }: LoadResult, what: RegExp, remedy: RegExp): void {
  t.is(name, 'SentenceTorchError')
  t.is(code, 'ERR_ADDON_LOAD')
  const [first = '', ...rest] = message.split('\n')
  t.true(first.startsWith(`The native addon could not be loaded (${platform}, Node ${process.versions.node}`), first)
  t.regex(first, what)
  t.regex(rest.find((line) => line.startsWith('To mend it: ')) ?? '', remedy)
  t.notRegex(message, /Require stack/)
}

type Case = [
  add: (modules: string, folder: string, root: string) => void,
  what: RegExp,
  remedy: RegExp,
  env?: NodeJS.ProcessEnv,
]

const cases: Record<string, Case> = {
  'optional dependencies that were left out': [
    () => {},
    new RegExp(`${ours} is not installed: optional dependencies were left out \\(--omit=optional`),
    /`npm install --include=optional`.*`npx sentence-torch build`/,
  ],
  'optional dependencies that were left out by pnpm': [
    (_, folder) => writeFiles(folder, { 'pnpm-lock.yaml': `'${ours}@${VERSION}':\n` }),
    /optional dependencies were left out/,
    /`pnpm install` without --no-optional/,
  ],
  'a checkout that was installed with --ignore-scripts': [
    (_, _folder, root) => writeFiles(root, { 'CMakeLists.txt': '' }),
    /this checkout was not built \(was it installed with --ignore-scripts\?\)/,
    /`cd .*sentence-torch && npm run build:native`/,
  ],
  'a checkout whose build did not finish': [
    (_, _folder, root) =>
      writeFiles(root, { 'CMakeLists.txt': '', 'build/build.log': 'error: ', 'build/Release/boot.node': '' }),
    /the build of this checkout did not finish \(build\/build\.log says why\)/,
    /npm run build:native/,
  ],
  'node_modules of another system': [
    (modules) => void installPlatform(modules, otherPlatform),
    new RegExp(`${theirs} is installed, but ${ours} is not: node_modules was copied from another system`),
    /`rm -rf node_modules && npm install` on this system/,
  ],
  'a lock file of another system': [
    (_, folder) => {
      const dependencies = {
        'node_modules/sentence-torch': { optionalDependencies: { [ours]: VERSION, [theirs]: VERSION } },
      }
      const packages = { ...dependencies, [`node_modules/${theirs}`]: {} }
      writeFiles(folder, { 'package-lock.json': JSON.stringify({ packages }) })
    },
    new RegExp(`${ours} is not installed: package-lock\\.json lists only the package of another system, ${theirs}`),
    /`rm -rf node_modules package-lock\.json && npm install`/,
  ],
  "a lock file of another system, yarn's": [
    (_, folder) =>
      writeFiles(folder, { 'yarn.lock': `"sentence-torch@^0.1.0":\n    "${ours}" "0.1.0"\n"${theirs}@0.1.0":\n` }),
    /yarn\.lock lists only the package of another system/,
    /`rm -rf node_modules yarn\.lock && yarn install`/,
  ],
  'a platform package without its LibTorch': [
    (modules) => void installPlatform(modules),
    new RegExp(`${ours} is installed, but ${libtorchPackage}, which holds LibTorch, is not`),
    /`rm -rf node_modules && npm install`/,
  ],
  'a platform package whose index.js was cut off': [
    (modules) => void installPlatform(modules, platform, { files: { 'index.js': "'use strict'\nconst { dirname, j" } }),
    new RegExp(`${ours} is installed, but damaged: `),
    /`rm -rf node_modules && npm install`/,
  ],
  'a platform package whose index.js is empty': [
    (modules) => void installPlatform(modules, platform, { files: { 'index.js': '' } }),
    /damaged: its index\.js does not export folder, boot, addon and libtorch/,
    /`rm -rf node_modules && npm install`/,
  ],
  'a platform package without index.js': [
    (modules) => rmSync(join(installPlatform(modules), 'index.js')),
    /is installed, but damaged: Cannot find module '.*index\.js'/,
    /`rm -rf node_modules && npm install`/,
  ],
  'a platform package of another version': [
    (modules) => {
      installPlatform(modules, platform, { version: '0.0.9' })
      installLibtorch(modules)
    },
    new RegExp(`${ours} 0\\.0\\.9 is installed beside sentence-torch ${VERSION}: the versions must be the same`),
    new RegExp(`\`npm install sentence-torch@${VERSION}\``),
  ],
  'LibTorch of another version': [
    (modules) => {
      installPlatform(modules)
      installLibtorch(modules, platform, { libtorchVersion: '2.12.1' })
    },
    /libtorch-.* is LibTorch 2\.12\.1, but the addon was built for 2\.13\.0/,
    /`rm -rf node_modules && npm install`/,
  ],
  'an addon that was cut off': [
    (modules) => {
      installPlatform(modules, platform, { files: { 'sentence_torch.node': stubLibrary(platform, 5000) } })
      installLibtorch(modules)
    },
    /sentence_torch\.node is damaged \(.*cut off: 64 of at least 5000 bytes\)/,
    /`rm -rf node_modules && npm install`/,
  ],
  'an empty boot addon': [
    (modules) => {
      installPlatform(modules, platform, { files: { 'boot.node': '' } })
      installLibtorch(modules)
    },
    /boot\.node is damaged \(an empty file\)/,
    /`rm -rf node_modules && npm install`/,
  ],
  'a pointer of Git LFS in the place of the addon': [
    (modules) => {
      installPlatform(modules, platform, { files: { 'sentence_torch.node': 'version https://git-lfs\n' } })
      installLibtorch(modules)
    },
    /sentence_torch\.node is damaged \(not a shared library\)/,
    /`rm -rf node_modules && npm install`/,
  ],
  'an addon that is not there': [
    (modules) => {
      rmSync(join(installPlatform(modules), 'sentence_torch.node'))
      installLibtorch(modules)
    },
    /sentence_torch\.node is missing/,
    /`rm -rf node_modules && npm install`/,
  ],
  'an addon that cannot be read': [
    (modules) => {
      const path = join(installPlatform(modules), 'boot.node')
      rmSync(path)
      mkdirSync(path)
      installLibtorch(modules)
    },
    /boot\.node is damaged \(a folder\)/,
    /`rm -rf node_modules && npm install`/,
  ],
  'a pipe in the place of the addon, which nobody writes to': [
    (modules) => {
      const path = join(installPlatform(modules), 'sentence_torch.node')
      rmSync(path)
      execFileSync('mkfifo', [path])
      installLibtorch(modules)
    },
    /sentence_torch\.node is damaged \(not a file\)/,
    /`rm -rf node_modules && npm install`/,
  ],
  'a platform package that exports null': [
    (modules) => void installPlatform(modules, platform, { files: { 'index.js': 'module.exports = null' } }),
    /damaged: its index\.js does not export folder, boot, addon and libtorch/,
    /`rm -rf node_modules && npm install`/,
  ],
  'a platform package that throws null': [
    (modules) => void installPlatform(modules, platform, { files: { 'index.js': 'throw null' } }),
    /is installed, but damaged: null/,
    /`rm -rf node_modules && npm install`/,
  ],
  'a platform package that throws undefined later': [
    (modules) => {
      const index = `${platformIndex('__dirname')}exports.libtorch = () => { throw undefined }`
      installPlatform(modules, platform, { files: { 'index.js': index } })
    },
    /undefined/,
    /`rm -rf node_modules && npm install`/,
  ],
  'another addon': [
    (modules) => {
      const index = `${platformIndex('__dirname')}exports.boot = () => ({ close() {} })`
      installPlatform(modules, platform, { files: { 'index.js': index } })
      installLibtorch(modules)
      writeFiles(join(modules, '@sentence-torch', platform), {
        'libtorch.json': '{ "version": "2.13.0", "root": "../libtorch-PLATFORM/torch" }'.replace('PLATFORM', platform),
      })
    },
    /boot\.node is not the addon of sentence-torch: it has no open\(\)/,
    /`rm -rf node_modules && npm install`/,
  ],
  'a folder in the place of the lock file': [
    (_, folder) => mkdirSync(join(folder, 'package-lock.json')),
    /optional dependencies were left out/,
    /`npm install --include=optional`/,
  ],
  'an addon of another machine': [
    (modules) => {
      installPlatform(modules, platform, { files: { 'sentence_torch.node': stubLibrary(otherPlatform) } })
      installLibtorch(modules)
    },
    /sentence_torch\.node was built on another kind of machine \((macOS|Linux) \w+\): was it copied from there\?/,
    /`rm -rf node_modules && npm install`/,
  ],
  'a library of LibTorch that was cut off': [
    (modules) => {
      installPlatform(modules)
      installLibtorch(modules, platform, {
        files: { [`torch/lib/libtorch_cpu.${suffix}`]: stubLibrary(platform, 1e9) },
      })
    },
    /LibTorch is damaged: .*libtorch_cpu\.\w+ \(.*cut off: 64 of at least 1000000000 bytes\)/,
    /`rm -rf node_modules && npm install`; or name a folder of LibTorch in SENTENCE_TORCH_LIBTORCH/,
  ],
  'a library beside LibTorch that was cut off': [
    (modules) => {
      installPlatform(modules)
      installLibtorch(modules, platform, { files: { 'nvidia/cu13/lib/libcupti.so.13': stubLibrary(platform, 4096) } })
    },
    /LibTorch is damaged: .*nvidia\/cu13\/lib\/libcupti\.so\.13/,
    /`rm -rf node_modules && npm install`/,
  ],
  'LibTorch without its libraries': [
    (modules) => {
      installPlatform(modules)
      rmSync(join(installLibtorch(modules), 'torch'), { recursive: true })
    },
    /LibTorch is missing in .*torch: it was moved or deleted/,
    /`rm -rf node_modules && npm install`; or name a folder/,
  ],
  'a damaged libtorch.json': [
    (modules) => {
      installPlatform(modules)
      installLibtorch(modules, platform, { files: { 'libtorch.json': '{ "version": "2.13' } })
    },
    /libtorch\.json is damaged \(/,
    /`rm -rf node_modules && npm install`/,
  ],
  'a libtorch.json with other members': [
    (modules) => {
      installPlatform(modules)
      installLibtorch(modules, platform, { files: { 'libtorch.json': '{ "root": 7 }' } })
    },
    /libtorch\.json is damaged \(a member is no string\)/,
    /`rm -rf node_modules && npm install`/,
  ],
  ...Object.fromEntries(
    ['null', '[]', '42', '"torch"'].map((text): [string, Case] => [
      `a libtorch.json that is ${text}`,
      [
        (modules) => {
          installPlatform(modules, platform, { files: { 'libtorch.json': text } })
          installLibtorch(modules)
        },
        /libtorch\.json is damaged \(it is no object\)/,
        /`rm -rf node_modules && npm install`/,
      ],
    ]),
  ),
  'a folder in the place of libtorch.json': [
    (modules) => {
      installPlatform(modules)
      const path = join(installLibtorch(modules), 'libtorch.json')
      rmSync(path)
      mkdirSync(path)
    },
    /libtorch\.json is damaged \(it is no small file\)/,
    /`rm -rf node_modules && npm install`/,
  ],
  'a file in the place of the libraries': [
    (modules) => {
      installPlatform(modules)
      const folder = join(installLibtorch(modules), 'torch/lib')
      rmSync(folder, { recursive: true })
      writeFiles(folder, { '../lib': '' })
    },
    /LibTorch is missing in .*torch/,
    /`rm -rf node_modules && npm install`/,
  ],
  'LibTorch of another machine': [
    (modules) => {
      installPlatform(modules)
      installLibtorch(modules, platform, { files: { [`torch/lib/libc10.${suffix}`]: stubLibrary(otherPlatform) } })
    },
    /LibTorch is of another kind of machine: .*libc10\.\w+ \((macOS|Linux) \w+\)/,
    /`rm -rf node_modules && npm install`/,
  ],
  'a library that the dynamic linker refuses': [both, /boot\.node/, /`rm -rf node_modules && npm install`/],
  'a SENTENCE_TORCH_ADDON that is not there': [
    both,
    /\/nowhere\/sentence_torch\.node is missing/,
    /let SENTENCE_TORCH_ADDON name a sentence_torch\.node for this machine with boot\.node beside it, or unset it/,
    { SENTENCE_TORCH_ADDON: '/nowhere/sentence_torch.node' },
  ],
  'a SENTENCE_TORCH_LIBTORCH that is not there': [
    both,
    /SENTENCE_TORCH_LIBTORCH: \/nowhere does not exist/,
    /unset SENTENCE_TORCH_LIBTORCH, or let it name a folder of LibTorch 2\.11 to 2\.14/,
    { SENTENCE_TORCH_LIBTORCH: '/nowhere' },
  ],
  'a SENTENCE_TORCH_LIBTORCH without LibTorch': [
    both,
    /SENTENCE_TORCH_LIBTORCH: .* has no lib\/libtorch_cpu\.\w+, no lib\/libc10/,
    /unset SENTENCE_TORCH_LIBTORCH/,
    { SENTENCE_TORCH_LIBTORCH: tmpdir() },
  ],
  'a local build that was copied from another machine': [
    (_, _folder, root) =>
      writeFiles(root, {
        'build/libtorch.json': JSON.stringify({ version: '2.13.0', variant: 'cpu', root: 'libtorch/torch' }),
        'build/Release/boot.node': stubLibrary(otherPlatform),
        'build/Release/sentence_torch.node': stubLibrary(otherPlatform),
      }),
    /was built on another kind of machine/,
    /`npx sentence-torch build`; or delete .*build, and the installed package is taken/,
  ],
  'a local build whose LibTorch has gone': [
    (_, _folder, root) =>
      writeFiles(root, {
        'CMakeLists.txt': '',
        'build/libtorch.json': JSON.stringify({ version: '2.13.0', variant: 'cpu', path: '/nowhere/torch' }),
        'build/Release/boot.node': stubLibrary(),
        'build/Release/sentence_torch.node': stubLibrary(),
      }),
    /LibTorch is missing in \/nowhere\/torch: it was moved or deleted/,
    /npm run build:native`; or name a folder of LibTorch in SENTENCE_TORCH_LIBTORCH/,
  ],
  'a local build without libtorch.json': [
    (_, _folder, root) =>
      writeFiles(root, {
        'build/Release/boot.node': stubLibrary(),
        'build/Release/sentence_torch.node': stubLibrary(),
      }),
    /LibTorch was not found: no libtorch\.json beside .* or in the folder above/,
    /`npx sentence-torch build`/,
  ],
}

const supported = ['linux-x64', 'linux-arm64', 'darwin-arm64'].includes(platform)
const run = supported ? test : test.skip
for (const [what, [add, expected, remedy, env]] of Object.entries(cases)) {
  run(what, (t) => {
    const { root } = project(t, add)
    refused(t, loadIn(root, env), expected, remedy)
  })
}

run('a process that may not load addons', (t) => {
  const result = loadIn(project(t, both).root, {}, ['--no-addons'])
  refused(
    t,
    result,
    /this process may not load addons/,
    /without --no-addons, and --permission together with --allow-addons/,
  )
})

const linux: Installation = {
  root: '/project/node_modules/sentence-torch',
  platform: 'linux',
  arch: 'x64',
  glibc: '2.36',
  musl: false,
  electron: false,
  pnp: false,
}

const nothing = { search: { steps: [{ step: 'local build', found: 'not there', chosen: false }], errors: new Map() } }

/** The packages of linux-x64, found. */
function found(source = '@sentence-torch/linux-x64', folder = `/project/node_modules/${source}`) {
  const boot = () => ({})
  const addon: FoundAddon = {
    ...{ source, folder, boot, addon: boot, libtorch: () => '/' },
    ...{ addonPath: join(folder, 'sentence_torch.node'), bootPath: join(folder, 'boot.node') },
  }
  return {
    search: { ...nothing.search, found: addon },
    libtorch: { path: '/libtorch', version: '2.13.0', variant: 'cpu' },
  }
}

test("commands are those of the package manager; Plug'n'Play's programs are Yarn's to start", (t) => {
  const folder = projectFolder(t)
  const root = join(folder, 'node_modules/sentence-torch')
  const npm = commandsFor({ ...linux, root })
  t.is(npm.add('a@1', 'b@1'), '`npm install a@1 b@1`')
  t.is(npm.build, '`npx sentence-torch build`')
  writeFiles(folder, { 'pnpm-lock.yaml': '' })
  t.is(commandsFor({ ...linux, root }).add('a@1'), '`pnpm add a@1`')
  const yarn = commandsFor({ ...linux, root, pnp: true })
  t.is(yarn.add('a@1'), '`yarn add a@1`')
  t.is(yarn.build, '`yarn sentence-torch build`')
  t.is(yarn.doctor, '`yarn sentence-torch doctor`')
})

test('systems without LibTorch are named, with where it runs instead', (t) => {
  const on = (system: Partial<Installation>) => loadFailure(undefined, nothing, { ...linux, ...system }).message
  t.regex(
    on({ platform: 'win32', glibc: undefined }),
    /\(win32-x64, .*Windows is not supported[\s\S]*To mend it: `wsl --install`/,
  )
  t.regex(
    on({ musl: true, glibc: undefined }),
    /musl \(Alpine Linux\) is not supported[\s\S]*FROM node:22-bookworm-slim/,
  )
  t.regex(
    on({ platform: 'darwin', glibc: undefined }),
    /darwin-x64 is not supported.*Supported are linux-x64, linux-arm64, darwin-arm64/,
  )
  t.regex(on({ arch: 'ia32' }), /linux-ia32 is not supported/)
})

test('musl is the reason also where npm has installed the package for glibc', (t) => {
  const cause = new Error('Error relocating boot.node: __libc_single_threaded: symbol not found')
  const { message } = loadFailure(cause, found(), { ...linux, musl: true, glibc: undefined })
  t.regex(message, /musl \(Alpine Linux\) is not supported[\s\S]*reason: +Error relocating/)
})

test('glibc: found and required', (t) => {
  const cause = new Error("/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.28' not found (required by boot.node)")
  const { message } = loadFailure(cause, found(), { ...linux, glibc: '2.17' })
  t.regex(message, /glibc 2\.17 is too old: 2\.28 is required[\s\S]*To mend it: a newer system, with glibc ≥ 2\.28/)
  t.regex(loadFailure(new Error('?'), found(), { ...linux, glibc: '2.27' }).message, /glibc 2\.27 is too old: 2\.28/)
  const local = loadFailure(
    new Error("version `GLIBC_2.38' not found"),
    found('build', '/project/build/Release'),
    linux,
  )
  t.regex(
    local.message,
    /it needs GLIBC_2\.38, which this system does not have \(glibc 2\.36\): it was built on a newer one/,
  )
  const cxx = loadFailure(new Error("version `GLIBCXX_3.4.30' not found"), found(), linux)
  t.regex(cxx.message, /it needs GLIBCXX_3\.4\.30, which this system does not have/)
})

test('what may not be read is not called missing', (t) => {
  const { folder, modules, root } = project(t, both)
  chmodSync(folder, 0o755)
  const [package_, library] = [join(modules, ours), join(modules, libtorchPackage)]
  const places: [string, RegExp][] = [
    [package_, new RegExp(`this user may not read ${package_} `)],
    [join(package_, 'sentence_torch.node'), new RegExp(`this user may not read ${package_} `)],
    [library, new RegExp(`this user may not read ${library} `)],
    [join(library, 'libtorch.json'), new RegExp(`this user may not read ${library} `)],
    [join(library, 'torch'), /this user may not read .*torch/],
    [join(library, 'torch/lib'), /this user may not read .*torch/],
  ]
  for (const [place, what] of places) {
    const { mode } = statSync(place)
    chmodSync(place, 0)
    refused(t, loadWithoutRoot(root), what, /`chmod -R a\+rX .*` as its owner/)
    chmodSync(place, mode)
  }
})

test('a working folder that was deleted changes nothing about the error', (t) => {
  const { root } = project(t)
  const program = `
    const { mkdtempSync, rmdirSync } = await import('node:fs')
    process.chdir(mkdtempSync('gone-'))
    rmdirSync(process.cwd())
    const { loadAddon } = await import(process.argv[1])
    try {
      loadAddon()
    } catch ({ name, code, message }) {
      console.log(JSON.stringify({ name, code, message }))
    }`
  refused(t, runIn(root, program) as LoadResult, /optional dependencies were left out/, /npm install/)
})

test('more threads than the engine takes are no fault of the installation', (t) => {
  const { root } = project(t, both)
  for (const SENTENCE_TORCH_THREADS of ['0', '4097', '99999999999999999999999', '1e3']) {
    const { code, message } = loadIn(root, { SENTENCE_TORCH_THREADS })
    t.is(code, 'ERR_INVALID_ARGUMENT')
    t.regex(message ?? '', /Expected a whole number from 1 to 4096 for SENTENCE_TORCH_THREADS/)
  }
})

test('a SENTENCE_TORCH_LIBTORCH that does not load is mended there', (t) => {
  const { root, folder } = project(t, both)
  const elsewhere = installLibtorch(join(folder, 'elsewhere'))
  writeFiles(elsewhere, { [`torch/lib/libc10.${suffix}`]: stubLibrary(otherPlatform) })
  const other = loadIn(root, { SENTENCE_TORCH_LIBTORCH: elsewhere })
  refused(t, other, /LibTorch is of another kind of machine/, /^To mend it: unset SENTENCE_TORCH_LIBTORCH/)
})

test('what the dynamic linker says is translated', (t) => {
  const said = (message: string) => loadFailure(new Error(message), found(), linux).message
  t.regex(
    said('boot.node: failed to map segment from shared object'),
    /\(noexec\) or this process may not have the memory[\s\S]*To mend it: install it on a file system without noexec/,
  )
  t.regex(
    said('sentence_torch.node: undefined symbol: _ZN3c10x'),
    /this LibTorch is not the one that the addon was built for/,
  )
  const missing = ': cannot open shared object file: No such file or directory'
  t.regex(said(`libcudart.so.13${missing}`), /libcudart\.so\.13, which LibTorch needs, was not found beside it/)
  t.regex(
    said(`libstdc++.so.6${missing}`),
    /this system has no libstdc\+\+\.so\.6[\s\S]*`apt-get install libstdc\+\+6 libgcc-s1`/,
  )
  t.regex(said('something new'), /something new\.[\s\S]*To mend it: `rm -rf node_modules && npm install`/)
})

test('the error keeps its cause and says what was found', (t) => {
  const cause = new Error('why\nRequire stack:\n- x')
  const error = loadFailure(cause, found(), linux)
  t.is(error.code, 'ERR_ADDON_LOAD')
  t.is(error.cause, cause)
  for (const part of [
    'sentence_torch.node (missing)',
    'boot.node (missing)',
    '/libtorch (2.13.0, cpu, missing)',
    'why',
  ])
    t.true(error.message.includes(part), part)
  t.false(error.message.includes('Require stack'))
  t.true(loadFailure(undefined, nothing, linux).message.includes('  local build: not there'))
})
