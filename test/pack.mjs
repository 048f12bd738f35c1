// npm run test:pack: what users get. Packs the package, installs the tarball in an empty folder and runs the README's example
// there, on a tiny random model. LibTorch comes from the shared cache.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { tinyFolder } from '../dist/test/helpers/tiny-folder.js'
import { tinyConfig } from '../dist/test/helpers/tiny-model.js'

const root = fileURLToPath(new URL('../', import.meta.url))
const work = mkdtempSync(join(tmpdir(), 'sentence-torch-pack-'))

function run(program, args, cwd, more = {}) {
  const { status, error, stdout, stderr } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    ...more,
  })
  if (error) throw error
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed:\n${stdout}\n${stderr}`)
  return stdout
}

// npm tells its scripts where it is.
const npm = (args, cwd, more) =>
  process.env.npm_execpath
    ? run(process.execPath, [process.env.npm_execpath, ...args], cwd, more)
    : run('npm', args, cwd, more)

/** The first fenced block of TypeScript or JavaScript in the README that imports the package. */
function readmeExample() {
  const blocks = readFileSync(join(root, 'README.md'), 'utf8').matchAll(
    /```(?:ts|js|typescript|javascript)\n([\s\S]*?)```/g,
  )
  const example = [...blocks].map((match) => match[1]).find((code) => code.includes("from 'sentence-torch'"))
  if (!example) throw new Error("README.md has no example that imports from 'sentence-torch'")
  return example
}

try {
  npm(['pack', '--ignore-scripts', '--pack-destination', work], root)
  const tarball = readdirSync(work).find((name) => name.endsWith('.tgz'))
  const user = join(work, 'user')
  mkdirSync(user)
  writeFileSync(join(user, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }))
  npm(['install', '--no-audit', '--no-fund', join(work, tarball)], user)

  // The example names a model of the hub: a folder of that name beside it is what loading looks at first.
  const example = readmeExample()
  const model = /SentenceTransformer\.load\(\s*'([^']+)'/.exec(example)?.[1]
  if (!model) throw new Error('The example of README.md loads no model')
  await tinyFolder(join(user, model))
  const pairs = Array.from({ length: 64 }, (_, i) => ({ anchor: `question ${i}`, positive: `answer ${i}` }))
  for (const [, file] of example.matchAll(/Dataset\.fromFile\('([^']+\.jsonl)'\)/g)) {
    writeFileSync(join(user, file), pairs.map((pair) => `${JSON.stringify(pair)}\n`).join(''))
  }
  writeFileSync(join(user, 'example.mjs'), example)
  console.log(run(process.execPath, ['example.mjs'], user))

  const check = `
    import { SentenceTransformer } from 'sentence-torch'
    const model = await SentenceTransformer.load(${JSON.stringify(model)})
    const { data, shape } = await model.encode(['one text', 'another'])
    if (shape[0] !== 2 || shape[1] !== ${tinyConfig.hidden_size} || !data.every(Number.isFinite)) throw new Error('bad embeddings')
    await model.dispose()
  `
  run(process.execPath, ['--input-type=module', '--eval', check], user)
  console.log('1 passed, 0 failed')
} catch (error) {
  console.error(error.message)
  console.log('0 passed, 1 failed')
  process.exitCode = 1
} finally {
  rmSync(work, { recursive: true, force: true })
}
