// What goes wrong, as tables: bodies, limits, and what is no HTTP. Every answer is as TEI's, or clearer, and the server lives on.
import { connect } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import test from 'ava'
import { type LogRecord, plainLine, type RunningServer } from '../../lib/serve/index.js'
import { post, serveTiny, type TinyModels, tinyModels } from '../helpers/served-models.js'

let models: TinyModels
let server: RunningServer
test.before(async () => {
  models = await tinyModels()
  server = await serveTiny(models)
})
test.afterEach(async (t) => {
  t.is((await post(`${server.url}/embed`, { inputs: 'cat' })).status, 200, 'it answers the next request')
})
test.after.always(async () => {
  await server.close()
  await models.dispose()
})

/** Bodies that are answered by an error of TEI's shape. */
const TEI: [what: string, path: string, body: unknown, status: number, type: string, message: RegExp][] = [
  ['no JSON', '/embed', '{"inputs": ', 400, 'Validation', /parse the request body as JSON/],
  ['bytes that are no UTF-8', '/embed', 'latin', 400, 'Validation', /JSON/],
  ['nothing', '/embed', '', 400, 'Validation', /JSON/],
  ['deep JSON', '/embed', `${'['.repeat(500_000)}`, 400, 'Validation', /JSON/],
  ['no object', '/embed', [1], 422, 'Validation', /a JSON object/],
  ['null', '/embed', 'null', 422, 'Validation', /a JSON object/],
  ['no inputs', '/embed', {}, 422, 'Validation', /missing field `inputs`/],
  [
    'inputs of the prototype',
    '/embed',
    '{"__proto__": {"inputs": "cat"}}',
    422,
    'Validation',
    /missing field `inputs`/,
  ],
  ['a number', '/embed', { inputs: 3 }, 422, 'Validation', /a string.*`inputs`, found 3/],
  ['a number among texts', '/embed', { inputs: ['cat', 3] }, 422, 'Validation', /`inputs\[1\]`/],
  ['a text among ids', '/embed', { inputs: [3, 'cat'] }, 422, 'Validation', /`inputs\[1\]`/],
  ['a negative id', '/embed', { inputs: [[-1]] }, 422, 'Validation', /token id/],
  ['an id beyond the vocabulary', '/embed', { inputs: [1, 1e9] }, 422, 'Validation', /tokens/],
  ['an empty text', '/embed', { inputs: '' }, 400, 'Empty', /`inputs` cannot be empty/],
  ['an empty text in a batch', '/embed', { inputs: ['cat', ''] }, 400, 'Empty', /cannot be empty/],
  ['no text', '/embed', { inputs: [] }, 400, 'Empty', /cannot be empty/],
  [
    '33 texts',
    '/embed',
    { inputs: Array(33).fill('cat') },
    422,
    'Validation',
    /batch size 33 > maximum allowed batch size 32/,
  ],
  ['half a million texts', '/embed', { inputs: Array(400_000).fill('a') }, 422, 'Validation', /batch size 400000/],
  [
    'a long text',
    '/embed',
    { inputs: 'cat '.repeat(99), truncate: false },
    422,
    'Validation',
    /less than 24 tokens. Given: 101/,
  ],
  [
    'a very long text',
    '/embed',
    { inputs: 'x'.repeat(1e6), truncate: false },
    422,
    'Validation',
    /less than 6000 characters/,
  ],
  ['dimensions 0', '/embed', { inputs: 'cat', dimensions: 0 }, 422, 'Validation', /`dimensions` should be positive/],
  ['too many dimensions', '/embed', { inputs: 'cat', dimensions: 33 }, 422, 'Validation', /smaller than the maximum/],
  ['half a dimension', '/embed', { inputs: 'cat', dimensions: 1.5 }, 422, 'Validation', /`dimensions`/],
  ['an unknown prompt', '/embed', { inputs: 'cat', prompt_name: 'toString' }, 422, 'Validation', /query, document/],
  [
    'an unknown direction',
    '/embed',
    { inputs: 'cat', truncation_direction: 'up' },
    422,
    'Validation',
    /"left", "right"/,
  ],
  ['a text as a flag', '/embed', { inputs: 'cat', normalize: 'yes' }, 422, 'Validation', /true or false/],
  ['an unknown model', '/embed', { inputs: 'cat', model: 'tinny' }, 404, 'Validation', /did you mean tiny/],
  [
    'a model with another task',
    '/embed',
    { inputs: 'cat', model: 'reranker' },
    424,
    'Backend',
    /not an embedding model/,
  ],
  [
    'a model that does not rank',
    '/rerank',
    { query: 'a', texts: ['b'], model: 'tiny' },
    424,
    'Backend',
    /not a re-ranker/,
  ],
  ['no query', '/rerank', { texts: ['cat'] }, 422, 'Validation', /missing field `query`/],
  ['no texts', '/rerank', { query: 'cat', texts: [] }, 400, 'Empty', /`texts` cannot be empty/],
  [
    'a long pair',
    '/rerank',
    { query: 'cat', texts: ['dog '.repeat(2000)], truncate: false },
    422,
    'Validation',
    /tokens/,
  ],
  ['a triple', '/predict', { inputs: ['a', 'b', 'c'] }, 422, 'Validation', /\[string, string\]/],
  [
    'a pair for a classifier of texts',
    '/predict',
    { inputs: ['a', 'b'], model: 'classifier' },
    422,
    'Validation',
    /no pairs/,
  ],
  ['no sentences', '/similarity', { inputs: { source_sentence: 'a', sentences: [] } }, 400, 'Empty', /sentences/],
  [
    'a sentence too many',
    '/similarity',
    { inputs: { source_sentence: 'a', sentences: Array(32).fill('b') } },
    422,
    'Validation',
    /33/,
  ],
  ['a text as ids', '/decode', { ids: 'cat' }, 422, 'Validation', /token ids/],
  ['a path that is not there', '/embedd', { inputs: 'cat' }, 404, 'Validation', /There is no POST \/embedd/],
  ['a path that is not encoded', '/%E0%A4%A', { inputs: 'cat' }, 400, 'Validation', /URL/],
]

