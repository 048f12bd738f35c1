// The blocks of docs/serve.md run: those in TypeScript one after the other as one program, the calls of curl against a server. So does
// examples/server.mjs.
import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import test from 'ava'
import { packageRoot } from '#system'
import { routes } from '../../lib/serve/routes/index.js'
import { serveTiny, tinyModels } from '../helpers/served-models.js'
import { tinyFolder } from '../helpers/tiny-folder.js'

const run = promisify(execFile)
const page = readFileSync(join(packageRoot, 'docs/serve.md'), 'utf8')
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, block]) => block!)
const reranker = join(packageRoot, 'test/parity/golden/cross-encoder/one')

/** Inside of the package: there its name is known. */
async function place() {
  mkdirSync(join(packageRoot, 'dist/run'), { recursive: true })
  const folder = mkdtempSync(join(packageRoot, 'dist/run/serve-'))
  return { folder, model: await tinyFolder(join(folder, 'model')) }
}

test('docs/serve.md: the programs print what they say', async (t) => {
  const { folder, model } = await place()
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const program = blocks('ts')
    .join('\n')
    .replaceAll('sentence-transformers/all-MiniLM-L6-v2', model)
    .replaceAll('cross-encoder/ms-marco-MiniLM-L6-v2', reranker)
  writeFileSync(join(folder, 'page.mjs'), program)
  const { stdout } = await run(process.execPath, [join(folder, 'page.mjs')], { cwd: folder })
  const expected = [...program.matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)].map(([, text]) => text)
  t.is(expected.length, 5)
  t.deepEqual(stdout.trim().split('\n'), expected)
})

test('docs/serve.md: the calls of curl are answered', async (t) => {
  const calls = blocks('sh').flatMap((block) => block.split('\n').filter((line) => line.startsWith('curl ')))
  t.is(calls.length, 3)
  if (spawnSync('curl', ['--version']).status !== 0) {
    t.log('skipped: there is no curl')
    return
  }
  const models = await tinyModels()
  const server = await serveTiny(models)
  t.teardown(async () => {
    await server.close()
    await models.dispose()
  })
  for (const call of calls) {
    const { stdout } = await run('bash', ['-c', call.replace('http://127.0.0.1:3000', server.url)])
    const answer = JSON.parse(stdout)
    t.true(Array.isArray(answer) || answer.object === 'list', stdout)
  }
})

test('docs/serve.md has every route', (t) => {
  for (const { path } of routes) t.true(page.includes(`${path.replace('{model}', 'NAME')}`), path)
})

test('examples/server.mjs', async (t) => {
  const { folder, model } = await place()
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const program = spawn(process.execPath, [join(packageRoot, 'examples/server.mjs'), model, '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(createInterface(program.stdout), 'line')) as [string]
  const url = /http:\S+/.exec(line)![0]
  const found = await (await fetch(`${url}/search?q=cat`)).json()
  t.is((found as unknown[]).length, 2)
  t.is((await fetch(`${url}/ai/health`)).status, 200)
  program.kill('SIGTERM')
  const [code] = await once(program, 'exit')
  t.is(code, 0)
})
