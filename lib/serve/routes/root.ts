import type { Call } from '../call.js'
import { ServeError } from '../errors.js'
import { post, type Reply, type Route } from '../route.js'
import { type ModelTask, taskOf } from '../served-model.js'
import { embedRoute } from './embed.js'
import { embedAllRoute } from './embed-all.js'
import { embedSparseRoute } from './embed-sparse.js'
import { predictRoute } from './predict.js'
import { rerankRoute } from './rerank.js'
import { similarityRoute } from './similarity.js'

/** What TEI answers at `/` for a model of each task. */
const USUAL: Record<ModelTask, Route> = {
  embedding: embedRoute,
  sparse: embedSparseRoute,
  'multi-vector': embedAllRoute,
  reranker: rerankRoute,
  classifier: predictRoute,
}

/**
 * The task of the model, or the one that the body tells: clients of Hugging Face's inference send all of them to one address.
 * Source: text-embeddings-inference, `/` and `/invocations`.
 */
export const rootRoute: Route = {
  ...post({
    method: 'POST',
    path: '/',
    aliases: ['/invocations'],
    tag: 'Text Embeddings Inference',
    summary: 'As /embed, /similarity, /rerank or /predict, whichever the body is for',
    fields: {},
    answer: { description: 'As that of the route', schema: {} },
    handle: () => Promise.reject(new Error('replaced below')),
  }),
  handle: (call, body): Promise<Reply> => routeOf(call, body).handle(call, body, ''),
}

function routeOf(call: Call, body: unknown): Route {
  const { inputs, query, model } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>
  if (typeof inputs === 'object' && inputs !== null && 'source_sentence' in inputs) return similarityRoute
  if (query !== undefined) return rerankRoute
  const { models } = call.service
  const name = call.pathModel ?? (typeof model === 'string' ? model : models.names[0])
  if (name === undefined) throw new ServeError('Unhealthy', 'no model is served')
  return USUAL[taskOf(models.named(name).model)]
}
