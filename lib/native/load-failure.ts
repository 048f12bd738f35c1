import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { atLeast, GLIBC_MINIMUM, inspectBinary, LibtorchFault } from '#system'
import { SentenceTorchError } from '../errors.js'
import { LIBTORCH_VARIABLE, LoadProblem, libtorchRemedy, remedyFor } from './check-addon.js'
import { type AddonSearch, type FoundAddon, firstLine, isAbsence, type Libtorch, packageFor } from './find-addon.js'
import {
  commandsFor,
  forbidden,
  forbiddenPlace,
  type Installation,
  type Problem,
  thisInstallation,
} from './installation.js'
import { refusedPlatform, whyMissing } from './missing-addon.js'

/** What was tried when the addon did not load. */
export interface LoadAttempt {
  search: AddonSearch
  libtorch?: Libtorch
}

/** `ERR_ADDON_LOAD`: the case, what was found where, and the command that mends it. */
export function loadFailure(
  cause: unknown,
  attempt: LoadAttempt,
  installation: Installation = thisInstallation(),
): SentenceTorchError {
  const { platform, arch, glibc } = installation
  const problem = explain(cause, attempt, installation)
  const { found, steps } = attempt.search
  const system = [`${platform}-${arch}`, `Node ${process.versions.node}`, ...(glibc ? [`glibc ${glibc}`] : [])]
  const lines = [`The native addon could not be loaded (${system.join(', ')}): ${problem.what.replace(/\.$/, '')}.`]
  if (found) {
    lines.push(`  addon:    ${found.addonPath} (${inspectBinary(found.addonPath).description})`)
    lines.push(`  boot:     ${found.bootPath} (${inspectBinary(found.bootPath).description})`)
    lines.push(`  LibTorch: ${libtorchState(attempt.libtorch)}`)
  } else {
    for (const { step, found: what } of steps) lines.push(`  ${step}: ${what}`)
  }
  const reason = cause === undefined || cause instanceof LoadProblem ? '' : firstLine(cause)
  if (reason && !problem.what.includes(reason)) lines.push(`  reason:   ${reason}`)
  lines.push(`To mend it: ${problem.remedy}`, `${commandsFor(installation).doctor} shows what was looked at.`)
  return new SentenceTorchError('ERR_ADDON_LOAD', lines.join('\n'), { cause })
}

function libtorchState(libtorch: Libtorch | undefined): string {
  if (!libtorch) return 'not found'
  const facts = [libtorch.version ?? 'version unknown', libtorch.variant]
  return `${libtorch.path} (${facts.join(', ')}, ${existsSync(join(libtorch.path, 'lib')) ? 'exists' : 'missing'})`
}

function explain(cause: unknown, attempt: LoadAttempt, installation: Installation): Problem {
  if (cause instanceof LoadProblem) return cause
  const { search, libtorch } = attempt
  const { found } = search
  if (!found) {
    // The search itself does not fail: it is a package that throws what nobody expects.
    if (cause !== undefined) return { what: firstLine(cause), remedy: commandsFor(installation).reinstall }
    return whyMissing(search, installation)
  }
  const refused = refusedPlatform(installation)
  if (refused) return refused
  return (
    (libtorch ? undefined : libtorchProblem(cause, found, installation)) ??
    unreadable(cause) ??
    (isForbidden(cause) ? ADDONS_FORBIDDEN : linkerProblem(firstLine(cause), found, installation)) ?? {
      what: firstLine(cause),
      remedy: remedyFor(found, installation),
    }
  )
}

function libtorchProblem(cause: unknown, found: FoundAddon, installation: Installation): Problem | undefined {
  const remedy = remedyFor(found, installation)
  if (cause instanceof LibtorchFault) {
    if (!cause.message.startsWith('SENTENCE_TORCH_LIBTORCH')) return { what: cause.message, remedy }
    return { what: cause.message, remedy: LIBTORCH_VARIABLE }
  }
  const library = packageFor(`libtorch-${installation.platform}-${installation.arch}`)
  if (isAbsence(cause, `${library}/package.json`) || isAbsence(cause, library)) {
    const hidden = forbiddenPlace(library, installation)
    if (hidden) return forbidden(hidden, 'EACCES')
    return { what: `${found.source} is installed, but ${library}, which holds LibTorch, is not`, remedy }
  }
  return undefined
}

/** A folder that may not be listed, a file that may not be read. */
function unreadable(cause: unknown): Problem | undefined {
  const { code, path } = (cause ?? {}) as NodeJS.ErrnoException
  if (code !== 'EACCES' || path === undefined) return undefined
  return forbidden(dirname(path), firstLine(cause))
}

const ADDONS_FORBIDDEN: Problem = {
  what: 'this process may not load addons',
  remedy: 'start Node without --no-addons, and --permission together with --allow-addons',
}

function isForbidden(cause: unknown): boolean {
  return (cause as { code?: unknown } | undefined)?.code === 'ERR_DLOPEN_DISABLED'
}

/** Meanings of the dynamic linker's messages. */
function linkerProblem(message: string, found: FoundAddon, installation: Installation): Problem | undefined {
  const remedy = libtorchRemedy(found, installation)
  const { glibc, platform } = installation
  const built = found.source.startsWith('@')
  const version = /version [`'](GLIBC|GLIBCXX|CXXABI)_([\d.]+)' not found/.exec(message)
  if (built && platform === 'linux' && (version?.[1] === 'GLIBC' || (glibc && !atLeast(glibc, GLIBC_MINIMUM))))
    return {
      what: `glibc ${glibc ?? 'of this system'} is too old: ${version?.[2] ?? GLIBC_MINIMUM} is required`,
      remedy:
        'a newer system, with glibc ≥ 2.28: Debian 10, Ubuntu 18.10, RHEL 8 and later, such as the image node:22-bookworm-slim',
    }
  if (version) {
    const [, name, number] = version
    const what = `it needs ${name}_${number}, which this system does not have${name === 'GLIBC' && glibc ? ` (glibc ${glibc})` : ''}: it was built on a newer one`
    return { what, remedy }
  }
  if (/failed to map segment/.test(message))
    return {
      what: `it cannot be mapped, because its file system does not allow to run programs from it (noexec) or this process may not have the memory: ${message}`,
      remedy: 'install it on a file system without noexec; `ulimit -v unlimited` lifts a limit of the memory',
    }
  const symbol = /undefined symbol: (\S+)|Symbol not found: (\S+)/.exec(message)
  if (symbol) return { what: `this LibTorch is not the one that the addon was built for (${message})`, remedy }
  const library = /(?:^|: )(\S+): cannot open shared object file/.exec(message)?.[1]
  if (library && !library.includes('/')) {
    if (/^lib(stdc\+\+|gcc_s)\./.test(library)) {
      const packages = 'libstdc++6 libgcc-s1'
      return {
        what: `this system has no ${library}`,
        remedy: `\`apt-get install ${packages}\` (Fedora: \`dnf install libstdc++ libgcc\`)`,
      }
    }
    return { what: `${library}, which LibTorch needs, was not found beside it`, remedy }
  }
  return undefined
}
