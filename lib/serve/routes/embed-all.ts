import type { Embeddings } from '../../models/embeddings.js'
import { MultiVectorEncoder } from '../../models/multi-vector-encoder.js'
import { embedTokens } from '../embed.js'
import { embedVectors, taskOfPrompt, textsOf } from '../embed-vectors.js'
import { inputs, model, promptName, truncate, truncationDirection } from '../inputs.js'
import { jsonRow } from '../numbers.js'
import { checkBatch } from '../prepare.js'
import { post } from '../route.js'

/** Source: text-embeddings-inference `embed_all`, which has no models with an embedding for each token. */
export const embedAllRoute = post({
  method: 'POST',
  path: '/embed_all',
  tag: 'Text Embeddings Inference',
  summary:
    'Embeddings of all tokens, without pooling; a multi-vector encoder is told by the prompts query and document what texts are',
  fields: { inputs, model, truncate, truncation_direction: truncationDirection, prompt_name: promptName },
  example: { inputs: 'What is Deep Learning?' },
  answer: {
    description: 'For each input a row of numbers for each token',
    schema: { type: 'array', items: { type: 'array', items: { type: 'array', items: { type: 'number' } } } },
  },
  async handle(call, body) {
    const lease = call.lease(['embedding', 'multi-vector'], body.model)
    const cutting = { truncate: body.truncate, direction: body.truncation_direction }
    const promptName = body.prompt_name
    const shared = { name: 'inputs', cutting, promptName }
    if (!(lease.model instanceof MultiVectorEncoder)) {
      const found = await embedTokens(call, {
        ...shared,
        inputs: body.inputs,
        model: body.model,
        lease,
        normalize: false,
      })
      return { body: pieces(found), type: 'application/json' }
    }
    checkBatch(body.inputs, 'inputs', call)
    const texts = textsOf(body.inputs.items, 'inputs')
    call.takeTexts(texts.length)
    const task = taskOfPrompt(promptName)
    const found = await embedVectors(call, { ...lease, model: lease.model }, { ...shared, texts, task })
    return { body: pieces([...found]), type: 'application/json' }
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
