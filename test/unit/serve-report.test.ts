// The page of a running training: what it shows, what it refuses, and that it changes in a browser.
import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import * as report from '../../lib/report/index.js'
import { Chromium, findChromium } from '../helpers/chromium.js'
import { FAINT } from '../helpers/in-browser.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { HOSTILE } from '../helpers/run-folders.js'

async function served(t: ExecutionContext) {
  const folder = await temporaryFolder(t)
  const page = await report.serveReport(folder)
  t.teardown(() => page.close())
  return { folder, page, port: Number(new URL(page.url).port) }
}

const begun = (folder: string) =>
  report.RunFolder.create(folder, { manifest: { recipe: `sts ${HOSTILE}` }, config: `note: ${HOSTILE}` })
const logged = (folder: string, steps: readonly number[]) =>
  appendFile(join(folder, 'log.jsonl'), steps.map((step) => `${JSON.stringify({ loss: 1 / step, step })}\n`).join(''))

/** What the server answers to these bytes, up to the end of the connection. */
async function answerTo(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.setTimeout(15_000, () => socket.destroy(new Error('no answer')))
  socket.write(text)
  let found = ''
  for await (const piece of socket) found += String(piece)
  return found
}

test('the page follows the run: not begun, begun, with more steps, finished', async (t) => {
  const { folder, page } = await served(t)
  t.regex(await (await fetch(page.url)).text(), /The run has not begun yet/)
  const run = await begun(folder)
  const until = async (expected: RegExp) => {
    for (let i = 0; i < 100; i++) {
      const answer = await fetch(page.url)
      const text = await answer.text()
      if (expected.test(text)) return { tag: answer.headers.get('etag')!, text }
      await wait(100)
    }
    return t.fail(`no ${expected}`) as never
  }
  const first = await until(/This run has not ended/)
  t.false(first.text.includes('id="training"'))
  await logged(folder, [1, 2, 3])
  const second = await until(/<section id="training">/)
  t.not(second.tag, first.tag)
  t.is((await fetch(page.url, { headers: { 'If-None-Match': second.tag } })).status, 304)
  await run.finish()
  const last = await until(/state<\/dt><dd>finished/)
  t.not(last.tag, second.tag)
  // A damaged folder is told, and does not end the server.
  await writeFile(join(folder, 'run.json'), '{')
  await until(/run\.json is not valid JSON/)
})

test('one script with a nonce of its own for every answer, and hostile texts stay texts', async (t) => {
  const { folder, page } = await served(t)
  await begun(folder)
  const nonces = new Set<string>()
  for (let i = 0; i < 2; i++) {
    const answer = await fetch(page.url)
    const text = await answer.text()
    const policy = answer.headers.get('content-security-policy')!
    const [, nonce] = /script-src 'nonce-([^']+)'/.exec(policy)!
    t.regex(policy, /^default-src 'none';.* frame-ancestors 'none'$/)
    t.deepEqual(text.match(/<script[^>]*>/g), [`<script nonce="${nonce}">`])
    t.is(answer.headers.get('access-control-allow-origin'), null)
    nonces.add(nonce!)
  }
  t.is(nonces.size, 2)
  t.notRegex(await readFile(await report.writeReport(folder), 'utf8'), /<script|nonce/)
})