for (const [what, path, body, status, type, message] of TEI) {
  test(`${path}: ${what}`, async (t) => {
    const sent =
      body === 'latin' ? Buffer.from([0x22, 0xff, 0x22]) : typeof body === 'string' ? body : JSON.stringify(body)
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(server.url + path, { method: 'POST', headers, body: sent })
    const json = (await response.json()) as { error: string; error_type: string }
    t.is(response.status, status, json.error)
    t.deepEqual(Object.keys(json), ['error', 'error_type'])
    t.is(json.error_type, type)
    t.regex(json.error, message)
    t.true(json.error.length < 500)
  })
}

const OPENAI: [what: string, body: unknown, status: number, param: string | null, code: string | null][] = [
  ['no input', {}, 422, 'input', null],
  ['an empty input', { input: '' }, 400, 'input', null],
  ['an unknown model', { input: 'cat', model: 'text-embedding-3-small' }, 404, 'model', 'model_not_found'],
  ['an unknown format', { input: 'cat', encoding_format: 'int8' }, 422, 'encoding_format', null],
  ['a batch too large', { input: Array(33).fill('cat') }, 422, null, 'batch_size'],
]

for (const [what, body, status, param, code] of OPENAI) {
  test(`/v1/embeddings: ${what}, in OpenAI's shape`, async (t) => {
    const { status: found, json } = await post(`${server.url}/v1/embeddings`, body)
    t.is(found, status)
    t.like(json, { error: { type: 'invalid_request_error', param, code } })
    t.is(typeof json.error.message, 'string')
  })
}

test("/v1/rerank: Cohere's message beside OpenAI's", async (t) => {
  const { status, json } = await post(`${server.url}/v1/rerank`, { query: 'cat', documents: [{}] })
  t.is(status, 422)
  t.regex(json.message, /`documents\[0\]`/)
  t.is(json.error.message, json.message)
})

test('bodies that are no JSON by their type, or are packed, and other methods', async (t) => {
  const body = JSON.stringify({ inputs: 'cat' })
  const url = `${server.url}/embed`
  t.is((await fetch(url, { method: 'POST', body })).status, 415)
  t.is((await post(url, body, { 'content-encoding': 'gzip' })).status, 415)
  const put = await fetch(url, { method: 'PUT', body })
  t.is(put.status, 405)
  t.is(put.headers.get('allow'), 'POST')
  t.is((await fetch(url)).status, 405)
  t.is((await fetch(`${server.url}/health`, { method: 'HEAD' })).status, 200)
})

test('a body beyond the limit is 413, whether its length is told or not', async (t) => {
  const text = 'x'.repeat(10_000_000)
  const { status, json } = await post(`${server.url}/embed`, { inputs: text })
  t.is(status, 413)
  t.regex(json.error, /payload limit of 2000000/)
  const pieces = new ReadableStream({
    start(controller) {
      for (let i = 0; i < 30; i++) controller.enqueue(Buffer.alloc(100_000, 'x'))
      controller.close()
    },
  })
  const options = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: pieces,
    duplex: 'half' as const,
  }
  t.is((await fetch(`${server.url}/embed`, options)).status, 413)
})

