// Queries of a service, here a server of this process.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { retryAfter } from '../../lib/io/requests.js'
import { type EndpointOptions, linesOf } from '../../lib/recipes/queries/chat.js'
import { EndpointGenerator } from '../../lib/recipes/queries/endpoint-generator.js'

interface Asked {
  headers: IncomingMessage['headers']
  body: { model: string; messages: { content: string }[]; [name: string]: unknown }
  at: number
}

type Answer = (asked: Asked, response: ServerResponse, count: number) => void

const say = (response: ServerResponse, content: string) =>
  response.end(JSON.stringify({ choices: [{ message: { role: 'assistant', content } }] }))

/** A generator that asks such a server. */
async function service(t: ExecutionContext, answer: Answer, options: Partial<EndpointOptions> = {}) {
  const asked: Asked[] = []
  let running = 0
  let most = 0
  const server = createServer(async (request, response) => {
    most = Math.max(most, ++running)
    response.on('close', () => running--)
    let text = ''
    for await (const piece of request) text += piece
    const one = { headers: request.headers, body: JSON.parse(text), at: performance.now() }
    asked.push(one)
    answer(one, response, asked.length)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.closeAllConnections())
  t.teardown(() => server.close())
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/`
  const generator = new EndpointGenerator({ baseUrl, model: 'm', ...options })
  return { asked, generator, most: () => most }
}

const request = { perPassage: 2, seed: 5 }

test('each passage is asked for, with key, prompt and seed; the answers are in order', async (t) => {
  process.env.TEST_QUERY_KEY = 'secret'
  const { asked, generator } = await service(
    t,
    ({ body }, response) => {
      const passage = body.messages[0]!.content.split(': ')[1]!
      setTimeout(
        () => say(response, `1. first of ${passage}\n\n- "second of ${passage}"\n3) third`),
        passage === 'a' ? 60 : 0,
      )
    },
    { keyVariable: 'TEST_QUERY_KEY', prompt: '{n} for: {passage}', parameters: { temperature: 0.3, seed: null } },
  )
  t.deepEqual(await generator.generate(['a', '{n}'], request), [
    ['first of a', 'second of a'],
    ['first of {n}', 'second of {n}'],
  ])
  const first = asked.find(({ body }) => body.messages[0]!.content.endsWith('a'))!
  t.is(first.headers.authorization, 'Bearer secret')
  t.deepEqual(first.body, {
    ...{ model: 'm', messages: [{ role: 'user', content: '2 for: a' }] as never },
    ...{ max_tokens: 128, top_p: 0.95, temperature: 0.3 },
  })
})

test('without a variable no key is sent; one that is not set is named', async (t) => {
  const { asked, generator } = await service(t, (_, response) => say(response, 'q'))
  await generator.generate(['a'], request)
  t.is(asked[0]!.headers.authorization, undefined)
  t.is(asked[0]!.body.seed, 5)
  const other = new EndpointGenerator({ baseUrl: 'http://127.0.0.1:1', model: 'm', keyVariable: 'TEST_NO_SUCH_KEY' })
  await t.throwsAsync(other.generate(['a'], request), { code: 'ERR_INVALID_ARGUMENT', message: /TEST_NO_SUCH_KEY/ })
})

test('a busy service is asked again, after the time that it names', async (t) => {
  const { asked, generator } = await service(t, (_, response, count) => {
    if (count === 1) response.writeHead(429, { 'retry-after': '1' }).end('slow down')
    else if (count === 2) response.writeHead(503, { 'retry-after': '0' }).end()
    else say(response, 'q')
  })
  t.deepEqual(await generator.generate(['a'], request), [['q']])
  t.is(asked.length, 3)
  t.true(asked[1]!.at - asked[0]!.at >= 990)
  t.true(asked[2]!.at - asked[1]!.at < 900)
})

test('after the last try the error has the status and what was said; other errors are not tried again', async (t) => {
  const busy = await service(t, (_, response) => response.writeHead(429, { 'retry-after': '0' }).end('quota'), {
    retries: 2,
  })
  await t.throwsAsync(busy.generator.generate(['a'], request), {
    code: 'ERR_NETWORK',
    message: /429, quota, .* 3 tries/,
  })
  t.is(busy.asked.length, 3)
  process.env.TEST_QUERY_KEY = 'secret'
  const refused = await service(t, (_, response) => response.writeHead(401).end('bad key'), {
    keyVariable: 'TEST_QUERY_KEY',
  })
  const error = await t.throwsAsync(refused.generator.generate(['a'], request), {
    code: 'ERR_NETWORK',
    message: /401, bad key/,
  })
  t.false(String(error!.stack).includes('secret'))
  t.is(refused.asked.length, 1)
  const other = await service(t, (_, response) => response.end('{"choices": []}'))
  await t.throwsAsync(other.generator.generate(['a'], request), { message: /choices\[0\]\.message\.content, found/ })
  const page = await service(t, (_, response) => response.end('<html>'))
  await t.throwsAsync(page.generator.generate(['a'], request), {
    code: 'ERR_NETWORK',
    message: /expected JSON, found <html>/,
  })
})

test('an answer without an end is refused', async (t) => {
  const { asked, generator } = await service(t, (_, response) => {
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(2 ** 16)));
    }
    response.on('drain', more)
    more()
  })
  await t.throwsAsync(generator.generate(['a'], request), { code: 'ERR_NETWORK', message: /longer than 8388608 bytes/ })
  t.is(asked.length, 1)
})

test('a redirect does not get the key', async (t) => {
  const { asked, generator } = await service(t, (_, response) => response.writeHead(307, { location: '/else' }).end())
  await t.throwsAsync(generator.generate(['a'], request), { code: 'ERR_NETWORK', message: /status 307/ })
  t.is(asked.length, 1)
})

test('no more requests than allowed are under way, and within a minute', async (t) => {
  const passages = Array.from({ length: 9 }, (_, i) => String(i))
  const slow: Answer = (_, response) => setTimeout(() => say(response, 'q'), 20)
  const three = await service(t, slow, { concurrency: 3 })
  await three.generator.generate(passages, request)
  t.is(three.most(), 3)
  const limited = await service(t, slow, { concurrency: 9, requestsPerMinute: 1200 })
  const start = performance.now()
  await limited.generator.generate(passages, request)
  // The ninth may begin 8 times 50 ms after the first.
  t.true(Math.max(...limited.asked.map(({ at }) => at)) - start >= 395)
})

test('a stop ends the waiting, and so does a service that is silent for too long', async (t) => {
  const { generator } = await service(t, (_, response) => response.writeHead(429, { 'retry-after': '60' }).end())
  const stop = new AbortController()
  setTimeout(() => stop.abort(), 50)
  await t.throwsAsync(generator.generate(['a'], { ...request, signal: stop.signal }), { code: 'ERR_ABORTED' })
  const silent = await service(t, () => {}, { timeout: 0.1, retries: 0 })
  await t.throwsAsync(silent.generator.generate(['a'], request), { code: 'ERR_NETWORK', message: /1 tries/ })
})

test('options and what stands in front of lines', (t) => {
  const make = (options: object) => () => new EndpointGenerator({ baseUrl: 'http://x', model: 'm', ...options })
  t.throws(make({ baseUrl: 'ftp://x' }), { code: 'ERR_INVALID_ARGUMENT', message: /baseUrl/ })
  const error = t.throws(make({ baseUrl: 'http://u:hidden@x' }), { code: 'ERR_INVALID_ARGUMENT' })
  t.false(error!.message.includes('hidden'))
  t.throws(make({ prompt: 'nothing' }), { message: /\{passage\}/ })
  t.throws(make({ concurency: 3 }), { code: 'ERR_UNKNOWN_OPTION', message: /concurrency/ })
  t.deepEqual(linesOf('  * a\n2) b\n\n1990 was a year\n"c"\n3.5 percent'), [
    'a',
    'b',
    '1990 was a year',
    'c',
    '3.5 percent',
  ])
  t.is(retryAfter('3'), 3)
  t.is(retryAfter('Wed, 21 Oct 2015 07:28:00 GMT', Date.parse('Wed, 21 Oct 2015 07:27:30 GMT')), 30)
  t.is(retryAfter('soon'), undefined)
})
