import { MultiVectorEncoder } from '../../models/multi-vector-encoder.js'
import { embedVectors, textsOf } from '../embed-vectors.js'
import { invalid, noSuchTask } from '../errors.js'
import { oneOf, optional } from '../fields.js'
import { dimensions, inputs, model, truncate } from '../inputs.js'
import { jsonRow } from '../numbers.js'
import { checkBatch } from '../prepare.js'
import { post } from '../route.js'

/** Source: Jina's API reference, "Create multi-vectors". */
export const jinaMultiVectorRoute = post({
  method: 'POST',
  path: '/v1/multi-vector',
  tag: 'Cohere and Jina',
  summary: "Vectors of all tokens by a multi-vector encoder, as Jina's API gives them",
  errors: 'openai',
  fields: {
    input: inputs,
    model,
    input_type: optional(oneOf(['query', 'document']), 'document'),
    embedding_type: optional(oneOf(['float']), 'float'),
    dimensions,
    truncate,
  },
  example: { input: ['Deep Learning is ...'], input_type: 'document' },
  answer: {
    description: 'For each input a row of numbers for each vector, and the number of tokens',
    schema: {
      type: 'object',
      properties: {
        object: { type: 'string', enum: ['list'] },
        data: {
          type: 'array',
          items: {
            type: 'object',
            properties: {
              object: { type: 'string', enum: ['embeddings'] },
              index: { type: 'integer' },
              embeddings: { type: 'array', items: { type: 'array', items: { type: 'number' } } },
            },
          },
        },
        model: { type: 'string' },
        usage: { type: 'object', properties: { total_tokens: { type: 'integer' } } },
      },
    },
  },
  async handle(call, { input, model: name, input_type: task, dimensions: asked, truncate }) {
    checkBatch(input, 'input', call)
    const { model, ...lease } = call.lease(['multi-vector'], name)
    if (!(model instanceof MultiVectorEncoder)) throw noSuchTask('model has no embedding for each token')
    if (asked !== undefined && asked !== model.embeddingDimension)
      throw invalid(`\`dimensions\`: the vectors of this model have ${model.embeddingDimension} numbers`, 'dimensions')
    const texts = textsOf(input.items, 'input')
    call.takeTexts(texts.length)
    const request = { texts, name: 'input', cutting: { truncate }, task, promptName: undefined }
    const found = await embedVectors(call, { ...lease, model }, request)
    const data = Array.from(found, (vectors, index) => {
      const rows = Array.from({ length: vectors.shape[0] }, (_, i) => jsonRow(vectors.row(i)))
      return `{"object":"embeddings","index":${index},"embeddings":[${rows.join()}]}`
    })
    const { tokens } = call.facts
    const facts = `"model":${JSON.stringify(call.facts.model)},"usage":${JSON.stringify({ total_tokens: tokens, prompt_tokens: tokens })}`
    return { body: `{"object":"list","data":[${data.join()}],${facts}}`, type: 'application/json' }
  },
})
