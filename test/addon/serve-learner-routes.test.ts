// A server that learns: feedback over HTTP, versions in answers, and the page that shows them.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { packageRoot } from '#system'
import { type evaluation, SentenceTransformer } from '../../lib/index.js'
import { createHandler, Learner, ServedModel, serve } from '../../lib/serve/index.js'
import { Chromium, findChromium } from '../helpers/chromium.js'
import { FAINT } from '../helpers/in-browser.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { get, post } from '../helpers/served-models.js'
import { tinyFolder } from '../helpers/tiny-folder.js'

const PAIRS = ['cat', 'dog', 'cow', 'red', 'blue', 'milk'].map((word) => ({
  query: `a ${word}`,
  positive: `the ${word} is`,
}))

/** Every version is better than the one before. */
function rising(): evaluation.Evaluator {
  let value = 0
  return { evaluate: async () => ({ metrics: { score: value++ }, primaryMetric: 'score' }) }
}

async function learning(t: ExecutionContext, { every = 0, apiKeys = [] as string[] } = {}) {
  const folder = await temporaryFolder(t)
  const model = await SentenceTransformer.load(await tinyFolder(join(folder, 'tiny')))
  const still = await SentenceTransformer.load(join(folder, 'tiny'))
  const served = new ServedModel(model)
  const args = { perDeviceTrainBatchSize: 3, learningRate: 1e-2 }
  const learner = await Learner.start({ served, folder: join(folder, 'learner'), evaluator: rising(), every, args })
  const server = await serve({ models: { tiny: served, still }, learners: { tiny: learner }, port: 0, apiKeys })
  t.teardown(async () => {
    await server.close()
    await learner.dispose()
    await Promise.all([model, still].map((each) => each.dispose()))
  })
  return {
    server,
    learner,
    served,
    ask: (path: string, body: unknown, headers = {}) => post(server.url + path, body, headers),
  }
}

async function waiting(learner: Learner): Promise<void> {
  while (learner.status().state !== 'waiting' || learner.status().rounds.length === 0) await wait(10)
}

test('feedback, a new version, a roll-back; each answer says its version, and a client may insist on one', async (t) => {
  const { server, learner, ask } = await learning(t, { every: 6 })
  const first = await ask('/embed', { inputs: 'a cat' })
  t.is(first.header('x-model-version'), '1')
  const one = await ask('/feedback', PAIRS[0])
  t.deepEqual([one.status, one.json], [200, { accepted: 1, pending: 1, version: '1' }])
  t.is((await ask('/models/tiny/feedback', { pairs: PAIRS.slice(1), model: null })).json.pending, 6)
  await waiting(learner)
  const second = await ask('/embed', { inputs: 'a cat' })
  t.is(second.header('x-model-version'), '2')
  t.notDeepEqual(second.json, first.json)
  const info = await get(`${server.url}/info`)
  t.is(info.json.model_version, '2')

  const insisting = await ask('/embed', { inputs: 'a cat' }, { 'x-model-version': '1' })
  t.is(insisting.status, 412)
  t.regex(insisting.json.error, /tiny is served in version 2, not in "1"/)
  t.is(insisting.header('x-model-version'), '2')
  t.is((await ask('/v1/embeddings', { input: 'a cat' }, { 'x-model-version': '2' })).status, 200)

  const back = await ask('/rollback', {})
  t.deepEqual([back.status, back.json], [200, { version: '1' }])
  t.deepEqual((await ask('/embed', { inputs: 'a cat' })).json, first.json)
  t.is((await ask('/rollback', {})).status, 409)
})

test('a training is asked for, and the status tells its end', async (t) => {
  const { server, learner, ask } = await learning(t)
  const early = await ask('/learn', {})
  t.is(early.status, 422)
  await ask('/feedback', { pairs: PAIRS })
  const begun = await ask('/learn', { model: 'tiny' })
  t.is(begun.status, 202)
  await waiting(learner)
  const { json } = await get(`${server.url}/status`)
  const [tiny, still] = json.models
  t.like(tiny, { name: 'tiny', task: 'embedding', version: '2' })
  t.like(tiny.learner, { version: '2', previous: '1', state: 'waiting', feedback: 6, pending: 0 })
  t.like(tiny.learner.rounds[0], { outcome: 'swapped', metric: 'score', before: 0, after: 1, pairs: 6 })
  t.like(still, { name: 'still', version: '1' })
  t.false('learner' in still)
})

