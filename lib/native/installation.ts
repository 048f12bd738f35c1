// How sentence-torch came here, and with that the commands that mend it.
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { glibcVersion, isMusl, packageRoot } from '#system'

/** Tests show others than this one. */
export interface Installation {
  root: string
  platform: string
  arch: string
  /** Undefined where there is none, or where Node does not tell. */
  glibc: string | undefined
  musl: boolean
  electron: boolean
  pnp: boolean
}

/** A case, and the command that mends it. */
export interface Problem {
  what: string
  remedy: string
}

export function thisInstallation(): Installation {
  return {
    root: packageRoot,
    platform: process.platform,
    arch: process.arch,
    // Node writes a whole report to answer these: they are asked for when something has failed.
    get glibc() {
      return glibcVersion()
    },
    get musl() {
      return isMusl()
    },
    electron: process.versions.electron !== undefined,
    pnp: process.versions.pnp !== undefined,
  }
}

/** A clone of the repository, or a dependency on one, in contrast to the published package. */
export function isCheckout({ root }: Installation): boolean {
  return existsSync(join(root, 'CMakeLists.txt'))
}

const LOCK_FILES: Record<string, string> = {
  'package-lock.json': 'npm',
  'npm-shrinkwrap.json': 'npm',
  'pnpm-lock.yaml': 'pnpm',
  'yarn.lock': 'yarn',
  'bun.lock': 'bun',
  'deno.lock': 'deno',
}

export interface LockFile {
  name: string
  manager: string
  text: string
}

/** The lock file of the project that the package is installed in, or else of the one that is worked in: the package may lie in a
 *  store of its package manager. */
export function findLockFile({ root }: Installation): LockFile | undefined {
  for (const start of [dirname(root), workingFolder()])
    for (const folder of start === undefined ? [] : upwards(start)) {
      const name = Object.keys(LOCK_FILES).find((file) => existsSync(join(folder, file)))
      if (name) return { name, manager: LOCK_FILES[name]!, text: textOf(join(folder, name)) }
    }
  return undefined
}

/** The folder and all above it, except for the root. */
function upwards(folder: string): string[] {
  const above = dirname(folder)
  return folder === above ? [] : [folder, ...upwards(above)]
}

/** Undefined where it was deleted. */
function workingFolder(): string | undefined {
  try {
    return process.cwd()
  } catch {
    return undefined
  }
}

/** Empty where it cannot be read, which is not the fault to report. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** Where a package lies that this user may not read. `require` says of it that it is not there. */
export function forbiddenPlace(name: string, { root }: Installation): string | undefined {
  return upwards(root)
    .map((folder) => join(folder, 'node_modules', name))
    .find((place) => isForbidden(join(place, 'package.json')))
}

function isForbidden(file: string): boolean {
  try {
    accessSync(file, constants.R_OK)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES'
  }
}

/** The problem of an existing folder that may not be read. */
export function forbidden(folder: string, reason: string): Problem {
  return {
    what: `this user may not read ${folder} (${reason})`,
    remedy: `\`chmod -R a+rX ${folder}\` as its owner, or install it where it can be read`,
  }
}

/** The commands of this installation, ready to be pasted. */
export interface Commands {
  /** Builds the addon from its sources. */
  build: string
  /** Restores the installed packages. */
  reinstall: string
  doctor: string
  /** Brings a package, such as `sentence-torch@1.0.0`. */
  add(...packages: string[]): string
  manager: string
}

/** How the program is started. npx does not see what Plug'n'Play has installed: it would fetch another copy. */
export const programCommand = (pnp = process.versions.pnp !== undefined) => `${pnp ? 'yarn' : 'npx'} sentence-torch`

export function commandsFor(installation: Installation): Commands {
  const manager = installation.pnp ? 'yarn' : (findLockFile(installation)?.manager ?? 'npm')
  const add = (...packages: string[]) => {
    const names = packages.map((name) => (manager === 'deno' ? `npm:${name}` : name))
    return `\`${manager} ${manager === 'npm' ? 'install' : 'add'} ${names.join(' ')}\``
  }
  if (isCheckout(installation)) {
    const there = installation.root === workingFolder() ? '' : `cd ${installation.root} && `
    const run = (script: string) => `\`${there}npm run ${script}\``
    return { build: run('build:native'), reinstall: run('build:native'), doctor: run('doctor'), add, manager }
  }
  const reinstall = installation.pnp
    ? '`yarn cache clean --all && yarn install`'
    : `\`rm -rf node_modules && ${manager} install\``
  const program = programCommand(installation.pnp)
  return { build: `\`${program} build\``, reinstall, doctor: `\`${program} doctor\``, add, manager }
}
