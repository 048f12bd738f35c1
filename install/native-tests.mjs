// Builds the native test program and runs it through ctest. Skipped, with a message, where GoogleTest is not installed.

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { buildFolder, packageRoot, threads } from './system.mjs'

const build = buildFolder()
// One report for each run of the test program; a name that ends in / makes GoogleTest number them.
const reports = join(build, 'native-tests/')

/**
 * @param {string} program
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
function run(program, args, env) {
  const { status, error } = spawnSync(program, args, {
    cwd: packageRoot,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  })
  if (error) console.error(`native tests: ${program} cannot be run: ${error.message}`)
  return status ?? 1
}

/** @returns {number} exit code */
function main() {
  // Brings the addons up to date, and with them the CMake configuration that says whether GoogleTest is there.
  if (!existsSync(join(build, 'CMakeCache.txt')) && run(process.execPath, ['install/build.mjs', '--force'])) return 1
  if (run('cmake', ['-S', packageRoot, '-B', build, '-Wno-dev', '--log-level=WARNING'])) return 1
  const cache = readFileSync(join(build, 'CMakeCache.txt'), 'utf8')
  if (!/^GTest_DIR:PATH=(?!.*-NOTFOUND)./m.test(cache)) {
    console.log(
      'native tests skipped: GoogleTest not found; install libgtest-dev (Fedora: gtest-devel, macOS: brew install googletest)',
    )
    return 0
  }

  const jobs = String(Math.max(1, Math.min(availableParallelism(), threads())))
  if (run('cmake', ['--build', build, '--target', 'native_tests', '--parallel', jobs])) return 1

  rmSync(reports, { recursive: true, force: true })
  const env = { GTEST_OUTPUT: `json:${reports}`, GTEST_BRIEF: process.env.GTEST_BRIEF ?? '1' }
  const code = run('ctest', ['--test-dir', build, '--output-on-failure', '--no-tests=error'], env)
  let passed = 0
  let failed = 0
  for (const name of existsSync(reports) ? readdirSync(reports) : []) {
    const { tests, failures, disabled, errors } = JSON.parse(readFileSync(join(reports, name), 'utf8'))
    passed += tests - failures - disabled - errors
    failed += failures + errors
  }
  // A program that crashes leaves no report.
  if (code && !failed) failed = 1
  console.log(`native tests: ${passed} passed, ${failed} failed`)
  return code || (failed || !passed ? 1 : 0)
}

process.exitCode = main()
