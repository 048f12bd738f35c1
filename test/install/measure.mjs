// How much an installed project is: its packages, whichever way they are linked, and the bytes that they take.
import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'

/**
 * @param {string} app
 * @returns {{ packages: number, megabytes: number }}
 */
export function measure(app) {
  const names = new Set()
  if (existsSync(join(app, '.pnp.cjs'))) return { packages: plugged(app).size, megabytes: size(join(app, '.yarn')) }
  const modules = join(app, 'node_modules')
  collect(modules, names, new Set())
  return { packages: names.size, megabytes: size(modules) }
}

/** What Plug'n'Play finds: archives in Yarn's cache and unplugged folders. Its map names packages of other systems too, which are not there. */
function plugged(app) {
  const text = readFileSync(join(app, '.pnp.cjs'), 'utf8')
  const places = [...text.matchAll(/"packageLocation": "([^"]*\/node_modules\/[^"]+)"/g)].map(([, place]) =>
    join(app, place.replace(/(\.zip)\/.*/, '$1').replace(/__virtual__\/[^/]+\/0\//, '')),
  )
  return new Set(places.filter(existsSync))
}

/** Every package below a folder of modules, each once. */
function collect(folder, names, seen) {
  if (seen.has(folder) || !existsSync(folder)) return
  seen.add(folder)
  for (const entry of readdirSync(folder)) {
    const path = join(folder, entry)
    if (entry === '.bin' || !lstatSync(path).isDirectory()) continue
    // The stores of pnpm and deno: <store>/<name@version>/node_modules/<name>
    if (entry.startsWith('.'))
      for (const name of readdirSync(path)) collect(join(path, name, 'node_modules'), names, seen)
    else if (entry.startsWith('@')) collect(path, names, seen)
    else {
      if (existsSync(join(path, 'package.json'))) names.add(realpathSync(path))
      collect(join(path, 'node_modules'), names, seen)
    }
  }
}

/** @param {string} folder @returns {number} in megabytes, every file once however many links it has */
export function size(folder) {
  const seen = new Set()
  let bytes = 0
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const { ino, size } = lstatSync(join(entry.parentPath ?? entry.path, entry.name))
    if (!seen.has(ino)) bytes += size
    seen.add(ino)
  }
  return Math.round(bytes / 1e6)
}
