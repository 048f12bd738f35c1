// The programs that the matrix runs: package managers, Node versions and the loopback registry, all of them packages of npm. They go
// into a cache of their own, never among the repository's dependencies, and stay there for the next run.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { run, Skip } from './run-program.mjs'

export const cacheFolder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'sentence-torch-install-test')

const arch = process.arch
/** Name → what npm installs, and the program inside. */
const tools = {
  npm12: { spec: 'npm@12', file: 'npm/bin/npm-cli.js' },
  npm11: { spec: 'npm@11', file: 'npm/bin/npm-cli.js' },
  pnpm: { spec: 'pnpm@12', file: 'pnpm/pnpm' },
  yarn: { spec: '@yarnpkg/cli-dist@4', file: '@yarnpkg/cli-dist/bin/yarn.js' },
  bun: { spec: 'bun@1', file: `@oven/bun-linux-${arch === 'arm64' ? 'aarch64' : arch}/bin/bun` },
  deno: { spec: 'deno@2', file: `@deno/linux-${arch}-glibc/deno` },
  // One of its dependencies asks for a tag, which not every registry in between serves.
  verdaccio: { spec: 'verdaccio@6', file: 'verdaccio/bin/verdaccio', overrides: { 'node-fetch': '^2.7.0' } },
  'node20.17': { spec: `node-linux-${arch}@20.17.0`, file: `node-linux-${arch}/bin/node` },
  node20: { spec: `node-linux-${arch}@20`, file: `node-linux-${arch}/bin/node` },
  node22: { spec: `node-linux-${arch}@22`, file: `node-linux-${arch}/bin/node` },
  node24: { spec: `node-linux-${arch}@24`, file: `node-linux-${arch}/bin/node` },
  node26: { spec: `node-linux-${arch}@26`, file: `node-linux-${arch}/bin/node` },
}

const found = new Map()

/**
 * The path of a program, installed when it is first asked for.
 * @param {keyof typeof tools} name
 * @returns {Promise<string>}
 */
export async function tool(name) {
  if (!found.has(name))
    found.set(
      name,
      await install(name).catch((error) => new Skip(`${tools[name].spec} cannot be had: ${lastLine(error.message)}`)),
    )
  const known = found.get(name)
  if (known instanceof Skip) throw known
  return known.path
}

const lastLine = (text) => text.trim().split('\n').at(-1)

/** @param {keyof typeof tools} name @returns {string} version of a tool that `tool` has given */
export function toolVersion(name) {
  return found.get(name)?.version ?? ''
}

async function install(name) {
  const { spec, file, overrides } = tools[name]
  const target = join(cacheFolder, 'tools', spec.replaceAll('/', '+'))
  const path = join(target, 'node_modules', file)
  if (!existsSync(path)) {
    const part = `${target}.${process.pid}.part`
    mkdirSync(part, { recursive: true })
    try {
      writeFileSync(join(part, 'package.json'), JSON.stringify({ private: true, overrides }))
      await npm(['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-save', spec], { cwd: part })
      rmSync(target, { recursive: true, force: true })
      renameSync(part, target)
    } finally {
      rmSync(part, { recursive: true, force: true })
    }
    if (!existsSync(path)) throw new Error(`it has no ${file}`)
  }
  const packageName = spec.replace(/(.)@.*/, '$1')
  return {
    path,
    version: JSON.parse(readFileSync(join(target, 'node_modules', packageName, 'package.json'), 'utf8')).version,
  }
}

/** The machine's npm: npm tells its scripts where it is. @returns {[string, string[]]} the program and its first arguments */
export function machineNpm() {
  const cli = process.env.npm_execpath
  return cli ? [process.execPath, [cli]] : ['npm', []]
}

/**
 * Runs the machine's npm as it is configured.
 * @param {string[]} args
 * @param {{ cwd?: string, timeout?: number }} [options]
 * @returns {Promise<string>} its standard output
 */
export function npm(args, options = {}) {
  const [program, first] = machineNpm()
  return run(program, [...first, ...args], options)
}
