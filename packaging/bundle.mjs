// dist/lib becomes dist/bundle: a few files, which Node reads in a third of the time that hundreds of modules take. What is
// loaded late stays apart, and so do the program and what doctor asks. Packages but those of BUNDLED are left outside, and so are the
// modules of install/ (`#system`, …), which find the package's folder by their own place.
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { packageRoot } from '../install/system.mjs'

/** Packages of pure JavaScript that are a part of the bundle, so that an installation has fewer. Their licences go along. */
export const BUNDLED = [
  ...['parse5', 'entities', 'commander'],
  '@huggingface/jinja',
  ...['ajv', 'fast-deep-equal', 'fast-uri', 'json-schema-traverse'],
]

/** Entries for other frameworks, by what follows the package's name. */
const INTEGRATIONS = {
  ...{ langchain: 'langchain.js', 'ai-sdk': 'ai-sdk.js', llamaindex: 'llamaindex.js' },
  transformers: 'transformers/index.js',
}

/** The module that draws. It is a file of its own with all its packages, minified, for they are as large as the rest. */
const DRAWING = 'plots/vega.js'

/**
 * @param {string} lib compiled modules
 * @param {string} outdir is written anew
 * @returns {Promise<string[]>} the packages in the file that draws, whose licences go along, too
 */
export async function bundle(lib, outdir) {
  /** The programs of worker threads are started by their names: they lie beside what starts them. */
  const workers = readdirSync(lib, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('-worker.js'))
  rmSync(outdir, { recursive: true, force: true })
  mkdirSync(outdir, { recursive: true })
  await build({
    entryPoints: [
      ...['index.js', ...workers].map((name) => ({ in: join(lib, name), out: basename(name, '.js') })),
      { in: join(lib, 'loops/index.js'), out: 'tensor' },
      { in: join(lib, 'serve/index.js'), out: 'serve' },
      ...Object.entries(INTEGRATIONS).map(([out, file]) => ({ in: join(lib, 'integrations', file), out })),
      { in: join(lib, 'cli/main.js'), out: 'cli' },
      { in: join(lib, 'native/index.js'), out: 'native' },
    ],
    outdir,
    // Paths in comments, and with them the names of chunks, are the same wherever this runs.
    absWorkingDir: lib,
    chunkNames: 'chunk-[hash]',
    // A class that uses its own static members would else be called _Class, in model cards too.
    keepNames: true,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.17',
    external: ['#*'],
    logLevel: 'warning',
    plugins: [commonJsBeside(outdir), drawingBeside(), builtinsOfCommonJs(), packages()],
  })
  chmodSync(join(outdir, 'cli.js'), 0o755)
  return bundleDrawing(lib, outdir)
}

/**
 * For browsers, whose form of these packages looks for neither files nor a canvas.
 * @param {string} lib
 * @param {string} outdir
 * @returns {Promise<string[]>}
 */
async function bundleDrawing(lib, outdir) {
  const { metafile } = await build({
    entryPoints: [{ in: join(lib, DRAWING), out: basename(DRAWING, '.js') }],
    outdir,
    absWorkingDir: lib,
    nodePaths: [join(packageRoot, 'node_modules')],
    bundle: true,
    minify: true,
    // They go along as files.
    legalComments: 'none',
    metafile: true,
    format: 'esm',
    platform: 'browser',
    target: 'node20.17',
    logLevel: 'warning',
  })
  const names = Object.keys(metafile.inputs).flatMap((file) => {
    const [, inside] = /.*node_modules\/(.*)/.exec(file) ?? []
    return inside === undefined ? [] : [/^(@[^/]+\/)?[^/]+/.exec(inside)?.[0] ?? '']
  })
  return [...new Set(names)].sort()
}

/** @returns {import('esbuild').Plugin} */
function drawingBeside() {
  const name = basename(DRAWING)
  return {
    name: 'drawing-beside',
    setup({ onResolve }) {
      onResolve({ filter: new RegExp(`^\\./${name.replace('.', '\\.')}$`) }, ({ path, importer }) =>
        importer.endsWith(join('plots', 'draw.js')) ? { path, external: true } : undefined,
      )
    },
  }
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

/**
 * What bundled CommonJS requires of Node: a module of the bundle has no `require`.
 * @returns {import('esbuild').Plugin}
 */
function builtinsOfCommonJs() {
  return {
    name: 'builtins-of-commonjs',
    setup({ onLoad, onResolve }) {
      onResolve({ filter: /^node:/, namespace: 'bundled' }, ({ path, kind }) =>
        kind === 'require-call' ? { path, namespace: 'builtin' } : undefined,
      )
      onLoad({ filter: /./, namespace: 'builtin' }, ({ path }) => ({
        contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)})`,
      }))
    },
  }
}

/**
 * Packages stay outside, except BUNDLED. Those are named without their folder, which the bundle would otherwise tell.
 * @returns {import('esbuild').Plugin}
 */
function packages() {
  const ours = new RegExp(`^(${BUNDLED.join('|')})(/|$)`)
  const modules = join(packageRoot, 'node_modules')
  return {
    name: 'packages',
    setup({ onLoad, onResolve, resolve }) {
      /** @param {string} path @param {string} resolveDir @param {import('esbuild').ImportKind} kind */
      const inside = async (path, resolveDir, kind) => {
        const { path: file, errors } = await resolve(path, { resolveDir, kind, pluginData: 'found' })
        if (errors.length) return { errors }
        return {
          path: file.slice(file.lastIndexOf('node_modules') + 'node_modules'.length + 1),
          namespace: 'bundled',
          pluginData: file,
        }
      }
      onResolve({ filter: /^[^./#]/ }, ({ path, kind, namespace, resolveDir, pluginData }) => {
        if (kind === 'entry-point' || pluginData === 'found') return undefined
        return ours.test(path)
          ? inside(path, namespace === 'bundled' ? resolveDir : modules, kind)
          : { path, external: true }
      })
      onResolve({ filter: /^\./, namespace: 'bundled' }, ({ path, resolveDir, kind, pluginData }) =>
        pluginData === 'found' ? undefined : inside(path, resolveDir, kind),
      )
      onLoad({ filter: /./, namespace: 'bundled' }, ({ pluginData: file }) => ({
        contents: readFileSync(file, 'utf8'),
        resolveDir: dirname(file),
        loader: file.endsWith('.json') ? 'json' : 'js',
      }))
    },
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))
  await bundle(join(packageRoot, 'dist/lib'), join(packageRoot, 'dist/bundle'))
