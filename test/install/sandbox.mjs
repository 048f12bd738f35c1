// A folder like a new user's: an empty project, a home of its own with cold caches, and a PATH without compiler, CMake or Python.
import { accessSync, constants, cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { measure } from './measure.mjs'
import { ProgramError, run } from './run-program.mjs'

/** What the launchers of package managers call. */
const PROGRAMS = 'sh env dirname basename readlink realpath sed uname cat ldd grep rm'.split(' ')
const checkFile = fileURLToPath(new URL('check.mjs', import.meta.url))

/**
 * @typedef {object} Sandbox
 * @property {string} folder all of it
 * @property {string} app the project
 * @property {NodeJS.ProcessEnv} env
 * @property {(program: string, args: string[], options?: object) => Promise<string>} run in the project
 */

/**
 * @param {{ work: string, registry: { url: string } }} context
 * @param {string} name
 * @param {{ node?: string, registry?: string, manifest?: object }} [options] node: the program that is `node` there, none without it
 * @returns {Sandbox}
 */
export function sandbox(context, name, { node, registry = context.registry.url, manifest = {} } = {}) {
  const folder = join(context.work, name)
  const [app, home, bin, temporary] = ['app', 'home', 'bin', 'tmp'].map((part) => join(folder, part))
  for (const path of [app, home, bin, temporary]) mkdirSync(path, { recursive: true })
  for (const program of PROGRAMS) {
    const path = findProgram(program)
    if (path) symlinkSync(path, join(bin, program))
  }
  if (node) symlinkSync(node, join(bin, 'node'))
  writeFileSync(join(app, '.npmrc'), `registry=${registry}\n`)
  writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module', ...manifest }))
  addCheck(context, app)
  // Nothing of what npm tells the scripts that it runs, nothing of the machine's configuration. Threads, so that all cases sum alike.
  const env = { PATH: bin, HOME: home, TMPDIR: temporary, LANG: 'C.UTF-8', CI: '1', SENTENCE_TORCH_THREADS: '2' }
  return { folder, app, env, run: (program, args, options) => run(program, args, { cwd: app, env, ...options }) }
}

/** Puts a program on the sandbox's PATH that runs a script with its node. @param {Sandbox} box @param {string} name */
export function addLauncher(box, name, node, script) {
  const path = join(box.folder, 'bin', name)
  writeFileSync(path, `#!/bin/sh\nexec ${node ? `"${node}" ` : ''}"${script}" "$@"\n`, { mode: 0o755 })
}

/** Puts the check program and its model into a folder. @param {{ model: string }} context @param {string} folder */
export function addCheck({ model }, folder) {
  cpSync(checkFile, join(folder, 'check.mjs'))
  cpSync(model, join(folder, 'model'), { recursive: true })
}

/** @param {string} name */
function findProgram(name) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {}
  }
  return undefined
}

/**
 * Installs and checks.
 * @param {object} context
 * @param {Sandbox} box
 * @param {[string, string[]][]} steps programs that install
 * @param {[string, string[]]} check the program that runs check.mjs
 */
export async function installAndCheck(context, box, steps, check) {
  const start = Date.now()
  for (const [program, args] of steps) await box.run(program, args)
  const installed = Date.now()
  const result = await checkResult(context, () => box.run(...check))
  return {
    install: (installed - start) / 1000,
    seconds: (result.first - start) / 1000,
    ...measure(box.app),
    runtime: result.runtime,
  }
}

/** The sums go over thousands of values: their roundings add up. */
const SUMS_FACTOR = 1000

/**
 * Reads what check.mjs printed and compares it with what the first case of this run has found: equal bits on the same machine.
 * @param {{ expected?: object }} context
 * @param {() => Promise<string>} runCheck
 * @param {number} [tolerance] of the losses, where the processor is another one
 */
export async function checkResult(context, runCheck, tolerance = 0) {
  const output = await runCheck()
  const result = JSON.parse(output.trim().split('\n').at(-1))
  context.expected ??= result
  compare('losses', result, context.expected, tolerance)
  compare('before', result, context.expected, tolerance * SUMS_FACTOR)
  compare('after', result, context.expected, tolerance * SUMS_FACTOR)
  return result
}

function compare(name, found, expected, tolerance) {
  const close = found[name].every((value, i) => Math.abs(value - expected[name][i]) <= tolerance)
  if (!close)
    throw new ProgramError(
      `${name}: expected ${expected[name]} (${expected.runtime}) but found ${found[name]} (${found.runtime})`,
    )
}
