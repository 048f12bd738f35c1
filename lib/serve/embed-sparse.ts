/** Sparse embeddings for routes. */
import type { SparseRow } from '../models/sparse-embeddings.js'
import { SparseEncoder } from '../models/sparse-encoder.js'
import type { Call } from './call.js'
import { beginWith, type EmbedRequest } from './embed.js'
import { noSuchTask } from './errors.js'

/** One row for each input. */
export async function embedSparse(call: Call, request: Omit<EmbedRequest, 'normalize'>): Promise<SparseRow[]> {
  const { lease, model, parts } = await beginWith(call, { ...request, normalize: false }, 'sparse', (model) => {
    if (model instanceof SparseEncoder) return model
    throw noSuchTask('Model is not an embedding model with SPLADE pooling')
  })
  const { tokens, prompt } = parts
  return call.work('embed', lease, async () => {
    const found = await model.encodeTokens(tokens, { ...prompt, ...call.engineOptions })
    return Array.from({ length: tokens.offsets.length - 1 }, (_, i) => found.row(i))
  })
}