test.serial('a payloadLimit beyond 64 MiB is what it says', async (t) => {
  const { url, close } = await serveTiny(models, { payloadLimit: 66 * 2 ** 20 })
  const body = (size: number) => `${' '.repeat(size)}{"inputs":"cat"}`
  t.is((await post(`${url}/embed`, body(65 * 2 ** 20))).status, 200)
  t.is((await post(`${url}/embed`, body(67 * 2 ** 20))).status, 413)
  await close()
})

test.serial('no log has what a client sent', async (t) => {
  const records: LogRecord[] = []
  const { url, close } = await serveTiny(models, { log: (record) => records.push(record) })
  const send = async (path: string, body: unknown, status: number) =>
    t.is((await post(url + path, body)).status, status, JSON.stringify(body))
  await send('/embed', '{"inputs": secret}', 400)
  await send('/embed', '"secret"', 422)
  await send('/embed', { inputs: 'cat', truncate: 'secret' }, 422)
  await send('/embed', { inputs: 'cat', prompt_name: 'secret' }, 422)
  await send('/v1/embeddings', { input: 'cat', model: 'secret' }, 404)
  await close()
  t.is(records.length, 5)
  t.notRegex(JSON.stringify(records), /secret/)
  t.like(records[0], { status: 400, error: 'Validation' })
  t.like(records[2], { status: 422, error: 'Validation', param: 'truncate' })
  t.like(records[4], { status: 404, error: 'Validation', code: 'model_not_found' })
})

test.serial('a line break in an error makes no second record of the plain log', (t) => {
  const stack = 'Error: cat\n2026-01-01 INFO forged\r\u20282026-01-01 INFO forged\u001b[2K\n    at run (a.js:1:1)'
  const line = plainLine({ timestamp: 'now', level: 'ERROR', message: 'request', error: 'cat\nforged', stack })
  const [record, ...others] = line.trimEnd().split(/[\n\r\u2028]/)
  t.is(record, 'now ERROR request error="cat\\nforged"')
  t.is(others.length, 4)
  for (const each of others) t.regex(each, /^ {4}\P{Cc}+$/u)
})

/** What the server says to bytes, until it closes the connection. */
async function raw(bytes: string | Buffer, { ends = false, url = server.url } = {}): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  let text = ''
  socket.on('data', (piece) => {
    text += piece.toString('latin1')
  })
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()))
  // A reset is a way to close, too.
  socket.on('error', () => {})
  socket.write(bytes)
  if (ends) socket.end()
  await Promise.race([closed, wait(15_000)])
  socket.destroy()
  return text
}

const POST = 'POST /embed HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n'

test.serial('headers that never end, and bodies that never come, are cut off by 408', async (t) => {
  const { url, close } = await serveTiny(models, { headersTimeout: 300, requestTimeout: 600 })
  const [headers, body] = await Promise.all([
    raw('GET /health HTTP/1.1\r\nx: ', { url }),
    raw(`${POST}content-length: 90\r\n\r\n{"inp`, { url }),
  ])
  t.regex(headers, /^HTTP\/1\.1 408 /)
  t.regex(headers, /"error":"The request did not arrive in time"/)
  t.true(body === '' || /^HTTP\/1\.1 408 /.test(body), body)
  await close()
})

test.serial('headers beyond 16 KiB are 431; what is no HTTP is 400', async (t) => {
  t.regex(await raw(`GET /health HTTP/1.1\r\nx: ${'a'.repeat(100_000)}\r\n\r\n`), /^HTTP\/1\.1 431 /)
  t.regex(await raw(`GET /health HTTP/1.1\r\n${'a: b\r\n'.repeat(10_000)}\r\n`), /^HTTP\/1\.1 431 /)
  t.regex(await raw('\x16\x03\x01\x02\x00\x01\x00'), /^HTTP\/1\.1 400 /)
  t.regex(await raw('GET /health HTTP/1.1\r\ncontent-length: -1\r\n\r\n'), /^HTTP\/1\.1 400 /)
  const smuggled = `${POST}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`
  t.regex(await raw(smuggled), /^HTTP\/1\.1 400 /)
})

test.serial('a client that closes its side, or goes in the middle of a body, harms nobody', async (t) => {
  const body = JSON.stringify({ inputs: 'cat' })
  await raw(`${POST}content-length: ${body.length}\r\n\r\n${body}`, { ends: true })
  await raw(`${POST}content-length: 90\r\n\r\n{"inp`, { ends: true })
  t.pass()
})
