// Where the addon is: what SENTENCE_TORCH_ADDON names, the local build, or an installed package with a built one.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'
import { packageRoot, readLibtorch } from '#system'
import { unpacked } from './archives.js'
import { programCommand } from './installation.js'
import installedPackages from './platform.cjs'

const require = createRequire(import.meta.url)

type Attempt = ReturnType<(typeof installedPackages)[string]>
type PlatformPackage = Extract<Attempt, { installed: unknown }>['installed']

export interface FoundAddon {
  /** `SENTENCE_TORCH_ADDON`, `build` or the name of the package. */
  source: string
  /** Where package.json and libtorch.json are read; inside of an archive, perhaps. */
  folder: string
  /** The files that the dynamic linker opens. */
  addonPath: string
  bootPath: string
  boot(): unknown
  addon(): unknown
  /** Of a package: the folder whose libtorch.json names its LibTorch. */
  libtorch?(): string
}

/** What was looked at and what was found there, in order. */
export interface SearchStep {
  step: string
  found: string
  chosen: boolean
}

export interface AddonSearch {
  found?: FoundAddon
  steps: SearchStep[]
  /** The error of `require` for each missing package. */
  errors: Map<string, unknown>
}

export interface SearchOptions {
  env?: NodeJS.ProcessEnv
  root?: string
  platform?: string
  packages?: typeof installedPackages
}

/** The name of the package for a platform such as `linux-x64`. */
export const packageFor = (platform: string) => `@sentence-torch/${platform}`

export const thisPlatform = `${process.platform}-${process.arch}`

export function findAddon(options: SearchOptions = {}): AddonSearch {
  const { env = process.env, root = packageRoot, platform = thisPlatform, packages = installedPackages } = options
  const search: AddonSearch = { steps: [], errors: new Map() }
  const passed = (step: string, found: string) => void search.steps.push({ step, found, chosen: false })
  const chosen = (step: string, found: FoundAddon): AddonSearch => {
    search.steps.push({ step, found: found.addonPath, chosen: true })
    return { ...search, found }
  }

  const named = env.SENTENCE_TORCH_ADDON
  if (named) return chosen('SENTENCE_TORCH_ADDON', byPath('SENTENCE_TORCH_ADDON', resolve(named)))
  passed('SENTENCE_TORCH_ADDON', 'not set')

  const local = byPath('build', join(root, 'build', 'Release', 'sentence_torch.node'))
  const step = `local build in ${dirname(local.addonPath)}`
  const inBuild = (name: string) => existsSync(join(root, 'build', name))
  // A build that was killed while it linked leaves its lock and half of an addon.
  const whole = existsSync(local.addonPath) && existsSync(local.bootPath) && !inBuild('build.lock')
  if (whole) return chosen(step, local)
  passed(step, inBuild('build.log') ? 'not finished: see build/build.log' : 'not there')

  for (const name of [packageFor(`${platform}-cuda13`), packageFor(platform)]) {
    const attempt = checked(packages[name]?.())
    if (!attempt) continue
    if ('error' in attempt) {
      search.errors.set(name, attempt.error)
      passed(name, isAbsence(attempt.error, name) ? 'not installed' : `damaged: ${firstLine(attempt.error)}`)
    } else if (name.endsWith('-cuda13') && !existsSync(join(attempt.installed.libtorch(), 'libtorch.json'))) {
      passed(name, `installed, but without LibTorch: \`${programCommand()} install cuda\` brings it`)
    } else {
      return chosen(name, ofPackage(name, attempt.installed))
    }
  }
  return search
}

function byPath(source: string, path: string): FoundAddon {
  const addonPath = unpacked(path)
  const bootPath = unpacked(join(dirname(path), 'boot.node'))
  const folder = dirname(path)
  return { source, folder, addonPath, bootPath, boot: () => require(bootPath), addon: () => require(addonPath) }
}

/** An index.js that was cut off can still be JavaScript. */
function checked(attempt: Attempt | undefined): Attempt | undefined {
  if (!attempt || 'error' in attempt) return attempt
  const { folder, boot, addon, libtorch } = (attempt.installed ?? {}) as Partial<PlatformPackage>
  const whole = typeof folder === 'string' && [boot, addon, libtorch].every((member) => typeof member === 'function')
  return whole ? attempt : { error: new Error('its index.js does not export folder, boot, addon and libtorch') }
}

function ofPackage(source: string, installed: PlatformPackage): FoundAddon {
  const found = byPath(source, join(installed.folder, 'sentence_torch.node'))
  const libtorch = () => installed.libtorch()
  // Its own `require` is the one that bundlers rewrite; but it does not look beside an archive.
  if (found.addonPath !== join(installed.folder, 'sentence_torch.node')) return { ...found, libtorch }
  return { ...found, libtorch, boot: () => installed.boot(), addon: () => installed.addon() }
}

/** `path`: where it is opened, outside of archives. */
export type Libtorch = NonNullable<ReturnType<typeof readLibtorch>>

/** The LibTorch for an addon, undefined where nothing says which. Throws what readLibtorch and the package's `require` throw. */
export function findLibtorch({ addonPath, folder, libtorch }: FoundAddon): Libtorch | undefined {
  // libtorch.json is read where JavaScript is, the libraries where the dynamic linker finds them.
  const described = readLibtorch({ addon: join(folder, basename(addonPath)), libtorch })
  return described && { ...described, path: dirname(unpacked(join(described.path, 'lib'))) }
}

/** Whether `require` did not find the package, in contrast to one that it found and that is damaged. */
export function isAbsence(error: unknown, name: string): boolean {
  // Anything can be thrown.
  const { code, pnpCode } = (error ?? {}) as { code?: unknown; pnpCode?: unknown }
  return pnpCode !== undefined || (code === 'MODULE_NOT_FOUND' && firstLine(error).includes(`'${name}'`))
}

/** Of the message; the stack of `require` calls below says nothing to the user of an ES module. */
export function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!
}
