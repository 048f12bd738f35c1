import { promptText } from '../embed.js'
import { flag, optional } from '../fields.js'
import { model, promptName, texts } from '../inputs.js'
import { checkBatch, withinCharacters } from '../prepare.js'
import { json, post } from '../route.js'
import { transformerOf } from '../served-model.js'
import { tokensOf } from '../token-places.js'

/** Source: text-embeddings-inference `tokenize`. */
export const tokenizeRoute = post({
  method: 'POST',
  path: '/tokenize',
  tag: 'Text Embeddings Inference',
  summary: 'Tokens of texts, without truncation',
  fields: { inputs: texts, model, add_special_tokens: optional(flag, true), prompt_name: promptName },
  example: { inputs: 'What is Deep Learning?' },
  answer: {
    description: 'For each text its tokens; start and stop are bytes of the text',
    schema: {
      type: 'array',
      items: {
        type: 'array',
        items: {
          type: 'object',
          properties: {
            id: { type: 'integer' },
            text: { type: 'string' },
            special: { type: 'boolean' },
            start: { type: 'integer', nullable: true },
            stop: { type: 'integer', nullable: true },
          },
        },
      },
    },
  },
  async handle(call, { inputs, model, add_special_tokens, prompt_name }) {
    checkBatch(inputs, 'inputs', call)
    const lease = call.lease(['embedding', 'sparse', 'multi-vector', 'reranker', 'classifier'], model)
    call.takeTexts(inputs.items.length)
    const transformer = transformerOf(lease.model)
    const { tokenizer } = transformer
    const prompt = promptText(transformer, prompt_name ?? call.service.settings.defaultPromptName ?? undefined)
    const most = tokenizer.maxSeqLength
    const short = inputs.items.map((text) => prompt + withinCharacters(text, most, { truncate: false }, 'inputs'))
    const start = performance.now()
    const options = { signal: call.signal, allowEmpty: true }
    const { ids, offsets } = await tokenizer.encodeAll(short, 2 ** 31 - 1, options)
    call.facts.tokenization += performance.now() - start
    call.facts.tokens += ids.length
    const rows = short.map((text, i) => tokensOf(tokenizer, text, ids.subarray(offsets[i], offsets[i + 1])))
    return json(add_special_tokens ? rows : rows.map((tokens) => tokens.filter(({ special }) => !special)))
  },
})
