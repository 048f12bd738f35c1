/** Packages that users install beside this one. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { commandsFor, thisInstallation } from '../native/installation.js'

/**
 * The folder of an installed package: as this package sees it, or else the working directory.
 * @param from folders to look from, the first one that of this package
 * @returns undefined where it is not installed
 * @throws ERR_UNSUPPORTED for another version than `version`
 */
export function findPackage(name: string, version: string, from: readonly string[]): string | undefined {
  for (const folder of from) {
    let manifest: string
    try {
      manifest = createRequire(join(folder, 'package.json')).resolve(`${name}/package.json`)
    } catch {
      continue
    }
    const found = versionOf(dirname(manifest))
    if (found === version) return dirname(manifest)
    throw new SentenceTorchError(
      'ERR_UNSUPPORTED',
      `${dirname(manifest)} is version ${found}, but sentence-torch is ${version}: ${addCommand(`${name}@${version}`, from[0])}`,
    )
  }
  return undefined
}

/** What installs a package beside this one, whose folder is `root`. */
export function addCommand(spec: string, root: string | undefined): string {
  const here = thisInstallation()
  return commandsFor({ ...here, root: root ?? here.root }).add(spec)
}

/** The version of the package in `folder`. */
export function versionOf(folder: string): string {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version?: unknown }
  return String(manifest.version)
}