test('what cannot be used is answered, and nothing of it is kept', async (t) => {
  const { learner, ask } = await learning(t)
  for (const [body, status, message] of [
    [{}, 422, /query/],
    [{ query: 'a cat' }, 422, /positive/],
    [{ query: ' ', positive: 'a' }, 422, /query/],
    [{ query: 'a', positive: 'b', negative: 3 }, 422, /negative/],
    [{ pairs: [] }, 422, /pairs/],
    [{ pairs: [PAIRS[0], { query: 'a' }] }, 422, /positive/],
    [{ pairs: [PAIRS[0]], query: 'a' }, 422, /not both/],
    [{ pairs: 'all' }, 422, /pairs/],
    [{ ...PAIRS[0], model: 'still' }, 404, /does not learn: those that learn are tiny/],
    [{ ...PAIRS[0], model: 'nobody' }, 404, /nobody/],
  ] as const) {
    const answer = await ask('/feedback', body)
    t.is(answer.status, status, JSON.stringify(body))
    t.regex(answer.json.error, message, JSON.stringify(body))
  }
  t.is(learner.status().feedback, 0)
  await learner.close()
  t.is((await ask('/feedback', PAIRS[0])).status, 503)
})

test('inside of an application GET / stays free, unless the page is wanted', async (t) => {
  const { served } = await learning(t)
  for (const page of [false, true]) {
    const handler = createHandler({ models: { tiny: served }, ...(page && { page }) })
    t.is((await handler.fetch(new Request('http://127.0.0.1/'))).status, page ? 200 : 404)
  }
})

test('a learner has to be that of its model', async (t) => {
  const { learner, served } = await learning(t)
  const other = new ServedModel(served.model)
  t.throws(() => createHandler({ models: { tiny: other }, learners: { tiny: learner } }), { message: /learners.tiny/ })
  t.throws(() => createHandler({ models: { a: served }, learners: { tiny: learner } }), { message: /that of a/ })
  t.throws(() => createHandler({ models: { a: served }, learners: { a: {} as Learner } }), { message: /learners/ })
})

const inChromium = findChromium() === undefined ? test.skip : test
inChromium('the page shows versions and compares texts, in every theme and width, with an API key', async (t) => {
  const { server, ask } = await learning(t, { apiKeys: ['secret'] })
  const authorized = { authorization: 'Bearer secret' }
  t.is((await ask('/feedback', { pairs: PAIRS })).status, 401)
  await ask('/feedback', { pairs: PAIRS }, authorized)
  const browser = await Chromium.open(findChromium()!)
  t.teardown(() => browser.close())
  for (const [dark, width] of [
    [false, 360],
    [true, 1280],
  ] as const) {
    const page = await browser.page(`${server.url}/`, { width, dark })
    const until = async (expression: string) => {
      for (let i = 0; i < 200 && !(await page.evaluate(expression)); i++) await wait(50)
      return page.evaluate(expression)
    }
    await page.evaluate(
      `(() => { const key = document.getElementById('key'); key.value = 'secret'; key.dispatchEvent(new Event('change')) })()`,
    )
    t.truthy(await until(`document.getElementById('models').textContent.includes('waiting, 6 of 6 pairs to learn')`))
    await page.evaluate(`document.getElementById('compare').requestSubmit()`)
    t.is(await until(`document.getElementById('scores').rows.length`), 2)
    t.true((await page.evaluate<number>('document.documentElement.scrollWidth')) <= width)
    t.deepEqual(await page.evaluate(FAINT), [])
    t.deepEqual(
      page.requests.filter((url) => !url.startsWith(server.url)),
      [],
    )
  }
})

test('the program serves a model that learns, and keeps its feedback', async (t) => {
  const folder = await temporaryFolder(t)
  const model = await tinyFolder(join(folder, 'tiny'))
  const data = join(folder, 'sts.tsv')
  const rows = PAIRS.map(({ query, positive }, i) => `${query}\t${positive}\t${i % 3}`)
  writeFileSync(data, ['sentence1\tsentence2\tscore', ...rows, ''].join('\n'))
  const program = [join(packageRoot, 'dist/bundle/cli.js'), 'serve', '--model', model, '--port', '0']
  const flags = ['--learner', join(folder, 'learner'), '--learner-on', data, '--learner-every', '0']
  const run = async (use: (url: string) => Promise<void>) => {
    const child = spawn(process.execPath, [...program, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [url] = (await once(createInterface(child.stdout), 'line')) as [string]
    await use(url)
    child.kill('SIGTERM')
    t.deepEqual(await once(child, 'exit'), [0, null])
  }
  await run(async (url) => {
    t.is((await post(`${url}/feedback`, { pairs: PAIRS })).json.pending, 6)
    await post(`${url}/learn`, {})
    const rounds = async () => (await get(`${url}/status`)).json.models[0].learner.rounds
    while ((await rounds()).length === 0) await wait(20)
    const [{ pairs, outcome }] = await rounds()
    t.is(pairs, 6)
    t.true(['swapped', 'kept'].includes(outcome), outcome)
  })
  await run(async (url) => {
    t.like((await get(`${url}/status`)).json.models[0].learner, { feedback: 6 })
  })
})
