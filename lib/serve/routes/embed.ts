import { embed } from '../embed.js'
import { flag, optional } from '../fields.js'
import { dimensions, inputs, model, promptName, truncate, truncationDirection } from '../inputs.js'
import { jsonRow } from '../numbers.js'
import { post } from '../route.js'

/** Source: text-embeddings-inference `embed`. */
export const embedRoute = post({
  method: 'POST',
  path: '/embed',
  tag: 'Text Embeddings Inference',
  summary: 'Embeddings of texts',
  fields: {
    inputs,
    model,
    truncate,
    truncation_direction: truncationDirection,
    prompt_name: promptName,
    normalize: optional(flag, true),
    dimensions,
  },
  example: { inputs: 'What is Deep Learning?' },
  answer: {
    description: 'A row of numbers for each input',
    schema: { type: 'array', items: { type: 'array', items: { type: 'number' } } },
  },
  async handle(call, body) {
    const found = await embed(call, {
      inputs: body.inputs,
      name: 'inputs',
      model: body.model,
      cutting: { truncate: body.truncate, direction: body.truncation_direction },
      promptName: body.prompt_name,
      normalize: body.normalize,
      dimensions: body.dimensions,
    })
    const rows = Array.from({ length: found.shape[0] }, (_, i) => jsonRow(found.row(i)))
    return { body: `[${rows.join()}]`, type: 'application/json' }
  },
})
