// A server of one's own with the routes of sentence-torch/serve below /ai, and a search that uses the same model in process:
//
//     node examples/server.mjs all-MiniLM-L6-v2 3000
//     curl 'http://127.0.0.1:3000/search?q=opening+times'
//     curl http://127.0.0.1:3000/ai/embed -H 'Content-Type: application/json' -d '{"inputs": "opening times"}'
import { createServer } from 'node:http'
import { SentenceTransformer, util } from 'sentence-torch'
import { createHandler } from 'sentence-torch/serve'

const [source = 'all-MiniLM-L6-v2', port = '3000'] = process.argv.slice(2)
const answers = [
  'Order a replacement in the app, under Cards.',
  'We are open from 9 to 5.',
  'Rates are set every morning.',
]

const model = await SentenceTransformer.load(source)
const corpus = await model.encodeDocument(answers)
const handler = createHandler({ models: { [source]: model }, basePath: '/ai' })

/** The best answers to a question, as JSON. */
async function search(question) {
  const [hits] = await util.semanticSearch(await model.encodeQuery([question]), corpus, { topK: 2 })
  return JSON.stringify(hits.map(({ corpusId, score }) => ({ answer: answers[corpusId], score })))
}

const server = createServer((request, response) => {
  handler(request, response, () => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
    if (pathname !== '/search') return response.writeHead(404).end('GET /search?q=… or /ai/docs\n')
    search(searchParams.get('q') ?? '').then(
      (body) => response.writeHead(200, { 'Content-Type': 'application/json' }).end(body),
      (error) => response.writeHead(500).end(`${error.message}\n`),
    )
  })
})
server.listen(Number(port), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}`)
})

process.once('SIGTERM', async () => {
  server.close()
  await handler.drain()
  server.closeAllConnections()
  await model.dispose()
})
