import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { threads } from '#system'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import { checkAddon, checkLibtorch, isFolder, LoadProblem, remedyFor } from './check-addon.js'
import { type FoundAddon, findAddon, findLibtorch, type Libtorch } from './find-addon.js'
import { type Installation, thisInstallation } from './installation.js'
import { type LoadAttempt, loadFailure } from './load-failure.js'
import { profileUntilExit } from './profile.js'
import type { NativeAddon } from './types.js'

/**
 * How often a waiting libgomp thread looks for work before it sleeps: a fraction of a millisecond. The count hardly changes
 * the speed (docs/decisions.md); threads that spin for long take the cores of the event loop.
 */
const GOMP_SPINCOUNT = 10_000

/** As the addon, which is asked too late: its refusal would be taken for a fault of the installation. */
const MAX_THREADS = 4096

interface Boot {
  /** Opens shared libraries, the first time with the variables set that the process does not have. */
  open(options: { env: Record<string, string>; libraries: string[] }): void
}

let loaded: NativeAddon | undefined

/**
 * The native addon, loaded when it is first needed (once per thread; the process shares one engine).
 *
 * It is the local build, else that of an installed package (find-addon.ts); LibTorch is found relative to it.
 * `SENTENCE_TORCH_ADDON` names another `sentence_torch.node` (with `boot.node` beside it), `SENTENCE_TORCH_LIBTORCH` another
 * LibTorch, `SENTENCE_TORCH_THREADS` the number of threads that compute (default: physical cores within affinity and quota);
 * `SENTENCE_TORCH_PROFILE` asks for a profile (profile.ts).
 *
 * @throws SentenceTorchError `ERR_ADDON_LOAD` with what was tried, what was found and the command that mends it
 */
export function loadAddon(): NativeAddon {
  loaded ??= load()
  return loaded
}

function load(): NativeAddon {
  const wanted = threadCount()
  const attempt: LoadAttempt = { search: { steps: [], errors: new Map() } }
  try {
    attempt.search = findAddon()
    const { found } = attempt.search
    if (!found) throw loadFailure(undefined, attempt)
    const installation = thisInstallation()
    checkAddon(found, installation)
    attempt.libtorch = findLibtorch(found)
    const names = attempt.libtorch ? libraries(attempt.libtorch) : []
    checkLibtorch(attempt.libtorch, names, found, installation)
    const boot = withFunction<Boot>(found.boot(), 'open', found.bootPath, found, installation)
    boot.open({ env: openMpVariables(wanted), libraries: names })
    const addon = withFunction<NativeAddon>(found.addon(), 'runtime', found.addonPath, found, installation)
    // The first thread of the process decides; 0 = nobody has.
    if (addon.runtime().threads === 0) addon.setThreads(wanted)
    profileUntilExit(addon)
    return addon
  } catch (cause) {
    throw cause instanceof SentenceTorchError ? cause : loadFailure(cause, attempt)
  }
}

/** Another addon loads, too. */
function withFunction<T>(
  loaded: unknown,
  name: keyof T & string,
  path: string,
  found: FoundAddon,
  installation: Installation,
): T {
  if (typeof (loaded as Partial<T> | undefined)?.[name] === 'function') return loaded as T
  throw new LoadProblem({
    what: `${path} is not the addon of sentence-torch: it has no ${name}()`,
    remedy: remedyFor(found, installation),
  })
}

function threadCount(): number {
  const text = process.env.SENTENCE_TORCH_THREADS
  if (!text) return threads()
  // Number('0x10') is 16, too.
  const count = /^\s*\d+\s*$/.test(text) ? Number(text) : 0
  if (count < 1 || count > MAX_THREADS)
    throw invalidArgument('SENTENCE_TORCH_THREADS', `a whole number from 1 to ${MAX_THREADS}`, text)
  return count
}

function openMpVariables(count: number): Record<string, string> {
  const variables: Record<string, string> = { OMP_NUM_THREADS: String(count) }
  // A count would override the policy that the user has chosen.
  if (!process.env.OMP_WAIT_POLICY) variables.GOMP_SPINCOUNT = String(GOMP_SPINCOUNT)
  return variables
}

/** LibTorch's libraries by full path, so that the addon finds them by name: no RPATH, no LD_LIBRARY_PATH. */
function libraries({ path, variant }: Libtorch): string[] {
  const folder = join(path, 'lib')
  const suffix = process.platform === 'darwin' ? 'dylib' : 'so'
  const names = variant === 'cpu' ? ['c10', 'torch_cpu'] : ['c10', 'torch_cpu', 'c10_cuda', 'torch_cuda']
  return [...openMpRuntimes(path), ...names.map((name) => join(folder, `lib${name}.${suffix}`))]
}

/** LibTorch's own OpenMP runtime, before a system library of the same name can take its place. Its name and folder differ
 *  between the zip and the wheel. */
function openMpRuntimes(path: string): string[] {
  for (const place of [join(path, 'lib'), join(path, '..', 'torch.libs')]) {
    if (!isFolder(place)) continue
    const name = readdirSync(place).find((file) => /^libgomp.*\.so/.test(file) || file === 'libomp.dylib')
    if (name) return [join(place, name)]
  }
  return []
}
