import { embedSparse } from '../embed-sparse.js'
import { inputs, model, promptName, truncate, truncationDirection } from '../inputs.js'
import { json, post } from '../route.js'

/** Source: text-embeddings-inference `embed_sparse`. */
export const embedSparseRoute = post({
  method: 'POST',
  path: '/embed_sparse',
  tag: 'Text Embeddings Inference',
  summary: 'Sparse embeddings of texts, by a SparseEncoder',
  fields: { inputs, model, truncate, truncation_direction: truncationDirection, prompt_name: promptName },
  example: { inputs: 'What is Deep Learning?' },
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
  async handle(call, body) {
    const rows = await embedSparse(call, {
      inputs: body.inputs,
      name: 'inputs',
      model: body.model,
      cutting: { truncate: body.truncate, direction: body.truncation_direction },
      promptName: body.prompt_name,
    })
    // Digits enough for a float32.
    const short = (value: number) => Number(value.toPrecision(9))
    return json(
      rows.map(({ indices, values }) => Array.from(indices, (index, i) => ({ index, value: short(values[i]!) }))),
    )
  },
})
