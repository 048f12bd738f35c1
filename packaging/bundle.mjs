// dist/lib becomes dist/bundle: a few files, which Node reads in a third of the time that hundreds of modules take. What is
// loaded late stays apart. Packages are left outside, and so is `#system`, which finds the package's folder by its own place.
import { copyFileSync, mkdirSync, readdirSync, realpathSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { packageRoot } from '../install/system.mjs'

/**
 * @param {string} lib compiled modules
 * @param {string} outdir is written anew
 */
export async function bundle(lib, outdir) {
  /** The programs of worker threads are started by their names: they lie beside what starts them. */
  const workers = readdirSync(lib, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('-worker.js'))
  rmSync(outdir, { recursive: true, force: true })
  mkdirSync(outdir, { recursive: true })
  await build({
    entryPoints: ['index.js', ...workers].map((name) => join(lib, name)),
    outdir,
    // Paths in comments, and with them the names of chunks, are the same wherever this runs.
    absWorkingDir: lib,
    entryNames: '[name]',
    chunkNames: 'chunk-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.17',
    packages: 'external',
    logLevel: 'warning',
    plugins: [commonJsBeside(outdir)],
  })
}

/**
 * A CommonJS module lies beside the bundle as it is: only there does its `require` work, and do other bundlers see it.
 * @param {string} outdir
 * @returns {import('esbuild').Plugin}
 */
function commonJsBeside(outdir) {
  return {
    name: 'commonjs-beside',
    setup({ onResolve }) {
      onResolve({ filter: /^\..*\.cjs$/ }, ({ path, resolveDir }) => {
        copyFileSync(join(resolveDir, path), join(outdir, basename(path)))
        return { path: `./${basename(path)}`, external: true }
      })
    },
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))
  await bundle(join(packageRoot, 'dist/lib'), join(packageRoot, 'dist/bundle'))
