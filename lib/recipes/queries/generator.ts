/** What writes queries for passages. */

/** What a generator is told with the passages. */
export interface GenerateQueriesRequest {
  /** Queries for each passage. */
  perPassage: number
  /** Decides the draws. The same passages and seed give the same queries, where the generator can do that. */
  seed: number
  signal?: AbortSignal | undefined
}

/** Writes queries: a model of ours, a service, or a caller's own. */
export interface QueryGenerator {
  /** What decides its texts, as JSON holds it. Queries of a stopped run are kept if it is the same. */
  readonly key: unknown
  /** The queries for each passage, in the order of the passages. They need not be clean, and may be fewer than wanted. */
  generate(passages: readonly string[], request: GenerateQueriesRequest): Promise<readonly (readonly string[])[]>
  /** Frees what it holds. */
  dispose?(): Promise<void>
}
