import type { IncomingMessage, ServerResponse } from 'node:http'
import { Budget } from './budget.js'
import type { Service } from './call.js'
import { Core } from './core.js'
import { ModelSet } from './model-set.js'
import { answerNode } from './node-exchange.js'
import { ServerMetrics } from './server-metrics.js'
import { type HandlerOptions, settingsOf } from './settings.js'
import { answerWeb } from './web-exchange.js'

/** Bodies that are in memory at a time, of the largest size that is accepted. */
const BODIES = 128

/** Answers requests. It is a listener of node:http, and has `fetch` for whatever speaks Request and Response. */
export interface ServeHandler {
  /**
   * For node:http, Express and Connect.
   * @param next is called for paths that are not served; without it they are answered by 404
   */
  (request: IncomingMessage, response: ServerResponse, next?: (error?: unknown) => void): void
  /** For Hono, Next, Bun-like servers, Fastify's and others' adapters, and tests. */
  readonly fetch: (request: Request) => Promise<Response>
  /** The names of the models. */
  readonly models: readonly string[]
  /** The metrics in Prometheus' text format. */
  metrics(): string
  /** From now on `/ready` says 503. @returns when no request is being answered any more */
  drain(): Promise<void>
}

/**
 * Makes a handler of loaded models, with the routes of text-embeddings-inference and those of OpenAI's, Cohere's and Jina's APIs.
 *
 * ```ts
 * const handler = createHandler({ models: { minilm: model, reranker: crossEncoder } })
 * http.createServer(handler).listen(3000)
 * ```
 * The models stay the caller's: they are not disposed.
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export function createHandler(options: HandlerOptions): ServeHandler {
  const settings = settingsOf(options)
  const models = new ModelSet(options.models)
  const learners = new Map(Object.entries(settings.learners))
  for (const [name, learner] of learners) models.checkLearner(name, learner.served)
  if (settings.defaultPromptName !== null) models.checkPrompt(settings.defaultPromptName)
  const texts = new Budget(settings.maxConcurrentRequests)
  const service: Service = {
    models,
    learners,
    settings,
    texts,
    bytes: new Budget(BODIES * settings.payloadLimit),
    metrics: new ServerMetrics(() => texts.used),
    isDraining: false,
  }
  const core = new Core(service)
  const node = (request: IncomingMessage, response: ServerResponse, next?: (error?: unknown) => void) =>
    answerNode(core, settings.sendTimeout, request, response, next)
  return Object.assign(node, {
    fetch: (request: Request) => answerWeb(core, request),
    models: models.names,
    metrics: () => service.metrics.text(),
    drain: () => core.drain(),
  })
}
