import { randomUUID } from 'node:crypto'
import { keyCheck } from './auth.js'
import { readJson } from './body.js'
import { Call, failure, type Service } from './call.js'
import { corsHeaders, PREFLIGHT } from './cors.js'
import { ClientGone, type ErrorShape, errorBody, errorFacts, overloaded, ServeError } from './errors.js'
import type { Answered, Answerer, Asked } from './exchange.js'
import type { Reply } from './route.js'
import { type Found, findRoute } from './router.js'
import { pageRoute } from './routes/page.js'
import { type Facts, newFacts } from './server-metrics.js'
import type { Settings } from './settings.js'

/** From a request to its answer. */
export class Core implements Answerer {
  readonly #checkKey: (authorization: string | undefined) => void
  #running = 0
  #whenIdle: (() => void)[] = []

  constructor(private readonly service: Service) {
    this.#checkKey = keyCheck(service.settings.apiKeys)
  }

  drain(): Promise<void> {
    this.service.isDraining = true
    if (this.#running === 0) return Promise.resolve()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }

  /** Whether a path is served at all. */
  serves(method: string, target: string): boolean {
    const path = this.#withoutBase(target)
    if (path === undefined) return false
    if (method === 'OPTIONS' && this.service.settings.corsAllowOrigin.length > 0) return this.serves('POST', target)
    try {
      return this.#route(method, path) !== undefined
    } catch {
      return true
    }
  }

  async answer(asked: Asked): Promise<Answered> {
    const start = performance.now()
    const id = requestId(asked.headers['x-request-id'])
    const facts = newFacts()
    const shared = { 'x-request-id': id, ...corsHeaders(this.service.settings.corsAllowOrigin, asked.headers.origin) }
    this.#running++
    let shape: ErrorShape = shapeOf(asked.target)
    const end = (status: number, error?: unknown) => {
      if (--this.#running === 0) for (const resolve of this.#whenIdle.splice(0)) resolve()
      this.#log(asked, id, status, performance.now() - start, facts, error)
    }
    try {
      if (asked.method === 'OPTIONS' && asked.headers.origin !== undefined) {
        return { status: 204, headers: { ...shared, ...PREFLIGHT }, isLast: false, finish: () => end(204) }
      }
      const found = this.#find(asked)
      shape = found.route.errors
      if (!found.route.isPublic) this.#checkKey(asked.headers.authorization)
      const { call, reply, status } = await this.#traced(asked, found, id, facts)
      const milliseconds = performance.now() - start
      return {
        status,
        headers: { ...shared, 'content-type': reply.type, ...factHeaders(facts, milliseconds) },
        ...(asked.method !== 'HEAD' && { body: reply.body }),
        isLast: this.service.isDraining,
        finish: (isSent) => {
          call.end()
          if (isSent) this.service.metrics.recordSuccess(facts, performance.now() - start)
          else this.service.metrics.failures.add({ err: 'dropped' })
          end(isSent ? status : 499)
        },
      }
    } catch (error) {
      const answer = failure(error, this.service)
      const { status, headers } = answer ?? { status: 499, headers: {} }
      const body = answer && asked.method !== 'HEAD' ? { body: JSON.stringify(errorBody(answer, shape)) } : {}
      const type = { 'content-type': 'application/json' }
      const finish = () => end(status, answer ?? error)
      return {
        status,
        headers: { ...shared, ...type, ...versionHeaders(facts), ...headers },
        ...body,
        isLast: this.service.isDraining,
        finish,
      }
    }
  }

  /** @throws ServeError 404, 405 */
  #find({ method, target }: Asked): Found {
    const path = this.#withoutBase(target)
    const found = path === undefined ? undefined : this.#route(method, path)
    if (found) return found
    throw new ServeError(
      'Validation',
      `There is no ${method} ${target.split('?')[0]!.slice(0, 200)}; /docs lists what there is`,
      {
        status: 404,
        code: 'not_found',
      },
    )
  }

  #route(method: string, path: string): Found | undefined {
    const { models, settings } = this.service
    const found = findRoute(method, path, models.names)
    // Without the page, GET / is free for the application around.
    return found?.route === pageRoute && !settings.page ? undefined : found
  }

  /** @returns undefined for a path that is not below the base */
  #withoutBase(target: string): string | undefined {
    const { basePath } = this.service.settings
    if (!target.startsWith(basePath)) return undefined
    const path = target.slice(basePath.length)
    return path === '' ? '/' : /^[/?]/.test(path) ? path : undefined
  }

