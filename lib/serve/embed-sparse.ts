/** Sparse embeddings for routes. */
import { SparseEmbeddings, type SparseRow } from '../models/sparse-embeddings.js'
import { SparseEncoder } from '../models/sparse-encoder.js'
import type { Call } from './call.js'
import { beginWith, type EmbedRequest, features } from './embed.js'
import { noSuchTask } from './errors.js'

/** One row for each input. */
export async function embedSparse(call: Call, request: Omit<EmbedRequest, 'normalize'>): Promise<SparseRow[]> {
  const { lease, model, parts } = await beginWith(call, { ...request, normalize: false }, 'sparse')
  if (!(model instanceof SparseEncoder)) throw noSuchTask('Model is not an embedding model with SPLADE pooling')
  const { texts, rows, prompt } = parts
  return call.work('embed', lease, async () => {
    const ofTexts = await model.encode([...texts.values()], { ...prompt, ...call.engineOptions })
    const found = new Array<SparseRow>(texts.size + rows.size)
    for (const [i, place] of [...texts.keys()].entries()) found[place] = ofTexts.row(i)
    if (rows.size === 0) return found
    const { sentenceEmbedding } = await model.forward(features([...rows.values()], model))
    const ofRows = SparseEmbeddings.fromDense(sentenceEmbedding)
    for (const [i, place] of [...rows.keys()].entries()) found[place] = ofRows.row(i)
    return found
  })
}
