// A package must hold, or depend on, everything that its modules import: a clone has it all, so only this notices what is missing.

import { existsSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join, posix } from 'node:path'
import { BUNDLED } from './bundle.mjs'
import { PackError } from './pack-error.mjs'
import { filesBelow } from './tarball.mjs'

const STATIC = /^(?:import|export)\b(?:[^'"`;]*?\bfrom)?\s*['"]([^'"]+)['"]/gm
const DYNAMIC = /\b(?:import|require)\(\s*['"]([^'"]+)['"]\s*\)/g

/**
 * @param {string} folder
 * @returns {{ file: string, specifier: string }[]}
 */
function importsBelow(folder) {
  return filesBelow(folder)
    .filter((file) => /\.[cm]?js$/.test(file))
    .flatMap((file) => {
      const source = readFileSync(join(folder, file), 'utf8')
      return [...source.matchAll(STATIC), ...source.matchAll(DYNAMIC)].map((match) => ({ file, specifier: match[1] }))
    })
}

/** `@scope/name/sub` → `@scope/name`. @param {string} specifier */
function packageOf(specifier) {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/**
 * Packages that the modules of a folder import, sorted.
 * @param {string} folder
 */
export function bareImports(folder) {
  const names = importsBelow(folder)
    .filter(({ specifier }) => !/^[.#]/.test(specifier) && !isBuiltin(specifier))
    .map(({ specifier }) => packageOf(specifier))
  return [...new Set(names)].sort()
}

/**
 * @param {string} folder
 * @param {import('./manifests.mjs').Manifest} manifest
 * @throws {PackError} with all that is missing
 */
export function checkImports(folder, manifest) {
  const { name, dependencies, optionalDependencies, peerDependencies } = manifest
  const known = [name, ...Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })]
  const missing = importsBelow(folder).filter(({ file, specifier }) => {
    if (isBuiltin(specifier)) return false
    // It is a part of the file. ajv has its own name in texts of code.
    if (BUNDLED.includes(packageOf(specifier))) return false
    if (specifier.startsWith('#')) return !existsSync(join(folder, manifest.imports?.[specifier] ?? specifier))
    if (specifier.startsWith('.')) return !existsSync(join(folder, posix.join(posix.dirname(file), specifier)))
    return !known.includes(packageOf(specifier))
  })
  for (const file of filesNamedBy(manifest))
    if (!existsSync(join(folder, file))) missing.push({ file: 'package.json', specifier: file })
  if (missing.length)
    throw new PackError(
      `${manifest.name} would not work, it lacks what it imports: ${missing.map(({ file, specifier }) => `${specifier} (in ${file})`).join(', ')}`,
    )
}

/**
 * Files that the manifest itself promises.
 * @param {import('./manifests.mjs').Manifest} manifest
 * @returns {string[]}
 */
function filesNamedBy({ main, types, bin, exports, imports }) {
  /** @type {(value: unknown) => unknown[]} */
  const leaves = (value) => (typeof value === 'object' && value ? Object.values(value).flatMap(leaves) : [value])
  return leaves([main, types, bin, exports, imports])
    .filter((value) => typeof value === 'string' && !value.includes('*') && value !== './package.json')
    .map(String)
}
