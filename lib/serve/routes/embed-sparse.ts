import { noSuchTask } from '../errors.js'
import { inputs, model, promptName, truncate, truncationDirection } from '../inputs.js'
import { post } from '../route.js'

/** Source: text-embeddings-inference `embed_sparse`, whose answer for a model that is not sparse is that of every model here. */
export const embedSparseRoute = post({
  method: 'POST',
  path: '/embed_sparse',
  tag: 'Text Embeddings Inference',
  summary: 'Sparse embeddings; no model that can be served makes them yet',
  fields: { inputs, model, truncate, truncation_direction: truncationDirection, prompt_name: promptName },
  answer: {
    description: 'For each input its values that are not zero',
    schema: {
      type: 'array',
      items: {
        type: 'array',
        items: { type: 'object', properties: { index: { type: 'integer' }, value: { type: 'number' } } },
      },
    },
  },
  async handle() {
    throw noSuchTask('Model is not an embedding model with SPLADE pooling')
  },
})
