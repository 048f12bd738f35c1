// npm run test:sanitize: the native tests, and whole programs in Node, on an engine that address, undefined-behaviour and thread
// sanitizers watch. Builds go to build/sanitize-*. One line a stage, then 'N passed, N failed'. For a night, not for every change.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { resolveLibtorch } from '../../install/libtorch.mjs'
import { buildFolder, command, packageRoot } from '../../install/system.mjs'
import { parsePlan, sanitizerOptions, USAGE, UsageError } from './plan.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const programs = readdirSync(join(here, 'programs'))
  .filter((name) => name.endsWith('.mjs'))
  .map((name) => name.replace(/\.mjs$/, ''))
/** Exit code of a program whose kernels this processor lacks. */
const LACKING = 77
/** For a program; a build may take as long as it does. */
const TIMEOUT_MS = 30 * 60_000

let passed = 0
let failed = 0

/**
 * Says how a stage ended.
 * @param {string} name
 * @param {{ problem?: string | undefined, skipped?: string, seconds: number }} outcome `problem`: what went wrong, in full
 */
function tell(name, { problem, skipped, seconds }) {
  const word = skipped ? `skipped: ${skipped}` : problem ? 'FAILED' : 'ok'
  console.log(`${name}: ${word} (${seconds.toFixed(0)} s)`)
  if (problem) console.log(problem.replace(/^/gm, '    '))
  if (!skipped) problem ? failed++ : passed++
}

/**
 * @param {string} program
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnSyncOptions} [options]
 */
function run(program, args, { env = {}, ...options } = {}) {
  const start = performance.now()
  const { status, signal, error, stdout, stderr } = spawnSync(program, args, {
    ...{ cwd: packageRoot, encoding: 'utf8', maxBuffer: 2 ** 28, ...options },
    env: { ...process.env, ...env },
  })
  const ended = error?.message ?? (signal ? `signal ${signal}` : `exit code ${status}`)
  return { status, ended, output: `${stdout}${stderr}`, seconds: (performance.now() - start) / 1000 }
}

/**
 * A program under the sanitizers, with whatever they reported.
 * @param {string} build
 * @param {string} program
 * @param {readonly string[]} args
 * @param {Record<string, string>} env
 */
function watched(build, program, args, env) {
  const reports = join(build, 'reports')
  rmSync(reports, { recursive: true, force: true })
  mkdirSync(reports)
  const inNode = program === process.execPath
  const options = sanitizerOptions({ reports: join(reports, 'report'), suppressions: here.replace(/\/$/, ''), inNode })
  const { status, ended, output, seconds } = run(program, args, { env: { ...options, ...env }, timeout: TIMEOUT_MS })
  const found = readdirSync(reports).map((name) => readFileSync(join(reports, name), 'utf8'))
  // A report that has nowhere to go, since the process has moved its files, is in the output.
  if (/ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error: /.test(output)) found.push(output)
  if (status === LACKING && found.length === 0) return { skipped: 'this processor lacks the kernels', seconds }
  const problem = found.length > 0 ? found.join('\n') : status === 0 ? undefined : `${ended}\n${output.slice(-20_000)}`
  return { problem, seconds }
}

/**
 * @param {readonly string[]} sanitizers
 * @returns {string | undefined} the runtime libraries by full path, to be loaded before everything; undefined where one is missing
 */
function runtimes(sanitizers) {
  const compiler = process.env.CXX || 'g++'
  const names = { address: 'libasan.so', undefined: 'libubsan.so', thread: 'libtsan.so' }
  const found = sanitizers.map((name) => command(compiler, [`-print-file-name=${names[name]}`])?.trim() ?? '')
  // The compiler answers with the bare name where it finds nothing. The runtime for undefined behaviour needs no place of its own.
  return found.every((path) => path.startsWith('/') && existsSync(path)) ? found[0] : undefined
}

/**
 * @param {string} build
 * @param {readonly string[]} sanitizers
 * @param {import('../../install/libtorch.mjs').Libtorch} libtorch
 * @param {NonNullable<ReturnType<typeof parsePlan>>} plan
 */
function compile(build, sanitizers, libtorch, { jobs, native }) {
  mkdirSync(build, { recursive: true })
  const configure = [
    ...['-S', packageRoot, '-B', build, '-Wno-dev', '--log-level=WARNING'],
    ...[`-DLIBTORCH=${libtorch.path}`, `-DSENTENCE_TORCH_SANITIZE=${sanitizers.join(',')}`],
  ]
  const targets = native === undefined ? ['all'] : ['all', 'native_tests']
  const steps = [configure, ['--build', build, '--target', ...targets, '--parallel', String(jobs)]]
  let seconds = 0
  for (const step of steps) {
    const done = run('cmake', step)
    seconds += done.seconds
    if (done.status !== 0) return { problem: `${done.ended}\n${done.output.slice(-20_000)}`, seconds }
  }
  const { path, version, variant } = libtorch
  writeFileSync(join(build, 'libtorch.json'), JSON.stringify({ path, version, variant }))
  return { seconds }
}

/** @param {NonNullable<ReturnType<typeof parsePlan>>} plan */
async function main(plan) {
  const libtorch = await resolveLibtorch({ log: () => {} })
  for (const sanitizers of plan.builds) {
    const title = sanitizers.join('+')
    const preload = runtimes(sanitizers)
    if (process.platform !== 'linux' || preload === undefined) {
      tell(title, { skipped: `the compiler has no runtime for it (Debian: libasan, libubsan, libtsan)`, seconds: 0 })
      continue
    }
    const build = join(buildFolder(), `sanitize-${sanitizers.join('-')}`)
    const built = compile(build, sanitizers, libtorch, plan)
    tell(`${title}, build in ${relative(packageRoot, build)}`, built)
    if (built.problem) continue

    const common = { LD_LIBRARY_PATH: join(libtorch.path, 'lib'), OMP_WAIT_POLICY: 'passive', GTEST_BRIEF: '1' }
    /** @param {string} path @param {string} program */
    const inNode = (path, program) =>
      watched(build, process.execPath, [join(here, program)], {
        ...{ SENTENCE_TORCH_CPU: path, SENTENCE_TORCH_ADDON: join(build, 'Release', 'sentence_torch.node') },
        ...{ SENTENCE_TORCH_THREADS: '2', LD_PRELOAD: preload, NODE_OPTIONS: '--expose-gc' },
      })
    const paths = plan.paths.filter((path) => {
      const { skipped } = inNode(path, 'kernels.mjs')
      if (skipped) tell(`${title}, ${path}`, { skipped, seconds: 0 })
      return !skipped
    })
    // What differs between the paths is what a thread computes, not who waits for whom, nor what the programs ask for.
    const best = paths.slice(-1)
    for (const path of sanitizers.includes('thread') ? best : paths) {
      if (plan.native === undefined) break
      const env = { ...common, SENTENCE_TORCH_CPU: path }
      const filter = `--gtest_filter=${plan.native}`
      tell(`${title}, native tests, ${path}`, watched(build, join(build, 'native_tests'), [filter], env))
    }
    for (const path of best) {
      for (const program of plan.programs)
        tell(`${title}, ${program}, ${path}`, inNode(path, join('programs', `${program}.mjs`)))
    }
  }
  console.log(`${passed} passed, ${failed} failed`)
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0
}

try {
  const plan = parsePlan(process.argv.slice(2), { programs })
  if (plan === undefined) console.log(USAGE)
  else await main(plan)
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(error.message)
  process.exitCode = 1
}
