import { embed } from '../embed.js'
import { oneOf, optional } from '../fields.js'
import { dimensions, inputs, model, promptName } from '../inputs.js'
import { jsonRow } from '../numbers.js'
import { post } from '../route.js'

/** Sources: OpenAI's API reference, "Create embeddings"; text-embeddings-inference `openai_embed`, which divides by the length, too. */
export const openAiEmbeddingsRoute = post({
  method: 'POST',
  path: '/v1/embeddings',
  aliases: ['/embeddings'],
  tag: 'OpenAI',
  summary: "Embeddings, as OpenAI's API gives them; token ids are the model's own, with its special tokens",
  errors: 'openai',
  fields: {
    input: inputs,
    model,
    encoding_format: optional(oneOf(['float', 'base64']), 'float'),
    dimensions,
    prompt_name: promptName,
  },
  example: { input: 'What is Deep Learning?', model: 'all-MiniLM-L6-v2' },
  answer: {
    description: 'A list of embeddings, of length 1, and the number of tokens',
    schema: {
      type: 'object',
      properties: {
        object: { type: 'string', enum: ['list'] },
        data: {
          type: 'array',
          items: {
            type: 'object',
            properties: {
              object: { type: 'string', enum: ['embedding'] },
              index: { type: 'integer' },
              embedding: { oneOf: [{ type: 'array', items: { type: 'number' } }, { type: 'string' }] },
            },
          },
        },
        model: { type: 'string' },
        usage: {
          type: 'object',
          properties: { prompt_tokens: { type: 'integer' }, total_tokens: { type: 'integer' } },
        },
      },
    },
  },
  async handle(call, body) {
    const found = await embed(call, {
      inputs: body.input,
      name: 'input',
      model: body.model,
      cutting: {},
      promptName: body.prompt_name,
      normalize: true,
      dimensions: body.dimensions,
    })
    const write = body.encoding_format === 'base64' ? base64 : jsonRow
    const data = Array.from({ length: found.shape[0] }, (_, index) => {
      return `{"object":"embedding","index":${index},"embedding":${write(found.row(index))}}`
    })
    const { model, tokens } = call.facts
    const usage = { prompt_tokens: tokens, total_tokens: tokens }
    const facts = `"model":${JSON.stringify(model)},"usage":${JSON.stringify(usage)}`
    return { body: `{"object":"list","data":[${data.join()}],${facts}}`, type: 'application/json' }
  },
})

/** JSON of the bytes of float32, the lowest first: as all processors that this package runs on have them. */
function base64({ buffer, byteOffset, byteLength }: Float32Array): string {
  return `"${Buffer.from(buffer, byteOffset, byteLength).toString('base64')}"`
}
