// The log of a training on an MLflow server, with the names of transformers' callback; and servers that fail.
import { readFileSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { type PartialTrainingArguments, resolveArguments } from '../../lib/training/arguments/arguments.js'
import { type LogRecord, newControl, newState } from '../../lib/training/callbacks/callbacks.js'
import { hyperparameters } from '../../lib/training/card/hyperparameters.js'
import { MlflowReporter, mlflowParams } from '../../lib/training/reporting/mlflow.js'
import { type MlflowSettings, mlflowSettings } from '../../lib/training/reporting/mlflow-settings.js'
import { MlflowServer } from '../helpers/mlflow-server.js'

const context = (globalStep = 0, args: PartialTrainingArguments = {}) => ({
  args: resolveArguments(args),
  state: { ...newState(), globalStep },
  control: newControl(),
})

const env = (server: MlflowServer, more: Record<string, string> = {}) => ({ MLFLOW_TRACKING_URI: server.uri, ...more })

interface Run {
  records?: readonly (readonly [number, LogRecord])[]
  args?: PartialTrainingArguments
  ends?: boolean
  isStopped?: boolean
  settings?: Partial<MlflowSettings>
}

async function run(env: Record<string, string>, given: Run = {}): Promise<void> {
  const { records = [[1, { loss: 1 }]], args, ends = true, isStopped = false, settings } = given
  const own = { ...mlflowSettings(null, env)!, ...settings }
  const reporter = new MlflowReporter({
    settings: own,
    modelConfig: { model_type: 'bert' },
    isStopped: () => isStopped,
  })
  reporter.onTrainBegin(context(0, args))
  for (const [step, record] of records) reporter.onLog(record, context(step, args))
  if (ends) reporter.onTrainEnd()
  await reporter.close()
  await reporter.close()
}

/** Warnings of this process while `work` runs. */
async function warnings(work: () => Promise<void>): Promise<string[]> {
  const found: string[] = []
  const listen = (warning: Error & { code?: string }) => {
    if (warning.code === 'WARN_NOT_REPORTED') found.push(warning.message)
  }
  process.on('warning', listen)
  await work()
  await new Promise((resolve) => setTimeout(resolve, 20))
  process.off('warning', listen)
  return found
}

test.serial('a run: experiment, parameters, tags, metrics with their steps, the end', async (t) => {
  const server = await MlflowServer.start(t)
  const more = { MLFLOW_EXPERIMENT_NAME: 'my "own" ü', MLFLOW_TAGS: '{"release": "1", "n": 2}' }
  const records = [
    [2, { loss: 2.5, grad_norm: Number.NaN, 'eval_sts-dev (x)@10': 0.25 }],
    [4, { loss: Number.POSITIVE_INFINITY }],
  ] as const
  for (const round of [1, 2]) {
    await run(env(server, more), { records, args: { runName: 'a' } })
    t.is(server.of('experiments/create').length, 1)
    t.is(server.of('runs/create').length, round)
  }
  const [created] = server.of('runs/create') as { experiment_id: string; run_name: string; start_time: number }[]
  t.like(created, { experiment_id: '1', run_name: 'a' })
  t.true(Math.abs(created!.start_time - Date.now()) < 60_000)
  const metrics = server.logged('metrics').slice(0, 4)
  t.deepEqual(
    metrics.map(({ key, value, step }) => [key, value, step]),
    [
      ['loss', 2.5, 2],
      ['grad_norm', 'NaN', 2],
      ['eval_sts-dev _x__10', 0.25, 2],
      ['loss', 'Infinity', 4],
    ],
  )
  const tags = server.logged('tags').map(({ key, value }) => [key, value])
  t.deepEqual(tags.slice(0, 2), [
    ['release', '1'],
    ['n', '2'],
  ])
  const params = new Map(server.logged('params').map(({ key, value }) => [key, value]))
  t.is(params.get('model_type'), 'bert')
  t.is(params.get('per_device_train_batch_size'), '8')
  t.true(server.of('runs/log-batch').every(({ params = [] }) => (params as unknown[]).length <= 100))
  t.deepEqual(
    server.of('runs/update').map(({ run_id, status }) => [run_id, status]),
    [
      ['run1', 'FINISHED'],
      ['run2', 'FINISHED'],
    ],
  )
})

/** One is a list there, the other has the default None, which means 0. */
const DIFFERENT = ['report_to', 'warmup_ratio']

test.serial("names and values of parameters and metrics are those of transformers' callback", (t) => {
  const python = JSON.parse(
    readFileSync(new URL('../../../test/unit/golden/mlflow.json', import.meta.url), 'utf8'),
  ) as {
    args: PartialTrainingArguments
    config: Record<string, never>
    params: Record<string, string>
    flattened: Record<string, string>
  }
  const compare = (flattensParams: boolean, expected: Record<string, string>) => {
    const { params } = mlflowParams(resolveArguments(python.args), python.config, { flattensParams, mostParams: 1e9 })
    const own = new Map(params)
    const shared = Object.entries(expected).filter(([name]) => own.has(name))
    t.true(shared.length > 60, `${shared.length}`)
    const other = shared.filter(([name, value]) => own.get(name) !== value)
    return other.map(([name, value]) => [name, value, own.get(name)])
  }
  for (const [flattens, expected] of [
    [false, python.params],
    [true, python.flattened],
  ] as const) {
    t.deepEqual(
      compare(flattens, expected).filter(([name]) => !DIFFERENT.includes(name!)),
      [],
    )
  }
})

test.serial('a run that failed, one that was stopped, one that is continued', async (t) => {
  const server = await MlflowServer.start(t)
  await run(env(server), { ends: false })
  await run(env(server), { ends: false, isStopped: true })
  await run(env(server, { MLFLOW_RUN_ID: 'old' }))
  t.deepEqual(
    server.of('runs/update').map(({ run_id, status }) => [run_id, status]),
    [
      ['run1', 'FAILED'],
      ['run2', 'KILLED'],
      ['old', 'RUNNING'],
      ['old', 'FINISHED'],
    ],
  )
  t.is(server.of('runs/create').length, 2)
  t.is((server.of('runs/create')[0] as { experiment_id: string }).experiment_id, '0')
})

test.serial('an evaluation by itself is a run that has not failed', async (t) => {
  const server = await MlflowServer.start(t)
  const reporter = new MlflowReporter({ settings: mlflowSettings(null, env(server))! })
  reporter.onLog({ eval_loss: 1 }, context())
  await reporter.close()
  t.is((server.of('runs/update').at(-1) as { status: string }).status, 'FINISHED')
  const unused = new MlflowReporter({ settings: mlflowSettings(null, env(server))! })
  await unused.close()
  t.is(server.of('runs/create').length, 1)
})

test.serial('many metrics go in batches that the server takes, in their order', async (t) => {
  const server = await MlflowServer.start(t)
  const records = Array.from({ length: 1300 }, (_, i) => [i + 1, { loss: i, grad_norm: -i }] as const)
  await run(env(server), { records })
  const sizes = server.of('runs/log-batch').map(({ metrics = [] }) => (metrics as unknown[]).length)
  t.true(Math.max(...sizes) <= 1000)
  const losses = server.logged('metrics').filter(({ key }) => key === 'loss')
  t.deepEqual(
    losses.map(({ value }) => value),
    records.map((_, i) => i),
  )
})

test.serial('user and password, a token, an address with both; no secret in what is told', async (t) => {
  const server = await MlflowServer.start(t)
  const header = async (more: Record<string, string>) => {
    await run(env(server, more))
    return server.told.at(-1)!.headers.authorization
  }
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
  t.is(await header({}), undefined)
  t.is(await header({ MLFLOW_TRACKING_TOKEN: 'abc' }), 'Bearer abc')
  const both = { MLFLOW_TRACKING_USERNAME: 'u', MLFLOW_TRACKING_PASSWORD: 'p:ü' }
  t.is(await header({ ...both, MLFLOW_TRACKING_TOKEN: 'abc' }), basic('u:p:ü'))
  const address = server.uri.replace('//', '//me:secret%20@')
  t.is(await header({ MLFLOW_TRACKING_URI: `${address}/` }), basic('me:secret '))
  server.answer = () => ({ status: 401, body: { message: 'who are you' } })
  const told = await warnings(() => run({ MLFLOW_TRACKING_URI: address }))
  t.is(told.length, 2)
  t.regex(told[0]!, /status 401.*who are you.*The work goes on without it/)
  t.regex(told[1]!, /1 numbers of the log were not sent/)
  t.notRegex(told.join(), /secret/)
})

test.serial('busy servers are asked again, refused parameters do not keep metrics out', async (t) => {
  const server = await MlflowServer.start(t)
  server.answer = (path, count) => {
    if (path === 'runs/create' && count === 1) return { status: 503, body: {} }
    if (path === 'runs/log-batch' && count === 1) return { status: 400, body: { message: 'Changing param values' } }
    return undefined
  }
  const told = await warnings(() => run(env(server)))
  t.is(told.length, 1)
  t.regex(told[0]!, /Changing param values/)
  t.is(server.of('runs/create').length, 2)
  t.deepEqual(
    server.logged('metrics').map(({ key }) => key),
    ['loss'],
  )
  t.is((server.of('runs/update').at(-1) as { status: string }).status, 'FINISHED')
})

test.serial('metrics that the server refuses are counted, and the next ones are sent', async (t) => {
  const server = await MlflowServer.start(t)
  let refused = false
  server.answer = (path) => {
    if (path !== 'runs/log-batch' || refused || !server.told.at(-1)!.body.metrics) return undefined
    refused = true
    return { status: 400, body: { error_code: 'INVALID_PARAMETER_VALUE' } }
  }
  const records = Array.from({ length: 1500 }, (_, i) => [i + 1, { loss: i }] as const)
  const told = await warnings(() => run(env(server), { records }))
  t.regex(told.join('\n'), /INVALID_PARAMETER_VALUE.*\n.*1000 numbers of the log were not sent/)
  t.is(server.logged('metrics').length, 1500)
})

test.serial('a server that is down, or never answers, is told once and costs some seconds at the end', async (t) => {
  const server = await MlflowServer.start(t)
  const limits = { concurrency: 1, requestsPerMinute: null, retries: 1, timeout: 1 }
  server.answer = () => 'hang'
  const start = performance.now()
  const hanging = await warnings(() => run(env(server), { settings: { limits } }))
  t.is(hanging.length, 2)
  await server.close()
  const down = await warnings(() => run(env(server), { settings: { limits } }))
  t.is(down.length, 2)
  t.regex(down[0]!, /ECONNREFUSED.*also in the last of 2 tries\. The work goes on without it/)
  t.regex(down[1]!, /1 numbers of the log were not sent/)
  t.true(performance.now() - start < 15_000)
})

test.serial('a server that comes back gets everything', async (t) => {
  const server = await MlflowServer.start(t)
  const { port } = new URL(server.uri)
  await server.close()
  const limits = { concurrency: 1, requestsPerMinute: null, retries: 0, timeout: 1 }
  const reporter = new MlflowReporter({ settings: { ...mlflowSettings(null, env(server))!, limits } })
  const told = await warnings(async () => {
    reporter.onTrainBegin(context())
    reporter.onLog({ loss: 1 }, context(1))
    await new Promise((resolve) => setTimeout(resolve, 200))
    const back = await MlflowServer.start(t, Number(port))
    reporter.onLog({ loss: 2 }, context(2))
    reporter.onTrainEnd()
    await reporter.close()
    t.deepEqual(
      back.logged('metrics').map(({ value, step }) => [value, step]),
      [
        [1, 1],
        [2, 2],
      ],
    )
  })
  t.is(told.length, 1)
})

test('settings that do not fit are refused before anything begins', (t: ExecutionContext) => {
  const refused = (env: Record<string, string>, message: RegExp, code = 'ERR_INVALID_ARGUMENT') =>
    t.throws(() => mlflowSettings(null, env), { code, message })
  refused({}, /mlflowTrackingUri, or the variable MLFLOW_TRACKING_URI/)
  refused({ MLFLOW_TRACKING_URI: 'nonsense' }, /the address of a server/)
  for (const uri of ['file:///tmp/x', 'sqlite:///a.db', 'databricks', 'databricks://profile'])
    refused({ MLFLOW_TRACKING_URI: uri }, /only http/, 'ERR_NOT_IMPLEMENTED')
  const uri = { MLFLOW_TRACKING_URI: 'http://localhost:5000/base/' }
  refused({ ...uri, MLFLOW_TAGS: '[1]' }, /MLFLOW_TAGS/)
  refused({ ...uri, MLFLOW_TAGS: '{' }, /MLFLOW_TAGS/)
  refused({ ...uri, HF_MLFLOW_LOG_ARTIFACTS: 'true' }, /HF_MLFLOW_LOG_ARTIFACTS/, 'ERR_NOT_IMPLEMENTED')
  refused({ ...uri, MLFLOW_TRACKING_INSECURE_TLS: '1' }, /INSECURE_TLS/, 'ERR_NOT_IMPLEMENTED')
  t.is(mlflowSettings(null, { DISABLE_MLFLOW_INTEGRATION: 'TRUE' }), undefined)
  t.is(mlflowSettings(null, uri)!.uri, 'http://localhost:5000/base')
  t.is(mlflowSettings('https://other', uri)!.uri, 'https://other')
  t.deepEqual(mlflowSettings(null, { ...uri, MLFLOW_EXPERIMENT_ID: '7' })!.experiment, { id: '7' })
})

test('the address is in no card and no parameter, and one with a password is refused without showing it', (t) => {
  const args = resolveArguments({ mlflowTrackingUri: 'https://mlflow.example/a@b' })
  t.false(JSON.stringify(hyperparameters(args)).includes('mlflow.example'))
  const { params } = mlflowParams(args, {}, { flattensParams: false, mostParams: 1e9 })
  t.false(JSON.stringify(params).includes('mlflow.example'))
  const wrong = [
    'https://me:secret@host',
    'https:/me:secret@host',
    'me:secret@host',
    'https://secret@',
    'h\tttps://:secret@h',
  ]
  for (const mlflowTrackingUri of wrong) {
    const { message } = t.throws(() => resolveArguments({ mlflowTrackingUri }), { code: 'ERR_INVALID_ARGUMENT' })
    t.regex(message, /without user and password; the variable MLFLOW_TRACKING_URI/)
    t.notRegex(message, /secret|host/)
  }
})

test('parameters: flattened, at most so many, and none that is too long', (t) => {
  const args = resolveArguments({ lrSchedulerKwargs: { numCycles: 2 }, lrSchedulerType: 'cosine_with_restarts' })
  const config = { a: { b: { c: 1 }, d: [] }, long: 'x'.repeat(6001) }
  const flat = mlflowParams(args, config, { flattensParams: true, mostParams: 1e9 })
  t.deepEqual(flat.tooLong, ['long'])
  t.deepEqual(flat.params.slice(0, 2), [
    ['a.b.c', '1'],
    ['a.d', '[]'],
  ])
  t.deepEqual(mlflowParams(args, config, { flattensParams: false, mostParams: 1 }).params, [
    ['a', "{'b': {'c': 1}, 'd': []}"],
  ])
})
