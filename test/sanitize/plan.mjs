// What `npm run test:sanitize` does: its arguments, the builds and how each of them is run.
import { cpus } from 'node:os'

export const SANITIZERS = ['address', 'undefined', 'thread']
export const PATHS = ['portable', 'avx2', 'avx512', 'amx']

export const USAGE = `npm run test:sanitize [-- options]

  --only LIST       of address, undefined, thread (default: all; address and undefined share a build)
  --paths LIST      kernels, of portable, avx2, avx512, amx (default: all that this processor has). The native tests run on
                    each of them, the programs, and everything under the thread sanitizer, on the last
  --programs LIST   names of test/sanitize/programs, 'none' or 'all' (default: all)
  --native LIST     pattern of GoogleTest for the native tests, or 'none' (default: all)
  --jobs N          compilers at once (default: as many as there are processors)
  --help`

/** What is wrong with the arguments, for people. */
export class UsageError extends Error {}

/**
 * @param {readonly string[]} args
 * @param {{ programs: readonly string[] }} found names of the programs that there are
 */
export function parsePlan(args, found) {
  const given = { only: 'all', paths: 'all', programs: 'all', native: 'all', jobs: String(cpus().length) }
  for (let i = 0; i < args.length; i++) {
    const name = args[i].replace(/^--/, '')
    if (name === 'help') return undefined
    if (!args[i].startsWith('--') || !(name in given)) throw new UsageError(`unknown argument ${args[i]}\n\n${USAGE}`)
    const value = args[++i]
    if (!value || value.startsWith('--')) throw new UsageError(`--${name} needs a value\n\n${USAGE}`)
    given[name] = value
  }
  const chosen = listOf('--only', given.only, SANITIZERS)
  const jobs = Number(given.jobs)
  if (!Number.isInteger(jobs) || jobs < 1)
    throw new UsageError(`--jobs needs a whole number from 1 on, not ${given.jobs}`)
  // Both are in one build, where both are asked for.
  const together = chosen.filter((name) => name !== 'thread')
  return {
    builds: [together, chosen.filter((name) => name === 'thread')].filter((names) => names.length > 0),
    paths: listOf('--paths', given.paths, PATHS),
    programs: given.programs === 'none' ? [] : listOf('--programs', given.programs, found.programs),
    native: given.native === 'none' ? undefined : given.native === 'all' ? '*' : given.native,
    jobs,
  }
}

/**
 * @param {string} option
 * @param {string} text
 * @param {readonly string[]} known
 */
function listOf(option, text, known) {
  if (text === 'all') return [...known]
  const names = text.split(',')
  const wrong = names.find((name) => !known.includes(name))
  if (wrong !== undefined) throw new UsageError(`${option}: expected some of ${known.join(', ')} but found ${wrong}`)
  return known.filter((name) => names.includes(name))
}

/**
 * The sanitizers' options. Reports go to files, so that none is missed that a child process writes or that a test swallows.
 * @param {{ reports: string, suppressions: string, inNode: boolean }} where `suppressions`: folder of the *.supp files; `inNode`:
 *   whether the program is Node, which gives back no memory at its end
 * @returns {Record<string, string>}
 */
export function sanitizerOptions({ reports, suppressions, inNode }) {
  const list = (options) =>
    Object.entries({ log_path: reports, ...options })
      .map(([name, value]) => `${name}=${value}`)
      .join(':')
  return {
    ASAN_OPTIONS: list({
      // LibTorch takes memory with one allocator and gives it back with another.
      alloc_dealloc_mismatch: 0,
      detect_leaks: inNode ? 0 : 1,
      // g++'s other stack does not align vectors of 64 bytes, and Node looks for what it knows on the true one.
      detect_stack_use_after_return: 0,
    }),
    LSAN_OPTIONS: `suppressions=${suppressions}/leaks.supp:print_suppressions=0`,
    UBSAN_OPTIONS: list({ halt_on_error: 1, print_stacktrace: 1 }),
    TSAN_OPTIONS: list({
      suppressions: `${suppressions}/thread.supp`,
      // What Node and LibTorch do among themselves is theirs: they are not instrumented, so that their own atomics are not seen.
      ignore_noninstrumented_modules: 1,
      history_size: 4,
      second_deadlock_stack: 1,
    }),
  }
}
