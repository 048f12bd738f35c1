// `train --watch`: the page of a training that runs.
import { existsSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { run } from '../../lib/cli/run.js'
import { Chromium, findChromium } from '../helpers/chromium.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

/** Calls the program with a config for `steps` steps. */
async function start(t: ExecutionContext, args: readonly string[], steps: number) {
  const folder = await temporaryFolder(t)
  const model = await tinyFolder(join(folder, 'tiny'))
  const rows = tinyWords.map((word) => JSON.stringify({ one: `the ${word}`, two: `a ${word}` }))
  writeFileSync(join(folder, 'rows.jsonl'), rows.join('\n'))
  const training = { maxSteps: steps, loggingSteps: 5, perDeviceTrainBatchSize: 8, saveStrategy: 'no' }
  const config = { model, outputDir: join(folder, 'run'), train: join(folder, 'rows.jsonl'), training }
  writeFileSync(join(folder, 'a.json'), JSON.stringify(config))
  const stop = new AbortController()
  let err = ''
  const code = run(['train', ...args, join(folder, 'a.json')], {
    out: () => {},
    err: (text) => {
      err += text
    },
    signal: stop.signal,
  })
  // A test that fails must not leave its training behind: it would keep the processor from all other tests.
  t.teardown(async () => {
    stop.abort()
    await code
  })
  const line = async (pattern: RegExp) => {
    for (let i = 0; i < 1200; i++) {
      const found = pattern.exec(err)
      if (found) return found
      await wait(100)
    }
    throw new Error(`no ${pattern} in ${err}`)
  }
  return { folder, stop, code, line, text: () => err }
}

const isServed = (url: string) =>
  fetch(url).then(
    async (answer) => (await answer.text()) !== '',
    () => false,
  )

const program = findChromium()
const withBrowser = program === undefined ? test.skip : test.serial

withBrowser('a figure changes in a browser while the training runs, and the server ends with it', async (t) => {
  const { stop, code, line } = await start(t, ['--watch'], 1_000_000)
  const [, url] = await line(/^(http:\/\/127\.0\.0\.1:\d+\/) shows the training$/m)
  const browser = await Chromium.open(program!)
  t.teardown(() => browser.close())
  const page = await browser.page(url!, { width: 800 })
  const curve = () =>
    page.evaluate<string>(
      "document.querySelector('#training svg path[stroke-width=\"2\"]')?.getAttribute('d') ?? document.body.innerText.slice(0, 0)",
    )
  const seen = new Set<string>()
  for (let i = 0; i < 1200 && seen.size < 3; i++) {
    seen.add(await curve())
    await wait(100)
  }
  t.is(seen.size, 3)
  t.regex(await page.evaluate("document.querySelector('#manifest').innerText"), /running/)
  stop.abort()
  t.is(await code, 1)
  const state = () => page.evaluate<string>("document.querySelector('#manifest').innerText")
  for (let i = 0; i < 50 && !/interrupted/.test(await state()); i++) await wait(100)
  t.regex(await state(), /interrupted/)
  t.deepEqual(
    page.problems.filter((problem) => !problem.includes('ERR_CONNECTION_REFUSED')),
    [],
  )
  t.false(await isServed(url!))
})

test.serial('with --stay the page is there until Ctrl-C, which is then no failure', async (t) => {
  const { stop, code, line } = await start(t, ['--stay', '--watch', '0'], 2)
  const [, url] = await line(/^(http:\S+) stays until Ctrl-C$/m)
  t.true(await isServed(url!))
  stop.abort()
  t.is(await code, 0)
  t.false(await isServed(url!))
})

test.serial('a port in use, no port and --stay alone are told, and nothing is written', async (t) => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }
  for (const [args, expected, message] of [
    [['--watch', String(port)], 1, /another program uses it/],
    [['--watch', '70000'], 2, /--watch takes a port up to 65535, not 70000/],
    [['--watch', '-1'], 2, /--watch takes a whole number of at least 0/],
    [['--watch=x'], 2, /--watch takes a whole number/],
    [['--stay'], 2, /--stay is for --watch/],
  ] as const) {
    const { folder, code, text } = await start(t, args, 1)
    t.is(await code, expected, args.join(' '))
    t.regex(text(), message)
    t.false(existsSync(join(folder, 'run')))
  }
})
