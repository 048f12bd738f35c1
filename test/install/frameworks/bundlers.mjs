// node test/install/frameworks/bundlers.mjs: esbuild and webpack, with the package outside of the bundle and, as far as that goes, in it.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  addFiles,
  attempt,
  embeddingIn,
  expect,
  local,
  main,
  printEmbedding,
  project,
  run,
  test,
  versionOf,
} from './harness.mjs'

let app
const setUp = async () => {
  app ??= await project('bundlers', {
    packages: ['esbuild', 'webpack@5', 'webpack-cli'],
    files: { 'main.mjs': program },
  })
  return app
}
// A worker reads Parquet files and tokenises large inputs: their programs have to be found from the bundle, too.
const program = `
import { Dataset, SentenceTransformer } from 'sentence-torch'
${printEmbedding()}
const rows = Array.from({ length: 20000 }, (_, i) => 'the red cat is number ' + i)
const other = await SentenceTransformer.load('./model')
const { shape } = await other.encode(rows)
if (shape[0] !== rows.length) throw new Error('not all texts are encoded')
await other.dispose()
console.log('encoded ' + Dataset.fromRows([{ a: 1 }]).length + ' ' + shape)
`
const esbuild = (folder, args) => run(join(folder, 'node_modules/.bin/esbuild'), args, { cwd: folder })
const node = (file, folder) => run(process.execPath, [file], { cwd: folder })

test('esbuild, package outside', async () => {
  const folder = await setUp()
  const args = [
    'main.mjs',
    '--bundle',
    '--platform=node',
    '--format=esm',
    '--packages=external',
    '--outfile=out/external.mjs',
  ]
  await esbuild(folder, args)
  expect(readFileSync(join(folder, 'out/external.mjs'), 'utf8').length < 5000, 'the package is in the bundle')
  embeddingIn(await node('out/external.mjs', folder))
  return `esbuild ${versionOf(folder, 'esbuild')}`
})

test('esbuild, package outside, CommonJS', async () => {
  const folder = await setUp()
  const wrapped = `import { SentenceTransformer } from 'sentence-torch'\nasync function main() {${printEmbedding()}}\nmain()`
  addFiles(folder, { 'wrapped.mjs': wrapped })
  const args = [
    'wrapped.mjs',
    '--bundle',
    '--platform=node',
    '--format=cjs',
    '--external:sentence-torch',
    '--outfile=out/external.cjs',
  ]
  await esbuild(folder, args)
  embeddingIn(await node('out/external.cjs', folder))
})

test('esbuild, package in the bundle', async () => {
  const folder = await setUp()
  const config = `
import { build } from 'esbuild'
const workers = ['experiment-worker', 'parquet-worker', 'tokenizer-worker']
await build({
  // The programs of the package's worker threads have to lie beside the bundle, under their own names.
  entryPoints: ['main.mjs', ...workers.map((name) => 'node_modules/sentence-torch/dist/bundle/' + name + '.js')],
  entryNames: '[name]',
  outdir: 'bundled/dist',
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  // The built addon and LibTorch are files: they stay packages.
  external: ['@sentence-torch/*'],
  // CommonJS asks for require.
  banner: { js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);" },
})
`
  addFiles(folder, { 'build.mjs': config, 'bundled/package.json': '{ "type": "module" }' })
  await node('build.mjs', folder)
  copyBeside(folder)
  const { status, stdout, stderr } = await attempt(process.execPath, ['dist/main.js'], { cwd: join(folder, 'bundled') })
  expect(status === 0, `the bundle ended with ${status}:\n${stderr || stdout}`)
  embeddingIn(stdout)
  return `${readdirSync(join(folder, 'bundled/dist')).length} files`
})

/** Only what the bundle leaves outside. */
function copyBeside(folder) {
  const target = join(folder, 'bundled')
  mkdirSync(join(target, 'node_modules'), { recursive: true })
  cpSync(join(folder, 'node_modules/@sentence-torch'), join(target, 'node_modules/@sentence-torch'), {
    recursive: true,
  })
  cpSync(join(folder, 'model'), join(target, 'model'), { recursive: true })
}

const webpackConfig = (more) => `
module.exports = {
  mode: 'production',
  target: 'node20',
  entry: './main.mjs',
  experiments: { outputModule: true },
  output: { path: __dirname + '/webpack', filename: 'main.mjs', module: true, chunkFormat: 'module' },
  ${more}
}
`
test('webpack, package outside', async () => {
  const folder = await setUp()
  addFiles(folder, { 'webpack.config.cjs': webpackConfig(`externals: { 'sentence-torch': 'module sentence-torch' },`) })
  await local(folder, 'webpack/bin/webpack.js', ['--config', 'webpack.config.cjs'])
  expect(existsSync(join(folder, 'webpack/main.mjs')), 'webpack made nothing')
  embeddingIn(await node('webpack/main.mjs', folder))
  return `webpack ${versionOf(folder, 'webpack')}`
})

await main('bundlers')
