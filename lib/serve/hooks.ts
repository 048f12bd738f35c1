/** Where tracing is put around requests and around the work of models; the package has no dependency on a tracer. */

/** A request as a tracer sees it. */
export interface TracedRequest {
  readonly id: string
  readonly method: string
  /** Of the route, without names of models: `/embed`. */
  readonly route: string
  /** Of the request, in lower case: `traceparent` is there if the client sent it. */
  readonly headers: Readonly<Record<string, string | undefined>>
}

/** What a model computes for a request. */
export interface TracedWork {
  readonly requestId: string
  readonly task: 'embed' | 'predict'
  readonly model: string
  readonly version: string
  readonly texts: number
  readonly tokens: number
}

/**
 * Each function runs `run` once and gives what it gives, so that spans and contexts of a tracer surround it.
 *
 * ```ts
 * const hooks: Hooks = {
 *   request: ({ method, route, headers }, run) =>
 *     context.with(propagation.extract(context.active(), headers), () =>
 *       tracer.startActiveSpan(`${method} ${route}`, async (span) => {
 *         try {
 *           const answer = await run()
 *           span.setAttribute('http.response.status_code', answer.status)
 *           return answer
 *         } finally {
 *           span.end()
 *         }
 *       })),
 * }
 * ```
 */
export interface Hooks {
  request?<T extends { readonly status: number }>(request: TracedRequest, run: () => Promise<T>): Promise<T>
  work?<T>(work: TracedWork, run: () => Promise<T>): Promise<T>
}
