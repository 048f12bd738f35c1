// dist/lib becomes dist/bundle: a few files, which Node reads in a third of the time that hundreds of modules take. What is
// loaded late stays apart. Packages are left outside, and so is `#system`, which finds the package's folder by its own place.
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { packageRoot } from '../install/system.mjs'

const lib = join(packageRoot, 'dist/lib')
const outdir = join(packageRoot, 'dist/bundle')
/** The programs of worker threads are started by their names: they lie beside what starts them. */
const workers = readdirSync(lib, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('-worker.js'))

rmSync(outdir, { recursive: true, force: true })
await build({
  entryPoints: ['index.js', ...workers].map((name) => join(lib, name)),
  outdir,
  entryNames: '[name]',
  chunkNames: 'chunk-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.17',
  packages: 'external',
  logLevel: 'warning',
})
