/** `sentence-torch serve`: loads models, and answers until a signal comes. */
import { existsSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { isOrigin } from '../serve/cors.js'
import {
  jsonLine,
  type Learner,
  type LogRecord,
  loadModel,
  plainLine,
  ServedModel,
  type ServeOptions,
  serve,
} from '../serve/index.js'
import { MODEL_NAME } from '../serve/model-set.js'
import type { AnyModel } from '../serve/served-model.js'
import { given, textOf, textsOf, UsageError, type Values } from './command.js'
import type { Io } from './io.js'
import { loadOptions } from './model-options.js'
import { learnerOf } from './serve-learner.js'

/** Options of the program under the names that they have in `serve`. */
const NAMES = {
  ...{ host: 'host', port: 'port', 'uds-path': 'udsPath', 'prometheus-port': 'prometheusPort' },
  ...{ 'max-concurrent-requests': 'maxConcurrentRequests', 'max-client-batch-size': 'maxClientBatchSize' },
  ...{ 'payload-limit': 'payloadLimit', 'default-prompt-name': 'defaultPromptName', deadline: 'deadline' },
  ...{ 'base-path': 'basePath', 'max-batch-tokens': 'maxBatchTokens' },
}

export async function serveModels(values: Values, io: Io): Promise<number> {
  const names = namesOf(values)
  const more = moreOptions(values)
  const write = values.options['json-output'] === true ? jsonLine : plainLine
  const log = (record: LogRecord) => io.err(write(record))
  const tell = (message: string) => log({ timestamp: new Date().toISOString(), level: 'INFO', message })
  const options = { ...loadOptions(values, io), ...given(values, { threads: 'threads' }) }
  const startLearner = await learnerOf(values, io)
  const models = new Map<string, AnyModel>()
  let learner: Learner | undefined
  try {
    for (const [name, source] of names) {
      models.set(name, await loadModel(source, options))
      tell(`loaded ${source}${name === source ? '' : ` as ${name}`}`)
    }
    const served: Record<string, AnyModel | ServedModel> = Object.fromEntries(models)
    const learners: Record<string, Learner> = {}
    if (startLearner) {
      const [name, model] = [...models][0]!
      const learning = new ServedModel(model)
      learner = await startLearner(learning)
      served[name] = learning
      learners[name] = learner
    }
    const server = await serve({
      ...(given(values, NAMES) as Partial<ServeOptions>),
      ...more,
      models: served,
      learners,
      log,
    })
    io.out(`${server.url}\n`)
    tell(`listening on ${server.url}`)
    await untilAborted(io.signal)
    tell('draining')
    await server.close()
    tell('ended')
    return 0
  } finally {
    await learner?.dispose()
    await Promise.all([...models.values()].map((model) => model.dispose()))
  }
}

const misuse = (message: string) => new UsageError('ERR_INVALID_ARGUMENT', message, 'serve')

/** Models by the names under which they are served. @throws UsageError before a model is loaded in vain */
function namesOf(values: Values): Map<string, string> {
  const sources = textsOf(values, 'model')
  const names = textsOf(values, 'served-model-name')
  if (sources.length === 0) throw misuse('serve needs a model: --model <folder or id>')
  if (names.length > 0 && names.length !== sources.length) {
    throw misuse(`--served-model-name is given once for each --model: ${sources.length} times, not ${names.length}`)
  }
  const all = new Map<string, string>()
  for (const [i, source] of sources.entries()) {
    const name = names[i] ?? (existsSync(source) ? basename(resolve(source)) : source)
    const shown = JSON.stringify(name)
    const expected = 'at most 200 printable ASCII characters without spaces'
    if (!MODEL_NAME.test(name)) {
      throw misuse(
        names[i] === undefined
          ? `${shown} cannot be the name of a model, which is ${expected}: give it one by --served-model-name`
          : `--served-model-name takes ${expected}, not ${shown}`,
      )
    }
    const other = all.get(name)
    if (other !== undefined) {
      const both = `${JSON.stringify(other)} and ${JSON.stringify(source)}`
      throw misuse(`Two models, ${both}, have the name ${shown}: give each another by --served-model-name`)
    }
    all.set(name, source)
  }
  return all
}

/** @throws UsageError */
function moreOptions(values: Values): Partial<ServeOptions> {
  const auto = textOf(values, 'auto-truncate')
  const origins = textsOf(values, 'cors-allow-origin')
  const wrong = origins.find((origin) => !isOrigin(origin))
  if (wrong !== undefined) {
    throw misuse(`--cors-allow-origin takes * or an origin such as https://example.com, not ${JSON.stringify(wrong)}`)
  }
  const keys = textsOf(values, 'api-key')
  const ofEnvironment = (process.env.API_KEY ?? '').split(',').map((key) => key.trim())
  return {
    ...(auto !== undefined && { autoTruncate: auto === 'true' }),
    ...(origins.length > 0 && { corsAllowOrigin: origins }),
    apiKeys: keys.length > 0 ? keys : ofEnvironment.filter((key) => key !== ''),
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
