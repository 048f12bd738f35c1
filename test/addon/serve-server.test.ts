// How the server behaves: overload, closed clients, deadlines, draining, keys, origins, logs, hooks, versions, frameworks.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { packageRoot } from '#system'
import type { Tokenized } from '../../lib/data/pack.js'
import { type EncodeOptions, SentenceTransformer } from '../../lib/index.js'
import {
  createHandler,
  type LogRecord,
  loadModel,
  ServedModel,
  type ServeOptions,
  serve,
} from '../../lib/serve/index.js'
import { get, post, serveTiny, type TinyModels, tinyModels } from '../helpers/served-models.js'
import { tinyFolder } from '../helpers/tiny-folder.js'

let models: TinyModels
test.before(async () => {
  models = await tinyModels()
})
test.after.always(() => models.dispose())

/** A server that ends with its test. */
async function start(t: ExecutionContext, options: Partial<ServeOptions> = {}) {
  const server = await serveTiny(models, { drainTimeout: 1000, ...options })
  t.teardown(() => server.close())
  return server
}

/** A gate in front of the models' work. */
function gate() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  let waiting = 0
  const hooks = {
    async work<T>(_: unknown, run: () => Promise<T>): Promise<T> {
      waiting++
      await opened
      return run()
    },
  }
  const until = async (count: number) => {
    while (waiting < count) await wait(5)
  }
  return { hooks, open, until }
}

test('beyond maxConcurrentRequests texts it answers 429 with Retry-After, and what it has accepted', async (t) => {
  const { hooks, open, until } = gate()
  const server = await start(t, { maxConcurrentRequests: 4, hooks })
  const accepted = [
    post(`${server.url}/embed`, { inputs: ['cat', 'dog', 'cow'] }),
    post(`${server.url}/embed`, { inputs: 'red' }),
  ]
  await until(2)
  for (const path of ['/embed', '/v1/embeddings']) {
    const { status, header, json } = await post(server.url + path, { inputs: 'blue', input: 'blue' })
    t.is(status, 429)
    t.is(header('retry-after'), '1')
    if (path === '/embed') t.deepEqual(json, { error: 'Model is overloaded', error_type: 'Overloaded' })
    else t.is(json.error.type, 'rate_limit_error')
  }
  t.is((await post(`${server.url}/embed`, '{"inputs":')).status, 429, 'before the body is read')
  t.regex(server.handler.metrics(), /^te_queue_size 4$/m)
  t.is((await get(`${server.url}/health`)).status, 200)
  open()
  for (const { status } of await Promise.all(accepted)) t.is(status, 200)
  t.regex(server.handler.metrics(), /^te_request_failure\{err="overloaded"\} 3$/m)
  t.is(
    (await post(`${server.url}/embed`, { inputs: Array(9).fill('cat') })).status,
    200,
    'a batch beyond the limit passes alone',
  )
  t.regex(server.handler.metrics(), /^te_queue_size 0$/m)
  await server.close()
})

test('an answer that nobody reads keeps no other request from being answered', async (t) => {
  const { fetch: answer, metrics } = createHandler({ models: { tiny: models.embedder }, maxConcurrentRequests: 1 })
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"inputs":"cat"}' }
  const unread = await answer(new Request('http://x/embed_all', init))
  t.is(unread.status, 200)
  t.regex(metrics(), /^te_queue_size 0$/m)
  t.is((await answer(new Request('http://x/embed', init))).status, 200)
  await unread.body?.cancel()
})

test('the work of a client that has gone is dropped', async (t) => {
  const { hooks, open, until } = gate()
  const records: LogRecord[] = []
  const server = await start(t, { hooks, log: (record) => records.push(record) })
  const controller = new AbortController()
  const options = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"inputs":"cat"}' }
  const gone = fetch(`${server.url}/embed`, { ...options, signal: controller.signal })
  await until(1)
  controller.abort()
  const outcome = await gone.then(
    () => 'answered',
    () => 'gone',
  )
  t.is(outcome, 'gone')
  await wait(50)
  open()
  while (records.length === 0) await wait(5)
  t.is(records[0]!.status, 499)
  t.regex(server.handler.metrics(), /^te_request_failure\{err="dropped"\} 1$/m)
  t.notRegex(server.handler.metrics(), /^te_embed_success 1$/m)
  await server.close()
})

