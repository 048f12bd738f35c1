// Folders that look like an installation of the published packages, and a process that loads the addon there.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { packageRoot } from '#system'

export const VERSION = '0.1.0'
export const platform = `${process.platform}-${process.arch}`
export const suffix = process.platform === 'darwin' ? 'dylib' : 'so'
/** A supported platform that this is not. */
export const otherPlatform = platform === 'darwin-arm64' ? 'linux-x64' : 'darwin-arm64'

const compiled = fileURLToPath(new URL('../../lib/', import.meta.url))

/** A project folder, removed after the test. */
export function projectFolder(t: ExecutionContext): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sentence-torch-project-')))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Writes files given as { 'a/b.txt': 'content' } below `root`. */
export function writeFiles(root: string, files: Record<string, string | Buffer>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), content)
  }
}

/** The main package, with as much of its JavaScript as loading needs. */
export function installMain(modules: string): string {
  const root = join(modules, 'sentence-torch')
  const lib = join(root, 'dist/lib')
  cpSync(join(compiled, 'native'), join(lib, 'native'), { recursive: true })
  for (const name of readdirSync(compiled).filter((file) => file.endsWith('.js') && file !== 'index.js'))
    cpSync(join(compiled, name), join(lib, name))
  const install = readdirSync(join(packageRoot, 'install')).filter((name) => name.endsWith('.mjs'))
  for (const name of install) cpSync(join(packageRoot, 'install', name), join(root, 'install', name))
  const imports = { '#system': './install/system.mjs' }
  writeFiles(root, {
    'package.json': JSON.stringify({ name: 'sentence-torch', version: VERSION, type: 'module', imports }),
  })
  return root
}

/** A file that passes for a shared library of a machine: a header and nothing more. `claimed`: how long it says that it is. */
export function stubLibrary(machine = platform, claimed = 64): Buffer {
  const [system, arch] = machine.split('-')
  const bytes = Buffer.alloc(64)
  if (system === 'darwin') {
    bytes.writeUInt32LE(0xfeedfacf, 0)
    bytes.writeUInt32LE(arch === 'arm64' ? 16777228 : 16777223, 4)
    bytes.writeUInt32LE(claimed - 32, 20)
    return bytes
  }
  bytes.writeUInt32BE(0x7f454c46, 0)
  bytes[4] = 2
  bytes[5] = 1
  bytes.writeUInt16LE(arch === 'arm64' ? 183 : 62, 18)
  bytes.writeBigUInt64LE(BigInt(claimed), 40)
  return bytes
}

export interface PlatformOptions {
  version?: string
  /** What the LibTorch beside it is for. */
  libtorchVersion?: string
  files?: Record<string, string | Buffer>
}

/** index.js as the packages have it. */
export const platformIndex = (libtorch: string) => `'use strict'
const { dirname, join } = require('node:path')
exports.folder = __dirname
exports.boot = () => require('./boot.node')
exports.addon = () => require('./sentence_torch.node')
exports.libtorch = () => ${libtorch}
`

/** A package with a built addon, of stubs unless `files` brings others. */
export function installPlatform(modules: string, name = platform, options: PlatformOptions = {}): string {
  const { version = VERSION, files = {} } = options
  const cuda = name.endsWith('-cuda13')
  const libtorch = cuda
    ? "join(__dirname, 'libtorch')"
    : `dirname(require.resolve('@sentence-torch/libtorch-${name}/package.json'))`
  const root = join(modules, '@sentence-torch', name)
  writeFiles(root, {
    'package.json': JSON.stringify({ name: `@sentence-torch/${name}`, version, main: 'index.js' }),
    'index.js': platformIndex(libtorch),
    'boot.node': stubLibrary(name.replace('-cuda13', '')),
    'sentence_torch.node': stubLibrary(name.replace('-cuda13', '')),
    'libtorch.json': JSON.stringify({ version: '2.13.0', variant: cuda ? '13.0' : 'cpu' }),
    ...files,
  })
  return root
}

/** LibTorch's package, of stubs. */
export function installLibtorch(
  modules: string,
  name = platform,
  { libtorchVersion = '2.13.0', files = {} }: PlatformOptions = {},
): string {
  const root = join(modules, '@sentence-torch', `libtorch-${name}`)
  const note = { version: libtorchVersion, variant: 'cpu', root: 'torch' }
  writeFiles(root, {
    'package.json': JSON.stringify({ name: `@sentence-torch/libtorch-${name}`, version: libtorchVersion }),
    'libtorch.json': JSON.stringify(note),
    [`torch/lib/libtorch_cpu.${suffix}`]: stubLibrary(),
    [`torch/lib/libc10.${suffix}`]: stubLibrary(),
    ...files,
  })
  return root
}

export interface LoadResult {
  runtime?: { addonVersion: string; libtorchVersion: string }
  /** The libraries of LibTorch that the process has mapped (Linux). */
  mapped?: string[]
  name?: string
  code?: string
  message?: string
}

const PROGRAM = `
const { loadAddon } = await import(process.argv[1])
const { readFileSync, existsSync } = await import('node:fs')
let result
try {
  const runtime = loadAddon().runtime()
  const maps = existsSync('/proc/self/maps') ? readFileSync('/proc/self/maps', 'utf8') : ''
  const mapped = [...new Set(maps.match(/\\/.*(?:libtorch_cpu|libc10|libcudart|sentence_torch|boot)\\.[\\w.]+/g) ?? [])]
  result = { runtime, mapped }
} catch ({ name, code, message }) {
  result = { name, code, message }
}
console.log(JSON.stringify(result))
`

/** Loads the addon of the main package in `root` in a process that knows nothing of this checkout. */
export function loadIn(root: string, env: NodeJS.ProcessEnv = {}, args: string[] = []): LoadResult {
  return runIn(root, PROGRAM, env, args) as LoadResult
}

/** As `loadIn`, by a user whom permissions hold for: not for root. */
export function loadWithoutRoot(root: string): LoadResult {
  return runIn(root, `if (process.getuid() === 0) process.setuid(65534)\n${PROGRAM}`) as LoadResult
}

/** What a program prints as JSON, whose argument is the file that exports loadAddon. */
export function runIn(root: string, program: string, env: NodeJS.ProcessEnv = {}, args: string[] = []): unknown {
  const clean = Object.entries(process.env).filter(([name]) => !/^(SENTENCE_TORCH_|LD_LIBRARY_PATH$|NODE_)/.test(name))
  const { stdout, stderr, status, signal } = spawnSync(
    process.execPath,
    [...args, '--input-type=module', '--eval', program, join(root, 'dist/lib/native/load.js')],
    { encoding: 'utf8', cwd: dirname(dirname(root)), env: { ...Object.fromEntries(clean), ...env }, timeout: 60_000 },
  )
  if (status !== 0) throw new Error(`the process ended with ${signal ?? status}:\n${stderr}`)
  return JSON.parse(stdout.trim().split('\n').at(-1)!)
}
