// examples/corpus with 600 texts, a tiny model and a stand-in for Qdrant's server.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { SentenceTransformer, util } from '../../lib/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { tinyFolder } from '../helpers/tiny-folder.js'

const example = (name: string) => fileURLToPath(new URL(`../../../examples/corpus/${name}`, import.meta.url))

interface Point {
  id: number
  vector: number[]
  payload: { text: string }
}

test('examples/corpus: texts, shards, points, a search', async (t) => {
  const folder = await temporaryFolder(t)
  const model = await tinyFolder(join(folder, 'model'))
  const points = new Map<number, Point>()
  let size: number | undefined
  let requests = 0
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const piece of request) text += piece
    const body = text === '' ? {} : JSON.parse(text)
    response.setHeader('content-type', 'application/json')
    const answer = (result: unknown) => response.end(JSON.stringify({ result, status: 'ok', time: 0 }))
    switch (`${request.method} ${request.url}`) {
      case 'GET /collections/parcels':
        if (size !== undefined) return answer({ status: 'green' })
        response.statusCode = 404
        return answer(null)
      case 'PUT /collections/parcels':
        size = body.vectors.size
        return answer(true)
      case 'POST /collections/parcels/points/count':
        return answer({ count: points.size })
      case 'PUT /collections/parcels/points?wait=true':
        // The first call is stopped behind 300 points.
        if (++requests === 2) return request.socket.destroy()
        for (const point of body.points as Point[]) points.set(point.id, point)
        return answer({ status: 'completed' })
      case 'POST /collections/parcels/points/query': {
        const all = [...points.values()]
        const rows = all.map(({ vector }) => Float32Array.from(vector))
        const scores = util.cosSim(Float32Array.from(body.query as number[]), rows)
        const hits = all.map(({ id, payload }, i) => ({ id, payload, score: scores.data[i]! }))
        return answer({ points: hits.sort((a, b) => b.score - a.score).slice(0, body.limit) })
      }
      default:
        response.statusCode = 500
        return answer(null)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const env = {
    ...process.env,
    ...{ MODEL: model, ROWS_PER_FILE: '300', SENTENCE_TORCH_THREADS: '1' },
    QDRANT_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  }
  const run = async (name: string, ...args: string[]) =>
    (await promisify(execFile)(process.execPath, [example(name), ...args], { cwd: folder, env })).stdout
  await run('make-texts.mjs', 'texts.jsonl', '600')
  const lines = readFileSync(join(folder, 'texts.jsonl'), 'utf8').trim().split('\n')
  t.is(new Set(lines).size, 600)
  await run('encode.mjs', 'texts.jsonl', 'vectors', '2')
  await t.throwsAsync(run('store.mjs', 'vectors'))
  t.is(points.size, 300)
  t.is(await run('store.mjs', 'vectors'), '600 points, 300 of them were there\n')
  await using own = await SentenceTransformer.load(model)
  t.is(size, own.embeddingDimension)
  const texts = lines.map((line) => JSON.parse(line).text as string)
  const [hits] = await util.semanticSearch(await own.encodeQuery([texts[7]!]), await own.encodeDocument(texts), {
    topK: 3,
  })
  const found = (await run('search.mjs', texts[7]!)).trim().split('\n')
  t.deepEqual(
    found.map((line) => line.slice(0, 6)),
    hits!.map(({ score }) => score.toFixed(4)),
  )
  for (const line of found) t.true(texts.includes(line.slice(7)))
})