test('a hundred clients that go leave the queue, and a live one is answered', async (t) => {
  const { hooks, open, until } = gate()
  const records: LogRecord[] = []
  const server = await start(t, { hooks, log: (record) => record.path === '/embed' && records.push(record) })
  const controller = new AbortController()
  const body = JSON.stringify({ inputs: Array(5).fill('cat dog') })
  const options = { method: 'POST', headers: { 'content-type': 'application/json' }, body, signal: controller.signal }
  const gone = Array.from({ length: 100 }, () => fetch(`${server.url}/embed`, options).catch(() => 'gone'))
  await until(100)
  const inWork = async () => (await get(`${server.url}/status`)).json.textsInWork as number
  t.is(await inWork(), 500)
  controller.abort()
  t.deepEqual(await Promise.all(gone), Array(100).fill('gone'))
  await wait(200)
  open()
  t.is((await post(`${server.url}/embed`, { inputs: 'red' })).status, 200)
  while (records.length < 101) await wait(5)
  t.is(await inWork(), 0)
  t.is(records.filter(({ status }) => status === 499).length, 100)
  await server.close()
})

test('an answer that is ready when its client has gone counts as none that was sent', async (t) => {
  const { hooks, open, until } = gate()
  const records: LogRecord[] = []
  // The hook of a tracer may answer although the work was aborted.
  const request = async <T>(_: unknown, run: () => Promise<T>): Promise<T> => {
    const result = await run()
    await hooks.work(undefined, async () => {})
    return result
  }
  const server = await start(t, { hooks: { request }, log: (record) => records.push(record) })
  const controller = new AbortController()
  const options = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"inputs":"cat"}' }
  const gone = fetch(`${server.url}/embed`, { ...options, signal: controller.signal }).catch(() => 'gone')
  await until(1)
  controller.abort()
  t.is(await gone, 'gone')
  await wait(50)
  open()
  while (records.length === 0) await wait(5)
  t.is(records[0]!.status, 499)
  t.regex(server.handler.metrics(), /^te_request_failure\{err="dropped"\} 1$/m)
  await server.close()
})

test('a request beyond its deadline is answered by 429', async (t) => {
  const { hooks, open, until } = gate()
  const server = await start(t, { hooks, deadline: 300 })
  const answer = post(`${server.url}/embed`, { inputs: 'cat' })
  await until(1)
  await wait(500)
  open()
  const { status, json } = await answer
  t.is(status, 429)
  t.regex(json.error, /deadline/)
  await server.close()
})

test('close answers what is in work, refuses what is new, and ends', async (t) => {
  const { hooks, open, until } = gate()
  const server = await start(t, { hooks, drainTimeout: 60_000 })
  const answer = post(`${server.url}/embed`, { inputs: 'cat' })
  await until(1)
  const closed = server.close()
  await t.throwsAsync(fetch(`${server.url}/health`))
  t.is((await server.handler.fetch(new Request('http://x/ready'))).status, 503)
  open()
  const { status, header } = await answer
  t.is(status, 200)
  t.is(header('connection'), 'close')
  await closed
  await server.close()
})

test('close cuts off what takes longer than drainTimeout', async (t) => {
  const { hooks, open, until } = gate()
  const server = await start(t, { hooks, drainTimeout: 20 })
  const answer = t.throwsAsync(
    fetch(`${server.url}/embed`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"inputs":"cat"}',
    }),
  )
  await until(1)
  await server.close()
  open()
  await answer
})

test('keys: one of several, on all routes but those for probes; never in the log', async (t) => {
  const records: LogRecord[] = []
  const server = await start(t, { apiKeys: ['alpha', 'omega'], log: (record) => records.push(record) })
  const body = { inputs: 'cat', input: 'cat' }
  for (const key of ['alpha', 'omega']) {
    t.is((await post(`${server.url}/embed`, body, { authorization: `Bearer ${key}` })).status, 200)
  }
  for (const authorization of ['', 'Bearer ', 'Bearer beta', 'Bearer alphaomega', 'alpha', 'Basic alpha']) {
    const { status, header, json } = await post(`${server.url}/v1/embeddings`, body, { authorization })
    t.is(status, 401)
    t.is(header('www-authenticate'), 'Bearer')
    t.is(json.error.code, 'invalid_api_key')
  }
  for (const path of ['/info', '/v1/models']) t.is((await get(server.url + path)).status, 401)
  for (const path of ['/health', '/ping', '/ready', '/metrics', '/docs', '/openapi.json']) {
    t.is((await get(server.url + path)).status, 200)
  }
  t.true(records.length >= 14)
  t.notRegex(JSON.stringify(records), /alpha|omega|cat/)
  await server.close()
})