  async #traced(asked: Asked, found: Found, id: string, facts: Facts) {
    const { hooks } = this.service.settings
    const run = () => this.#run(asked, found, id, facts)
    if (!hooks?.request) return run()
    const { method, headers } = asked
    return hooks.request({ id, method, route: found.route.path, headers }, run)
  }

  async #run(asked: Asked, { route, rest, model }: Found, id: string, facts: Facts) {
    const { signal, stop } = withDeadline(asked.signal, this.service.settings)
    const call = new Call(this.service, id, model, signal, facts, asked.headers['x-model-version'])
    call.atEnd(stop)
    try {
      if (model !== undefined) this.service.models.named(model)
      // Before the body is read: what is refused is to take nothing from what is in work.
      if (route.takesTexts && this.service.texts.isFull) throw overloaded()
      const body = route.method === 'POST' ? await readJson(asked, call) : undefined
      const reply: Reply = await route.handle(call, body, rest)
      call.computed()
      return { call, reply, status: reply.status ?? 200 }
    } catch (error) {
      call.end()
      if (asked.signal.aborted) throw new ClientGone('The client has gone')
      throw signal.aborted ? overloaded('The deadline of the request is over') : error
    }
  }

  #log(
    { method, target }: Asked,
    requestId: string,
    status: number,
    time: number,
    facts: Facts,
    error?: unknown,
  ): void {
    const { log } = this.service.settings
    if (!log) return
    const { texts, tokens, model, version } = facts
    log({
      timestamp: new Date().toISOString(),
      level: status === 500 ? 'ERROR' : status >= 400 ? 'WARN' : 'INFO',
      message: 'request',
      ...{ requestId, method, path: target.split('?')[0]!.slice(0, 1000), status },
      milliseconds: Math.round(time * 1000) / 1000,
      ...(model !== undefined && { model, version, texts, tokens }),
      ...errorFacts(error),
    })
  }
}

/** A name of a request that its client gave, if it is one that can stand in a log. */
function requestId(given: string | undefined): string {
  return given !== undefined && /^[\w.:/+=@-]{1,128}$/.test(given) ? given : randomUUID()
}

/** Of paths that have no route. */
function shapeOf(target: string): ErrorShape {
  return /\/v[12]\//.test(target) ? 'openai' : 'tei'
}

function withDeadline(client: AbortSignal, { deadline }: Settings): { signal: AbortSignal; stop: () => void } {
  if (deadline === 0) return { signal: client, stop: () => {} }
  const controller = new AbortController()
  const abort = () => controller.abort()
  if (client.aborted) abort()
  client.addEventListener('abort', abort, { once: true })
  const timer = setTimeout(abort, deadline)
  const stop = () => {
    clearTimeout(timer)
    client.removeEventListener('abort', abort)
  }
  return { signal: controller.signal, stop }
}

function versionHeaders({ model, version }: Facts): Record<string, string> {
  return model === undefined ? {} : { 'x-model-name': model, 'x-model-version': version ?? '' }
}

/** TEI's headers, in its units: milliseconds. */
function factHeaders(facts: Facts, milliseconds: number): Record<string, string> {
  if (facts.method === undefined) return versionHeaders(facts)
  const { characters, tokens, tokenization, inference } = facts
  return {
    ...versionHeaders(facts),
    'x-compute-characters': String(characters),
    'x-compute-tokens': String(tokens),
    'x-compute-time': milliseconds.toFixed(0),
    'x-total-time': milliseconds.toFixed(0),
    'x-tokenization-time': tokenization.toFixed(0),
    'x-inference-time': inference.toFixed(0),
  }
}
