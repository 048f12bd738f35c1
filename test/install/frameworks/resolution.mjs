// node test/install/frameworks/resolution.mjs: the installed package through import, require and TypeScript's ways to resolve.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import {
  addFiles,
  embeddingIn,
  expect,
  local,
  main,
  printEmbedding,
  project,
  root,
  run,
  Skip,
  test,
  versionOf,
} from './harness.mjs'

const node22 = `node-linux-${process.arch}`
let app
let expected
const setUp = async () => {
  const packages = ['typescript@5', '@types/node@20', ...(process.platform === 'linux' ? [`${node22}@22`] : [])]
  app ??= await project('resolution', { packages })
  return app
}
const sameAsImport = (output) => {
  const found = embeddingIn(output)
  expect(!expected || found.every((value, i) => value === expected[i]), 'the embedding differs from that of import')
  return found
}

test('import', async () => {
  const folder = await setUp()
  addFiles(folder, { 'esm.mjs': `import { SentenceTransformer } from 'sentence-torch'\n${printEmbedding()}` })
  expected = sameAsImport(await run(process.execPath, ['esm.mjs'], { cwd: folder }))
  return `node ${process.versions.node}, embedding of ${expected.length}`
})

const common = `const { SentenceTransformer } = require('sentence-torch')\nasync function main() {${printEmbedding()}}\nmain()`

test('require', async () => {
  // From 20.19 and 22.12 on, require takes ES modules.
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19))
    throw new Skip(`node ${process.versions.node} cannot require ES modules`)
  const folder = await setUp()
  addFiles(folder, { 'common.cjs': common })
  sameAsImport(await run(process.execPath, ['common.cjs'], { cwd: folder }))
  return `node ${process.versions.node}`
})

test('require in Node 22', async () => {
  if (process.platform !== 'linux') throw new Skip('Node is taken from its packages for Linux')
  const folder = await setUp()
  addFiles(folder, { 'common.cjs': common })
  sameAsImport(await run(join(folder, 'node_modules', node22, 'bin/node'), ['common.cjs'], { cwd: folder }))
  return `node ${versionOf(folder, node22)}`
})

const program = `
import { Dataset, losses, SentenceTransformer, SentenceTransformerTrainer, SentenceTorchError, util } from 'sentence-torch'
import type { TrainingArguments } from 'sentence-torch'

async function main(): Promise<void> {
  const model: SentenceTransformer = await SentenceTransformer.load('./model')
  const args: Partial<TrainingArguments> = { outputDir: 'run', maxSteps: 1, saveStrategy: 'no' }
  const trainDataset = Dataset.fromRows([{ anchor: 'red', positive: 'cat' }, { anchor: 'blue', positive: 'dog' }])
  await new SentenceTransformerTrainer({ model, trainDataset, loss: new losses.MultipleNegativesRankingLoss(), args, progress: false }).train()
  const query = await model.encode(['the red cat'])
  const hits: number = (await util.semanticSearch(query, query, { topK: 1 })).length
  const values: Float32Array = query.data
  // @ts-expect-error: the types are there, and say that this is none
  const wrong: string = query.shape
  console.log('hits', hits, wrong !== undefined, SentenceTorchError.name)
  console.log('embedding ' + JSON.stringify([...values]))
  await model.dispose()
}
main()
`
/** Options → what the compiled file is called, and whether Node can run it. */
const modes = {
  node16: { module: 'node16', file: 'main.mts' },
  nodenext: { module: 'nodenext', file: 'main.mts' },
  'nodenext, CommonJS': { module: 'nodenext', moduleResolution: 'nodenext', file: 'main.cts' },
  bundler: { module: 'esnext', moduleResolution: 'bundler', file: 'main.mts' },
  'node (node10)': { module: 'commonjs', moduleResolution: 'node10', file: 'main.ts' },
}
for (const [name, { file, ...options }] of Object.entries(modes)) {
  test(`TypeScript, moduleResolution ${name}`, async () => {
    const folder = await setUp()
    const versions = [
      [
        'typescript/lib/tsc.js',
        versionOf(folder, 'typescript'),
        (args) => local(folder, 'typescript/lib/tsc.js', args),
      ],
    ]
    const repository = join(root, 'node_modules/typescript')
    const newer = JSON.parse(
      await run(process.execPath, [
        '-p',
        `JSON.stringify(require(${JSON.stringify(`${repository}/package.json`)}).version)`,
      ]),
    )
    // The way of Node 10 is gone from TypeScript 7.
    if (!options.moduleResolution?.includes('node10'))
      versions.push(['repository', newer, (args) => run(join(root, 'node_modules/.bin/tsc'), args, { cwd: folder })])
    const said = []
    for (const [place, version, tsc] of versions) {
      const sources = `ts/${name.replace(/\W+/g, '-')}-${place.split('/')[0]}`
      const config = {
        compilerOptions: {
          ...{ target: 'es2022', lib: ['es2023', 'esnext.disposable'], strict: true, types: ['node'], outDir: 'out' },
          ...options,
        },
        include: [file],
      }
      addFiles(folder, { [`${sources}/${file}`]: program, [`${sources}/tsconfig.json`]: JSON.stringify(config) })
      await tsc(['-p', `${sources}/tsconfig.json`])
      const [made] = readdirSync(join(folder, sources, 'out'))
      const isCommon = made.endsWith('.cjs') || options.module === 'commonjs'
      if (isCommon && !process.features.require_module) said.push(`${version} compiles`)
      else {
        // Training moves the weights: the embedding is another, and all are the same.
        const output = await run(process.execPath, [join(sources, 'out', made)], { cwd: folder })
        trained ??= embeddingIn(output)
        expect(
          embeddingIn(output).every((value, i) => value === trained[i]),
          'the embedding differs',
        )
        said.push(`${version} compiles and runs as ${made}`)
      }
    }
    return said.join(', ')
  })
}
let trained

await main('module resolution')