test('origins: none, one, or all', async (t) => {
  const ask = async (corsAllowOrigin: string[], origin: string) => {
    const { fetch: answer } = createHandler({ models: { tiny: models.embedder }, corsAllowOrigin })
    const headers = { origin, 'access-control-request-method': 'POST' }
    const preflight = await answer(new Request('http://x/embed', { method: 'OPTIONS', headers }))
    const found = await answer(new Request('http://x/health', { headers: { origin } }))
    t.is(preflight.status, 204)
    t.regex(preflight.headers.get('access-control-allow-headers')!, /\bx-model-version\b/)
    t.is(preflight.headers.get('access-control-allow-origin'), found.headers.get('access-control-allow-origin'))
    return found.headers.get('access-control-allow-origin')
  }
  t.is(await ask([], 'https://a.example'), null)
  t.is(await ask(['https://a.example'], 'https://a.example'), 'https://a.example')
  t.is(await ask(['https://a.example'], 'https://b.example'), null)
  t.is(await ask(['*'], 'https://b.example'), '*')
})

test('a request has its id in the answer and in the log, and the log the facts', async (t) => {
  const records: LogRecord[] = []
  const server = await start(t, { log: (record) => records.push(record) })
  const named = await post(`${server.url}/embed?key=secret`, { inputs: ['cat', 'dog'] }, { 'x-request-id': 'abc-1' })
  t.is(named.header('x-request-id'), 'abc-1')
  const other = await post(`${server.url}/embed`, { inputs: '' }, { 'x-request-id': 'two words' })
  t.regex(other.header('x-request-id')!, /^[0-9a-f-]{36}$/)
  t.like(records[0], {
    requestId: 'abc-1',
    path: '/embed',
    status: 200,
    model: 'tiny',
    version: '1',
    texts: 2,
    tokens: 6,
    level: 'INFO',
  })
  t.like(records[1], { status: 400, level: 'WARN', requestId: other.header('x-request-id') })
  await server.close()
})

test('hooks surround requests and work', async (t) => {
  const seen: unknown[] = []
  const { fetch: answer } = createHandler({
    models: { tiny: models.embedder },
    hooks: {
      async request({ method, route, headers }, run) {
        seen.push([method, route, headers.traceparent])
        const result = await run()
        seen.push(result.status)
        return result
      },
      async work(work, run) {
        seen.push(work)
        return run()
      },
    },
  })
  const headers = { 'content-type': 'application/json', traceparent: '00-1-2-01', 'x-request-id': 'q' }
  await answer(new Request('http://x/models/tiny/embed', { method: 'POST', headers, body: '{"inputs":"cat"}' }))
  t.deepEqual(seen, [
    ['POST', '/embed', '00-1-2-01'],
    { requestId: 'q', task: 'embed', model: 'tiny', version: '1', texts: 1, tokens: 3 },
    200,
  ])
})

test('a fault of the server tells its client nothing, and the log everything', async (t) => {
  const records: LogRecord[] = []
  const { fetch: answer } = createHandler({
    models: { tiny: models.embedder },
    log: (record) => records.push(record),
    hooks: { work: () => Promise.reject(new TypeError('secret')) },
  })
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"inputs":"cat"}' }
  const found = await answer(new Request('http://x/embed', init))
  t.is(found.status, 500)
  t.notRegex(await found.text(), /secret/)
  t.like(records[0], { level: 'ERROR', error: 'secret' })
  t.regex(records[0]!.stack!, /TypeError/)
})

