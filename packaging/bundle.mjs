// dist/lib becomes dist/bundle: a few files, which Node reads in a third of the time that hundreds of modules take. What is
// loaded late stays apart, and so do the program and what doctor asks. Packages are left outside, and so are the modules of install/ (`#system`, …),
// which find the package's folder by their own place.
import { chmodSync, copyFileSync, mkdirSync, readdirSync, realpathSync, rmSync } from 'node:fs'
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
    entryPoints: [
      ...['index.js', ...workers].map((name) => ({ in: join(lib, name), out: basename(name, '.js') })),
      { in: join(lib, 'cli/main.js'), out: 'cli' },
      { in: join(lib, 'native/index.js'), out: 'native' },
    ],
    outdir,
    // Paths in comments, and with them the names of chunks, are the same wherever this runs.
    absWorkingDir: lib,
    chunkNames: 'chunk-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.17',
    packages: 'external',
    external: ['#*'],
    logLevel: 'warning',
    plugins: [commonJsBeside(outdir)],
  })
  chmodSync(join(outdir, 'cli.js'), 0o755)
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
