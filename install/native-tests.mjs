// Builds the native test program and runs it through ctest. Skipped, with a message, where GoogleTest is not installed.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { packageRoot, threads } from './system.mjs'

const build = join(packageRoot, 'build')
const report = join(build, 'native-tests.json')

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

  rmSync(report, { force: true })
  const env = { GTEST_OUTPUT: `json:${report}`, GTEST_BRIEF: process.env.GTEST_BRIEF ?? '1' }
  const code = run('ctest', ['--test-dir', build, '--output-on-failure', '--no-tests=error'], env)
  if (!existsSync(report)) {
    console.log('native tests: 0 passed, 1 failed (the test program ended before its report)')
    return code || 1
  }
  const { tests, failures, disabled, errors } = JSON.parse(readFileSync(report, 'utf8'))
  const failed = failures + errors
  console.log(`native tests: ${tests - failed - disabled} passed, ${failed} failed`)
  return code || (failed ? 1 : 0)
}

process.exitCode = main()