test('a model is swapped between requests: each is answered by one version, which its header names', async (t) => {
  const { hooks, open, until } = gate()
  const served = new ServedModel(models.embedder, { version: 'a' })
  const server = await serve({ models: { tiny: served }, port: 0, hooks })
  const folder = await tinyFolder(join(models.folder, 'other'), 2)
  const other = await SentenceTransformer.load(folder)
  const old = post(`${server.url}/embed`, { inputs: 'cat' })
  await until(1)
  const swapped = served.swap(other)
  let isFree = false
  swapped.then(() => {
    isFree = true
  })
  const young = post(`${server.url}/embed`, { inputs: 'cat' })
  await until(2)
  t.false(isFree, 'the old version still has a request')
  open()
  const [before, after] = await Promise.all([old, young])
  await swapped
  t.is(before.header('x-model-version'), 'a')
  t.is(after.header('x-model-version'), '2')
  const options = { normalizeEmbeddings: true }
  t.deepEqual(Float32Array.from(before.json[0]), await models.embedder.encode('cat', options))
  t.deepEqual(Float32Array.from(after.json[0]), await other.encode('cat', options))
  t.is((await get(`${server.url}/info`)).json.model_version, '2')
  await t.throwsAsync(served.swap(models.reranker), { code: 'ERR_INVALID_ARGUMENT', message: /embedding/ })
  await server.close()
  await other.dispose()
})

test('a model that was disposed is unhealthy', async (t) => {
  const model = await SentenceTransformer.load(models.folder)
  const { fetch: answer } = createHandler({ models: { tiny: model } })
  t.is((await answer(new Request('http://x/health'))).status, 200)
  await model.dispose()
  const { status } = await answer(new Request('http://x/health'))
  t.is(status, 503)
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"inputs":"cat"}' }
  t.is((await answer(new Request('http://x/embed', init))).status, 503)
})

