// What one request may and may not do: against servers that are hostile, and a `fetch` that shows which host is told what.
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { HubFailure, HubRequests } from '../../lib/io/hub-fetch.js'
import { setProxies } from '../helpers/proxy.js'

// HF_HUB_DOWNLOAD_TIMEOUT and the global fetch belong to the process: the tests follow each other.
const serial = test.serial
delete process.env.HF_HUB_DOWNLOAD_TIMEOUT

const TOKEN = 'hf_secret'

async function serve(t: ExecutionContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** The bytes of a file that is listed with `size`. */
async function download(requests: HubRequests, url: string, size: number): Promise<Buffer> {
  const parts: Uint8Array[] = []
  await requests.download(url, size, async (chunks) => {
    for await (const chunk of chunks) parts.push(chunk)
  })
  return Buffer.concat(parts)
}

/** A `fetch` that answers by address, and what each address was told. */
function fakeFetch(t: ExecutionContext, answers: Record<string, () => Response>) {
  const told: [url: string, authorization: string | null][] = []
  const original = globalThis.fetch
  // Behind a proxy it is not Node's own fetch that asks: proxy.test.ts sees there who is told what.
  t.teardown(setProxies({}))
  globalThis.fetch = async (input, init) => {
    const url = String(input)
    told.push([url, new Headers(init?.headers).get('authorization')])
    const answer = answers[url]
    if (!answer) throw new TypeError(`unexpected ${url}`)
    return answer()
  }
  t.teardown(() => {
    globalThis.fetch = original
  })
  return told
}

const redirect = (location: string, headers: Record<string, string> = {}) => {
  return () => new Response(null, { status: 302, headers: { location, 'x-linked-etag': '"a"', ...headers } })
}

serial('the token goes to the endpoint alone, whatever host a redirect leads to, and comes back with it', async (t) => {
  const told = fakeFetch(t, {
    'https://hub.example/file': redirect('https://cdn.example/file', { 'x-cache': 'Hit from cloudfront' }),
    'https://cdn.example/file': redirect('https://hub.example:8443/file'),
    'https://hub.example:8443/file': redirect('https://hub.example.evil.example/file'),
    'https://hub.example.evil.example/file': redirect('https://hub.example/end'),
    'https://hub.example/end': () => new Response('bytes'),
  })
  const requests = new HubRequests('https://hub.example', TOKEN, undefined)
  t.is((await download(requests, 'https://hub.example/file', 5)).toString(), 'bytes')
  t.deepEqual(told, [
    ['https://hub.example/file', `Bearer ${TOKEN}`],
    ['https://cdn.example/file', null],
    ['https://hub.example:8443/file', null],
    ['https://hub.example.evil.example/file', null],
    ['https://hub.example/end', `Bearer ${TOKEN}`],
  ])
})

serial('the token does not go to the host of a next page, nor one that a client passes', async (t) => {
  const told = fakeFetch(t, { 'https://other.example/page?2': () => new Response('[]') })
  const requests = new HubRequests('https://hub.example', TOKEN, undefined)
  await requests.fetch('https://other.example/page?2', { headers: { Authorization: `Bearer ${TOKEN}` } })
  t.deepEqual(told, [['https://other.example/page?2', null]])
})

for (const [endpoint, location] of [
  ['https://hub.example', 'http://hub.example/file'],
  ['https://hub.example', 'http://cdn.example/file'],
  ['http://localhost:8080', 'http://localhost:8081/file'],
  ['http://localhost:8080', 'http://127.0.0.1:8080/file'],
  ['https://hub.example', 'file:///etc/passwd'],
  ['https://hub.example', 'data:text/plain,bytes'],
  ['https://hub.example', 'ftp://hub.example/file'],
  ['https://hub.example', 'http://'],
] as const) {
  serial(`${endpoint} may not redirect to ${location}`, async (t) => {
    const told = fakeFetch(t, {
      [`${endpoint}/file`]: redirect(location),
      [location]: () => new Response('bytes'),
    })
    const requests = new HubRequests(endpoint, TOKEN, undefined)
    await t.throwsAsync(download(requests, `${endpoint}/file`, 5), { instanceOf: HubFailure })
    t.deepEqual(told, [[`${endpoint}/file`, `Bearer ${TOKEN}`]])
  })
}

serial('an http endpoint may redirect to itself and to https; redirects end', async (t) => {
  fakeFetch(t, {
    'http://localhost:8080/file': redirect('/other'),
    'http://localhost:8080/other': redirect('https://cdn.example/file'),
    'https://cdn.example/file': () => new Response('bytes'),
    'http://localhost:8080/circle': redirect('/circle'),
  })
  const requests = new HubRequests('http://localhost:8080', undefined, undefined)
  t.is((await download(requests, 'http://localhost:8080/file', 5)).toString(), 'bytes')
  const circle = download(requests, 'http://localhost:8080/circle', 5)
  await t.throwsAsync(circle, { instanceOf: HubFailure, message: /more than 10 times/ })
})

serial('endpoints and time-outs that are none are refused by name; a password is not shown', (t) => {
  for (const endpoint of ['hub.example', 'ftp://hub.example', 'file:///hub', '', 'http://']) {
    const error = { code: 'ERR_INVALID_ARGUMENT', message: /HF_ENDPOINT/ }
    t.throws(() => new HubRequests(endpoint, undefined, undefined), error)
  }
  const error = t.throws(() => new HubRequests('https://me:secret@hub.example', undefined, undefined))
  t.notRegex(String(error?.stack), /secret/)
  for (const value of ['soon', '-1', 'NaN', '1e9']) {
    process.env.HF_HUB_DOWNLOAD_TIMEOUT = value
    const error = { code: 'ERR_INVALID_ARGUMENT', message: /HF_HUB_DOWNLOAD_TIMEOUT/ }
    t.throws(() => new HubRequests('https://hub.example', undefined, undefined), error)
  }
  delete process.env.HF_HUB_DOWNLOAD_TIMEOUT
})

/** Writes for ever, as fast as it is read. */
const endless: RequestListener = (_, response) => {
  const block = Buffer.alloc(64 * 1024)
  const write = () => {
    while (!response.destroyed && response.write(block));
  }
  response.on('drain', write)
  write()
}

const bodies: Record<string, { answer: RequestListener; message: RegExp }> = {
  'endless bytes': { answer: endless, message: /more bytes came than the 230 that are listed/ },
  'one byte more': { answer: (_, response) => response.end(Buffer.alloc(231)), message: /more bytes/ },
  'one byte less': { answer: (_, response) => response.end(Buffer.alloc(229)), message: /229 bytes came of 230/ },
  'no content': { answer: (_, response) => response.writeHead(204).end(), message: /status 204/ },
  'an empty body': { answer: (_, response) => response.end(), message: /0 bytes came of 230/ },
  'a part that nobody asked for': {
    answer: (_, response) => response.writeHead(206, { 'content-range': 'bytes 0-229/900' }).end(Buffer.alloc(230)),
    message: /status 206/,
  },
  'not modified': { answer: (_, response) => response.writeHead(304).end(), message: /status 304/ },
  'a redirect to nowhere': { answer: (_, response) => response.writeHead(302).end(), message: /status 302/ },
  'a status that is none': {
    answer: ({ socket }) => socket.end('HTTP/1.1 999 Odd\r\ncontent-length: 3\r\n\r\nodd'),
    message: /status 999/,
  },
  'what is no HTTP': { answer: ({ socket }) => socket.end('hello\r\n\r\n'), message: /./ },
  'a gzip bomb': {
    answer: (_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' })
      response.end(gzipSync(Buffer.alloc(200_000_000)))
    },
    message: /more bytes came/,
  },
  'bytes that are no gzip': {
    answer: (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(Buffer.alloc(230, 'x')),
    message: /./,
  },
  'a connection that ends in the middle': {
    answer: (_, response) => {
      response.writeHead(200, { 'content-length': 230 })
      response.write(Buffer.alloc(100), () => response.destroy())
    },
    message: /./,
  },
  'a connection that ends at once': { answer: ({ socket }) => socket.destroy(), message: /./ },
}
for (const [what, { answer, message }] of Object.entries(bodies)) {
  serial(`a file of 230 bytes: ${what}`, async (t) => {
    const url = await serve(t, answer)
    const before = process.memoryUsage.rss()
    const failed = download(new HubRequests(url, undefined, undefined), `${url}/file`, 230)
    await t.throwsAsync(failed, { instanceOf: HubFailure, message })
    t.true(process.memoryUsage.rss() - before < 256 * 2 ** 20)
  })
}

const answers: Record<string, { answer: RequestListener; message: RegExp }> = {
  'endless bytes': { answer: endless, message: /longer than 8388608 bytes/ },
  'a gzip bomb': {
    answer: bodies['a gzip bomb']!.answer,
    message: /longer than 8388608 bytes/,
  },
  'no content': { answer: (_, response) => response.writeHead(204).end(), message: /status 204/ },
  'an error of the server': { answer: (_, response) => response.writeHead(500).end('oops'), message: /status 500/ },
  'an error that never ends': {
    answer: (_, response) => {
      response.writeHead(503, { 'content-type': 'application/json' })
      response.write('{"error": "')
    },
    message: /status 503/,
  },
}
for (const [what, { answer, message }] of Object.entries(answers)) {
  serial(`an answer of the API: ${what}`, async (t) => {
    const url = await serve(t, answer)
    const failed = new HubRequests(url, undefined, undefined).fetch(`${url}/api`)
    await t.throwsAsync(failed, { instanceOf: HubFailure, message })
  })
}

const silences: Record<string, RequestListener> = {
  'before the answer': () => {},
  'in the middle': (_, response) => {
    response.writeHead(200)
    response.write(Buffer.alloc(5000))
  },
  'but for a byte now and then': (_, response) => {
    response.writeHead(200)
    const timer = setInterval(() => response.write('x'), 50)
    response.on('close', () => clearInterval(timer))
  },
  'behind a redirect': ({ url }, response) => {
    if (url === '/file') response.writeHead(302, { location: '/silent' }).end()
  },
}
for (const [when, answer] of Object.entries(silences)) {
  serial(`a server that is silent ${when} is given up; one that is slow is not`, async (t) => {
    process.env.HF_HUB_DOWNLOAD_TIMEOUT = '0.4'
    t.teardown(() => delete process.env.HF_HUB_DOWNLOAD_TIMEOUT)
    const url = await serve(t, (request, response) => {
      if (request.url !== '/slow') return answer(request, response)
      let parts = 0
      const timer = setInterval(() => {
        response.write(Buffer.alloc(1024))
        if (++parts < 8) return
        clearInterval(timer)
        response.end()
      }, 100)
    })
    const requests = new HubRequests(url, undefined, undefined)
    const error = { instanceOf: HubFailure, message: /silent for 0\.4 s/ }
    await t.throwsAsync(download(requests, `${url}/file`, 1e6), error)
    await t.throwsAsync(requests.fetch(`${url}/file`), error)
    t.is((await download(requests, `${url}/slow`, 8192)).length, 8192)
  })
}

serial('who takes the bytes may be slow', async (t) => {
  process.env.HF_HUB_DOWNLOAD_TIMEOUT = '0.2'
  t.teardown(() => delete process.env.HF_HUB_DOWNLOAD_TIMEOUT)
  const url = await serve(t, (_, response) => response.end(Buffer.alloc(500)))
  let bytes = 0
  await new HubRequests(url, undefined, undefined).download(`${url}/file`, 500, async (chunks) => {
    for await (const chunk of chunks) {
      await new Promise((resolve) => setTimeout(resolve, 600))
      bytes += chunk.length
    }
  })
  t.is(bytes, 500)
})

serial('what the taker of the bytes throws comes out as it is, and the server is left', async (t) => {
  let closed: (() => void) | undefined
  const left = new Promise<void>((resolve) => {
    closed = resolve
  })
  const url = await serve(t, (request, response) => {
    response.on('close', () => closed?.())
    endless(request, response)
  })
  const own = new TypeError('mine')
  const failed = new HubRequests(url, undefined, undefined).download(`${url}/file`, 1e12, async (chunks) => {
    for await (const _ of chunks) throw own
  })
  t.is(await t.throwsAsync(failed), own)
  await left
})