test('hostile requests are refused, and nothing of them is read', async (t) => {
  const { folder, port } = await served(t)
  await begun(folder)
  const head = `Host: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`
  const status = async (text: string) => /^HTTP\/1\.1 (\d+)/.exec(await answerTo(port, text))?.[1]
  t.is(await status(`GET / HTTP/1.1\r\n${head}`), '200')
  t.is(await status(`GET / HTTP/1.1\r\nHost: LOCALHOST:${port}\r\nConnection: close\r\n\r\n`), '200')
  for (const path of [
    ...['/run.json', '/../run.json', '/..%2f..%2fetc/passwd', '/%2e%2e/run.json', '//', '/?x', '/\\..\\run.json'],
    ...['*', 'http://127.0.0.1/', '/log.jsonl%00'],
  ]) {
    t.is(await status(`GET ${path} HTTP/1.1\r\n${head}`), '404', path)
  }
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'PROPFIND'])
    t.is(await status(`${method} / HTTP/1.1\r\n${head}`), '405', method)
  // A name that points to this machine (DNS rebinding), another port, no name, two names.
  for (const host of ['evil.example', `evil.example:${port}`, '127.0.0.1', `127.0.0.1:${port + 1}`, '[::1]'])
    t.is(await status(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`), '403', host)
  t.is(await status('GET / HTTP/1.1\r\nConnection: close\r\n\r\n'), '400')
  t.is(await status(`GET / HTTP/1.1\r\nHost: evil.example\r\n${head}`), '403')
  t.is(await status(`GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n${head}`), '431')
  t.is(await status(`GET /${'x'.repeat(20_000)} HTTP/1.1\r\n${head}`), '431')
  t.is(await status('\x16\x03\x01\x02\x00 nonsense\r\n\r\n'), '400')
  const empty = await answerTo(port, `HEAD / HTTP/1.1\r\n${head}`)
  t.regex(empty, /^HTTP\/1\.1 200/)
  t.is(empty.split('\r\n\r\n')[1], '')
  // A socket that would change its protocol stays one of HTTP.
  t.notRegex(
    await answerTo(
      port,
      `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n`,
    ),
    /^HTTP\/1\.1 101/,
  )
})

test('connections that say nothing, or too slowly, do not keep others out', async (t) => {
  const { folder, page, port } = await served(t)
  await begun(folder)
  const sockets: Socket[] = []
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  for (let i = 0; i < 200; i++) {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    if (i % 2 === 0) socket.write('GET / HTTP/1.1\r\nHost: ')
    sockets.push(socket)
  }
  await wait(500)
  let status = 0
  for (let i = 0; i < 40 && status !== 200; i++) {
    status = await fetch(page.url).then(
      (answer) => answer.status,
      () => 0,
    )
    if (status !== 200) await wait(500)
  }
  t.is(status, 200)
})

test('only this machine is served; a port in use is told; wrong options are refused', async (t) => {
  const { folder, page, port } = await served(t)
  t.is(new URL(page.url).hostname, '127.0.0.1')
  const outer = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)
  if (outer) {
    const reached = await new Promise((resolve) => {
      connect(port, outer.address)
        .on('connect', () => resolve(true))
        .on('error', () => resolve(false))
    })
    t.false(reached)
  }
  await t.throwsAsync(report.serveReport(folder, { port }), { code: 'ERR_NETWORK', message: /another program uses it/ })
  await t.throwsAsync(report.serveReport(folder, { port: 70_000 }), { code: 'ERR_INVALID_ARGUMENT', message: /port/ })
  await t.throwsAsync(report.serveReport(folder, { prot: 1 } as object), { code: 'ERR_UNKNOWN_OPTION' })
  const other = createServer()
  await page.close()
  await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve))
  other.close()
  t.pass()
})

const program = findChromium()
const withBrowser = program === undefined ? test.skip : test.serial

for (const [theme, width] of [
  ['light', 1280],
  ['dark', 360],
] as const) {
  withBrowser(`a curve grows in a browser while the run goes on: ${theme}, ${width} px`, async (t) => {
    const { folder, page } = await served(t)
    const run = await begun(folder)
    await logged(folder, [1, 2, 3])
    await run.writeFigure('pairs', { kind: 'pairs', title: HOSTILE, pairs: [{ text1: HOSTILE, text2: 'a' }] })
    const browser = await Chromium.open(program!)
    t.teardown(() => browser.close())
    const opened = await browser.page(page.url, { width, dark: theme === 'dark' })
    const points = () =>
      opened.evaluate<number>(
        "(document.querySelector('#training svg path[stroke-width=\"2\"]')?.getAttribute('d').match(/[\\d.]+,/g) ?? []).length",
      )
    const until = async (count: number) => {
      for (let i = 0; i < 150 && (await points()) !== count; i++) await wait(100)
      t.is(await points(), count)
    }
    await until(3)
    await opened.evaluate("document.querySelector('#config').mine = 'kept'")
    await logged(folder, [4, 5, 6, 7])
    await until(7)
    // What has not changed is the same element still.
    t.is(await opened.evaluate("document.querySelector('#config').mine"), 'kept')
    t.deepEqual(await opened.evaluate(FAINT), [])
    t.true((await opened.evaluate<number>('document.documentElement.scrollWidth')) <= width)
    await run.finish()
    await page.close()
    const state = () => opened.evaluate<string>("document.querySelector('#manifest').innerText")
    for (let i = 0; i < 50 && !/finished/.test(await state()); i++) await wait(100)
    t.regex(await state(), /finished/)
    for (let i = 0; i < 50 && !(await opened.evaluate("document.getElementById('live').innerText")); i++)
      await wait(100)
    t.regex(await opened.evaluate("document.getElementById('live').innerText"), /no longer served/)
    t.deepEqual(await opened.evaluate(FAINT), [])
    t.is(await opened.evaluate('window.hacked'), undefined)
    t.deepEqual(
      [...new Set(opened.requests)].filter((url) => url !== page.url && !url.startsWith('data:')),
      [],
    )
    // The browser itself tells that nobody answers any more.
    t.deepEqual(
      opened.problems.filter((problem) => !/ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_SOCKET/.test(problem)),
      [],
    )
  })
}