test('inside of another server: other paths are for the next handler, and a body that was parsed is taken', async (t) => {
  const handler = createHandler({ models: { tiny: models.embedder }, basePath: '/ai' })
  const server = createServer((asked, answer) => {
    if (asked.url?.startsWith('/ai/embed')) Object.assign(asked, { body: { inputs: 'cat' } })
    handler(asked, answer, () => answer.end('mine'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  t.is(await (await fetch(`${url}/other`)).text(), 'mine')
  t.is(await (await fetch(`${url}/aiembed`)).text(), 'mine')
  t.is((await post(`${url}/ai/embed`, 'not read')).json.length, 1)
  t.is((await get(`${url}/ai/health`)).status, 200)
  server.close()
  server.closeAllConnections()
})

test('a unix socket, also where a program has left one behind', async (t) => {
  const path = join(models.folder, 's')
  const left = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
  await t.throwsAsync(promisify(execFile)(process.execPath, ['-e', left]))
  const server = await start(t, { udsPath: path })
  t.is(server.url, `unix:${path}`)
  const answer = await new Promise<number | undefined>((resolve) => {
    request({ socketPath: path, path: '/health' }, ({ statusCode }) => resolve(statusCode)).end()
  })
  t.is(answer, 200)
  await t.throwsAsync(serveTiny(models, { udsPath: path }), { code: 'ERR_NETWORK', message: /another program/ })
  await server.close()
})

test('a unix socket takes the place of no file, and needs a folder', async (t) => {
  const path = join(models.folder, 'kept.txt')
  await writeFile(path, 'mine')
  const link = join(models.folder, 'link')
  await symlink(path, link)
  const code = 'ERR_NETWORK'
  for (const udsPath of [path, link]) {
    await t.throwsAsync(serveTiny(models, { udsPath }), { code, message: /is a file, not a socket/ })
  }
  await t.throwsAsync(serveTiny(models, { udsPath: models.folder }), { code, message: /is a folder, not a socket/ })
  t.is(await readFile(path, 'utf8'), 'mine')
  t.is(await readFile(link, 'utf8'), 'mine')
  const absent = join(models.folder, 'nowhere', 's')
  await t.throwsAsync(serveTiny(models, { udsPath: absent }), { code, message: /folder .*nowhere does not exist/ })
})

test('options are checked', async (t) => {
  const { embedder } = models
  const wrong: [object, RegExp][] = [
    [{ models: {} }, /models by name/],
    [{ models: { 'two words': embedder } }, /printable ASCII/],
    [
      { models: { a: {} } },
      /a SentenceTransformer, a SparseEncoder, a MultiVectorEncoder, a CrossEncoder or a TextClassifier/,
    ],
    [{ models: { a: embedder }, maxConcurrentRequests: 0 }, /maxConcurrentRequests/],
    [{ models: { a: embedder }, apiKeys: [''] }, /apiKeys/],
    [{ models: { a: embedder }, basePath: 'api' }, /basePath/],
    [{ models: { a: embedder }, corsAllowOrigin: ['a.example'] }, /origins such as/],
    [{ models: { a: embedder }, defaultPromptName: 'none' }, /query, document/],
    [{ models: { a: embedder }, maxClientBatch: 3 }, /maxClientBatchSize/],
  ]
  for (const [options, message] of wrong) t.throws(() => createHandler(options as never), { message })
  await t.throwsAsync(serve({ models: { a: embedder }, port: 70000 }), { code: 'ERR_INVALID_ARGUMENT' })
  await t.throwsAsync(serve({ models: { a: embedder }, hosts: 'x' } as never), { code: 'ERR_UNKNOWN_OPTION' })
})

test('maxBatchTokens reaches the engine, and changes no vector', async (t) => {
  const model = await SentenceTransformer.load(models.folder)
  const seen: unknown[] = []
  const encode = model.encodeTokens.bind(model) as (tokens: Tokenized, options: EncodeOptions) => Promise<unknown>
  Object.assign(model, {
    encodeTokens: (tokens: Tokenized, options: EncodeOptions) => {
      seen.push(options.maxBatchTokens)
      return encode(tokens, options)
    },
  })
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"inputs":["cat","dog"]}' }
  const answers = [null, 3].map(async (maxBatchTokens) => {
    const { fetch: answer } = createHandler({ models: { tiny: model }, maxBatchTokens })
    return (await answer(new Request('http://x/embed', init))).text()
  })
  const [usual, small] = await Promise.all(answers)
  t.is(usual, small)
  t.deepEqual(seen, [undefined, 3])
  await model.dispose()
})

test('loadModel knows what a folder holds', async (t) => {
  const folder = join(models.folder, 'classifier')
  await models.classifier.save(folder)
  for (const [path, name] of [
    [models.folder, 'SentenceTransformer'],
    [folder, 'TextClassifier'],
    [join(packageRoot, 'test/parity/golden/cross-encoder/one'), 'CrossEncoder'],
  ] as const) {
    const model = await loadModel(path)
    t.is(model.constructor.name, name)
    await model.dispose()
  }
})

test('the program serves models by name, logs in JSON, and ends with 0 after SIGTERM', async (t) => {
  const golden = join(packageRoot, 'test/parity/golden/cross-encoder/one')
  const words = [
    'serve',
    '--model',
    models.folder,
    '--served-model-name',
    'tiny',
    '--model',
    golden,
    '--served-model-name',
    'rank',
  ]
  const flags = [
    '--port',
    '0',
    '--json-output',
    '--auto-truncate',
    '--max-client-batch-size',
    '4',
    '--prometheus-port',
    '0',
  ]
  const program = spawn(process.execPath, [join(packageRoot, 'dist/bundle/cli.js'), ...words, ...flags], {
    env: { ...process.env, API_KEY: 'one,two' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let log = ''
  program.stderr.on('data', (piece) => {
    log += piece
  })
  const [url] = (await once(createInterface(program.stdout), 'line')) as [string]
  const headers = { authorization: 'Bearer two' }
  const { json } = await post(`${url}/embed`, { inputs: 'cat' }, headers)
  t.deepEqual(Float32Array.from(json[0]), await models.embedder.encode('cat', { normalizeEmbeddings: true }))
  t.is((await post(`${url}/rerank`, { query: 'a dog', texts: ['a dog'] }, headers)).header('x-model-name'), 'rank')
  t.is((await post(`${url}/embed`, { inputs: Array(5).fill('cat') }, headers)).status, 422)
  program.kill('SIGTERM')
  const [code] = await once(program, 'exit')
  t.is(code, 0, log)
  const lines = log
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as LogRecord)
  t.deepEqual(
    lines.filter(({ requestId }) => requestId === undefined).map(({ message }) => message.split(' ')[0]),
    ['loaded', 'loaded', 'listening', 'draining', 'ended'],
  )
  t.is(lines.filter(({ message }) => message === 'request').length, 3)
  t.notRegex(log, /"?(one|two)"?,|Bearer/)
})
