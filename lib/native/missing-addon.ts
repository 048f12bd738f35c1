import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { PLATFORMS, unsupportedPlatform } from '#system'
import { type AddonSearch, firstLine, isAbsence, packageFor } from './find-addon.js'
import {
  commandsFor,
  findLockFile,
  forbidden,
  forbiddenPlace,
  type Installation,
  isCheckout,
  type LockFile,
  type Problem,
} from './installation.js'
import installedPackages from './platform.cjs'

/** Why the search has found no addon. */
export function whyMissing(
  { errors }: AddonSearch,
  installation: Installation,
  packages: typeof installedPackages = installedPackages,
): Problem {
  const refused = refusedPlatform(installation)
  if (refused) return refused
  const { build, reinstall, manager } = commandsFor(installation)
  if (isCheckout(installation)) {
    const begun = existsSync(join(installation.root, 'build', 'build.log'))
    const what = begun
      ? 'the build of this checkout did not finish (build/build.log says why)'
      : 'this checkout was not built (was it installed with --ignore-scripts?)'
    return { what, remedy: build }
  }

  const platform = `${installation.platform}-${installation.arch}`
  const wanted = packageFor(platform)
  const error = errors.get(wanted)
  if (error !== undefined && !isAbsence(error, wanted))
    return { what: `${wanted} is installed, but damaged: ${firstLine(error)}`, remedy: reinstall }

  const hidden = forbiddenPlace(wanted, installation)
  if (hidden) return forbidden(hidden, 'EACCES')

  const others = PLATFORMS.filter((other) => other !== platform).map(packageFor)
  const copied = others.find((name) => 'installed' in (packages[name]?.() ?? {}))
  if (copied)
    return {
      what: `${copied} is installed, but ${wanted} is not: node_modules was copied from another system`,
      remedy: `${reinstall} on this system (in an image: leave node_modules out of what is copied into it)`,
    }
  const lock = findLockFile(installation)
  const locked = lock && others.find((name) => lists(lock, name))
  if (locked && !lists(lock, wanted))
    return {
      what: `${wanted} is not installed: ${lock.name} lists only the package of another system, ${locked}`,
      remedy: `\`rm -rf node_modules ${lock.name} && ${manager} install\` writes it for all systems`,
    }
  const again = manager === 'npm' ? '`npm install --include=optional`' : `\`${manager} install\` without --no-optional`
  return {
    what: `${wanted} is not installed: optional dependencies were left out (--omit=optional, --no-optional) or could not be fetched`,
    remedy: `${again}; or build it from source: ${build}`,
  }
}

/** Not the mention among the dependencies of sentence-torch, but the entry of the package itself. */
function lists({ text }: LockFile, name: string): boolean {
  return text.includes(`node_modules/${name}"`) || text.includes(`${name}@`)
}

/** Systems without a LibTorch. */
export function refusedPlatform({ platform, arch, musl }: Installation): Problem | undefined {
  const what = unsupportedPlatform({ platform, arch, musl })
  if (!what) return undefined
  if (platform === 'win32') return { what, remedy: '`wsl --install`, then install it inside of WSL' }
  if (musl) return { what, remedy: 'an image with glibc: `FROM node:22-bookworm-slim` instead of `-alpine`' }
  return { what, remedy: 'run it on one of these systems' }
}
