// What doctor asks about the addon, as lines of JSON: where it was looked for, then whether it loads. A program of its own, since a
// crash of native code must not end doctor.
import { writeSync } from 'node:fs'
import { findAddon, findLibtorch } from './find-addon.js'
import { loadAddon } from './load.js'

const say = (facts: object) => writeSync(1, `${JSON.stringify(facts)}\n`)
const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

try {
  const { found, steps } = findAddon()
  say({ steps, chosen: found ? { source: found.source, path: found.addonPath } : null })
  // Loading says why there is none.
  if (found) say({ libtorch: findLibtorch(found) ?? null })
} catch {}
try {
  say({ loads: true, runtime: loadAddon().runtime() })
} catch (error) {
  say({ loads: false, detail: messageOf(error) })
}
