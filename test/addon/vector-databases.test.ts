// The examples of vector databases and of worker threads. One whose client is not installed (npm run peers; LanceDB's by hand) is
// skipped; Qdrant's server is a stand-in with its answers.
import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { SentenceTransformer, util } from '../../lib/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { hasPeers, peersFolder, peersRegister } from '../helpers/peers.js'
import { hasShared, MINILM } from '../helpers/shared.js'

const EXAMPLES = new URL('../../../examples/', import.meta.url)
const TEXTS = ['Order a replacement in the app.', 'We are open from 9 to 5.', 'Rates are set every morning.']

/** A test of an example whose package is there. */
function example(name: string, client: string) {
  const path = fileURLToPath(new URL(`${name}/main.mjs`, EXAMPLES))
  const found = [path, peersFolder].some((from) => canResolve(from, client))
  return { path, run: found && hasShared ? test : test.skip }
}

function canResolve(from: string, client: string): boolean {
  try {
    createRequire(from).resolve(client)
    return true
  } catch {
    return false
  }
}

async function output(path: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const program = [...(hasPeers ? ['--import', peersRegister] : []), path, ...args]
  const { stdout } = await promisify(execFile)(process.execPath, program, { env: { ...process.env, ...env } })
  return stdout
}

/** What every example prints: the two best texts. */
async function expected(): Promise<string> {
  await using model = await SentenceTransformer.load(MINILM)
  const query = await model.encodeQuery(['When are you open?'])
  const [hits] = await util.semanticSearch(query, await model.encodeDocument(TEXTS), { topK: 2 })
  return hits!.map(({ score, corpusId }) => `${score.toFixed(4)} ${TEXTS[corpusId]}\n`).join('')
}

const lancedb = example('lancedb', '@lancedb/lancedb')
lancedb.run('LanceDB', async (t) => {
  t.is(await output(lancedb.path, [MINILM, await temporaryFolder(t)]), await expected())
})

const pgvector = example('pgvector', '@electric-sql/pglite-pgvector')
pgvector.run('pgvector, in PGlite', async (t) => {
  t.is(await output(pgvector.path, [MINILM]), await expected())
})

const usearch = example('usearch', 'usearch')
usearch.run('USearch', async (t) => {
  t.is(await output(usearch.path, [MINILM]), await expected())
})

const [major, minor] = process.versions.node.split('.').map(Number) as [number, number]
const sqlite = example('sqlite-vec', 'sqlite-vec')
// node:sqlite loads extensions from this version on.
const hasSqlite = major > 22 || (major === 22 && minor >= 13)
;(hasSqlite ? sqlite.run : test.skip)('sqlite-vec, in node:sqlite', async (t) => {
  t.is(await output(sqlite.path, [MINILM]), await expected())
})

const workers = example('workers', 'node:worker_threads')
workers.run('worker threads', async (t) => {
  // One of them gets two texts, the other one.
  t.is(await output(workers.path, [MINILM, '2']), await expected())
})

interface Point {
  id: number
  vector: number[]
  payload: object
}

const qdrant = example('qdrant', '@qdrant/js-client-rest')
qdrant.run("Qdrant's client", async (t) => {
  const calls: string[] = []
  let points: Point[] = []
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const piece of request) text += piece
    const body = text === '' ? {} : JSON.parse(text)
    const call = `${request.method} ${request.url!.split('?')[0]}`
    calls.push(call)
    response.setHeader('content-type', 'application/json')
    const answer = (result: unknown) => response.end(JSON.stringify({ result, status: 'ok', time: 0 }))
    if (call === 'GET /') response.end(JSON.stringify({ title: 'qdrant', version: '1.16.0' }))
    else if (call === 'PUT /collections/answers/points') {
      points = body.points
      answer({ operation_id: 0, status: 'completed' })
    } else if (call === 'POST /collections/answers/points/query') {
      const scores = util.cosSim(
        Float32Array.from(body.query as number[]),
        points.map(({ vector }) => Float32Array.from(vector)),
      )
      const hits = points.map(({ id, payload }, i) => ({ id, version: 0, score: scores.data[i]!, payload }))
      answer({ points: hits.sort((a, b) => b.score - a.score).slice(0, body.limit) })
    } else answer(true)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  t.is(await output(qdrant.path, [MINILM], { QDRANT_URL: url }), await expected())
  t.true(calls.includes('PUT /collections/answers'))
})
