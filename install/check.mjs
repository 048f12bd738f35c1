// `npm run check`: formatter, linter and types for TypeScript, formatter and linter for C++. `--write` formats instead of complaining.

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { command, packageRoot } from './system.mjs'

// Another major version formats differently.
const CLANG_FORMAT = '18'
const write = process.argv.includes('--write')

/**
 * @param {string} name
 * @param {string} program
 * @param {string[]} args
 * @returns {boolean}
 */
function step(name, program, args) {
  const { status, error } = spawnSync(program, args, { cwd: packageRoot, stdio: 'inherit' })
  console.log(`${name}: ${error ? error.message : status === 0 ? 'ok' : 'failed'}`)
  return status === 0
}

/** A program of node_modules. @param {string} name */
function local(name) {
  return join(packageRoot, 'node_modules/.bin', name)
}

/** @returns {string | undefined} */
function findClangFormat() {
  const candidates = ['clang-format', `clang-format-${CLANG_FORMAT}`]
  // The PyPI package of that name puts the program into Python's scripts folder, which is not always on PATH.
  const scripts = command('python3', ['-c', "import sysconfig; print(sysconfig.get_path('scripts'))"])?.trim()
  const user = command('python3', ['-m', 'site', '--user-base'])?.trim()
  for (const folder of [scripts, user && join(user, 'bin')]) if (folder) candidates.push(join(folder, 'clang-format'))
  return candidates.find((name) => command(name, ['--version'])?.includes(`version ${CLANG_FORMAT}.`))
}

/** @returns {boolean} */
function formatCpp() {
  const program = findClangFormat()
  if (!program) {
    console.log(
      `clang-format: skipped, version ${CLANG_FORMAT} was not found (python3 -m pip install clang-format==18.1.8)`,
    )
    return true
  }
  const folder = join(packageRoot, 'native')
  if (!existsSync(folder)) return true
  const files = readdirSync(folder, { recursive: true })
    .map((name) => join('native', String(name)))
    .filter((name) => /\.(h|cpp|inl|cu|cuh)$/.test(name))
    .sort()
  return step('clang-format', program, [...(write ? ['-i'] : ['--dry-run', '-Werror']), ...files])
}

/** Faults that the compiler does not warn of. */
function lintCpp() {
  if (!command('cppcheck', ['--version'])) {
    console.log('cppcheck: skipped, it was not found (apt-get install cppcheck)')
    return true
  }
  const options = ['--std=c++20', '--language=c++', '--enable=warning,portability', '--inline-suppr', '--quiet']
  return step('cppcheck', 'cppcheck', [...options, '--error-exitcode=1', '-Inative', '-inative/test', 'native'])
}

/** The types in the comments of what is JavaScript because it runs before anything is built. */
function checkScripts() {
  const options = '--ignoreConfig --allowJs --checkJs --noEmit --strict --module nodenext --target es2022 --lib es2023'
  const files = ['install', 'packaging'].flatMap((folder) =>
    readdirSync(join(packageRoot, folder))
      .filter((name) => name.endsWith('.mjs'))
      .map((name) => join(folder, name)),
  )
  return step('tsc (scripts)', local('tsc'), [...options.split(' '), '--skipLibCheck', '--types', 'node', ...files])
}

const results = [
  step('biome', local('biome'), ['check', ...(write ? ['--write'] : [])]),
  step('tsc', local('tsc'), ['-p', 'tsconfig.json', '--noEmit']),
  checkScripts(),
  formatCpp(),
  lintCpp(),
]
process.exitCode = results.every(Boolean) ? 0 : 1
