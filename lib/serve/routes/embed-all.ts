import type { Embeddings } from '../../models/embeddings.js'
import { embedTokens } from '../embed.js'
import { inputs, model, promptName, truncate, truncationDirection } from '../inputs.js'
import { jsonRow } from '../numbers.js'
import { post } from '../route.js'

/** Source: text-embeddings-inference `embed_all`. */
export const embedAllRoute = post({
  method: 'POST',
  path: '/embed_all',
  tag: 'Text Embeddings Inference',
  summary: 'Embeddings of all tokens of texts, without pooling',
  fields: { inputs, model, truncate, truncation_direction: truncationDirection, prompt_name: promptName },
  example: { inputs: 'What is Deep Learning?' },
  answer: {
    description: 'For each input a row of numbers for each token',
    schema: { type: 'array', items: { type: 'array', items: { type: 'array', items: { type: 'number' } } } },
  },
  async handle(call, body) {
    const found = await embedTokens(call, {
      inputs: body.inputs,
      name: 'inputs',
      model: body.model,
      cutting: { truncate: body.truncate, direction: body.truncation_direction },
      promptName: body.prompt_name,
      normalize: false,
    })
    return { body: pieces(found), type: 'application/json' }
  },
})

/** The answer row by row: as one text it could be larger than all that the model holds. */
async function* pieces(texts: readonly Embeddings[]): AsyncGenerator<string> {
  for (const [i, tokens] of texts.entries()) {
    yield i === 0 ? '[[' : ',['
    for (let row = 0; row < tokens.shape[0]; row++) {
      yield `${row === 0 ? '' : ','}${jsonRow(tokens.row(row))}`
    }
    yield ']'
  }
  yield ']'
}
