// node test/install/frameworks/next.mjs: a route of Next that embeds, from `next start` and from a copy of the standalone output.
import { spawn } from 'node:child_process'
import { cpSync, existsSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cleanEnv, embeddingIn, expect, local, main, project, run, test, versionOf } from './harness.mjs'

const files = {
  'next.config.mjs': `export default {
  output: 'standalone',
  // The package and the files that it loads stay outside of the bundle.
  serverExternalPackages: ['sentence-torch'],
  // The tracer finds the addon. It cannot see LibTorch, which the dynamic linker opens.
  outputFileTracingIncludes: { '/api/embed': ['./node_modules/@sentence-torch/**'] },
}
`,
  'app/layout.jsx': `export default function Layout({ children }) {\n  return <html lang="en"><body>{children}</body></html>\n}\n`,
  'app/page.jsx': `export default function Page() {\n  return <p>GET /api/embed?text=…</p>\n}\n`,
  'app/api/embed/route.js': `import { SentenceTransformer } from 'sentence-torch'

export const dynamic = 'force-dynamic'
let model

export async function GET(request) {
  model ??= SentenceTransformer.load(process.env.MODEL)
  const { data } = await (await model).encode([new URL(request.url).searchParams.get('text')])
  return new Response('embedding ' + JSON.stringify([...data]))
}
`,
}
let app
const setUp = async () => {
  app ??= await project('next', { packages: ['next', 'react', 'react-dom'], files })
  return app
}

async function freePort() {
  const server = createServer()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Starts a server, asks for an embedding, and ends it. */
async function ask(args, folder, model) {
  const port = await freePort()
  const env = {
    ...cleanEnv(),
    PORT: String(port),
    HOSTNAME: '127.0.0.1',
    MODEL: model,
    NODE_ENV: 'production',
    NEXT_TELEMETRY_DISABLED: '1',
  }
  const child = spawn(
    process.execPath,
    [...args, ...(args[0].endsWith('server.js') ? [] : ['-p', String(port), '-H', '127.0.0.1'])],
    { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  )
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      said += text
    })
  const ended = new Promise((resolve) => child.once('close', resolve))
  try {
    for (let tries = 0; ; tries++) {
      expect(child.exitCode === null && tries < 240, `the server does not answer:\n${said}`)
      const response = await fetch(`http://127.0.0.1:${port}/api/embed?text=the+red+cat`).catch(() => undefined)
      if (!response) {
        await sleep(250)
        continue
      }
      const text = await response.text()
      expect(response.ok, `status ${response.status}: ${text.slice(0, 300)}\n${said}`)
      return embeddingIn(text)
    }
  } finally {
    if (child.exitCode === null) process.kill(-child.pid, 'SIGTERM')
    await ended
  }
}

test('next build', async () => {
  const folder = await setUp()
  await local(folder, 'next/dist/bin/next', ['build'], { env: { NEXT_TELEMETRY_DISABLED: '1' }, timeout: 500 })
  return `next ${versionOf(folder, 'next')}`
})

test('next start', async () => {
  const folder = await setUp()
  expected = await ask([join(folder, 'node_modules/next/dist/bin/next'), 'start'], folder, join(folder, 'model'))
})
let expected

test('the standalone output, copied away', async () => {
  const folder = await setUp()
  const copy = join(folder, '..', 'standalone')
  cpSync(join(folder, '.next/standalone'), copy, { recursive: true, verbatimSymlinks: true })
  cpSync(join(folder, 'model'), join(copy, 'model'), { recursive: true })
  expect(existsSync(join(copy, 'node_modules/@sentence-torch')), 'the addon is not in the standalone output')
  // Whatever it would still find in the project must not help.
  for (const name of ['node_modules', '.next']) rmSync(join(folder, name), { recursive: true })
  const found = await ask(['server.js'], copy, join(copy, 'model'))
  expect(
    found.every((value, i) => !expected || value === expected[i]),
    'the embedding differs from that of next start',
  )
  const size = await run('du', ['-sm', join(copy, 'node_modules')])
  return `node_modules of ${Number.parseInt(size, 10)} MB`
})

await main('Next')
