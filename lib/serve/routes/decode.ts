import { flag, optional } from '../fields.js'
import { idRows, model } from '../inputs.js'
import { checkBatch } from '../prepare.js'
import { json, post } from '../route.js'
import { transformerOf } from '../served-model.js'

/** Source: text-embeddings-inference `decode`. */
export const decodeRoute = post({
  method: 'POST',
  path: '/decode',
  tag: 'Text Embeddings Inference',
  summary: 'Texts of token ids',
  fields: { ids: idRows, model, skip_special_tokens: optional(flag, true) },
  example: { ids: [101, 2054, 2003, 102] },
  answer: { description: 'A text for each row of ids', schema: { type: 'array', items: { type: 'string' } } },
  async handle(call, { ids, model, skip_special_tokens }) {
    checkBatch(ids, 'ids', call)
    const lease = call.lease(['embedding', 'sparse', 'multi-vector', 'reranker', 'classifier'], model)
    call.takeTexts(ids.items.length)
    const { tokenizer } = transformerOf(lease.model)
    return json(ids.items.map((row) => tokenizer.decode(row, { skipSpecialTokens: skip_special_tokens })))
  },
})
