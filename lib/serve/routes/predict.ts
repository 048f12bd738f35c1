import { flag, optional } from '../fields.js'
import { model, sequences, truncate, truncationDirection } from '../inputs.js'
import { labelsOf, predict } from '../predict.js'
import { checkBatch } from '../prepare.js'
import { json, post } from '../route.js'

/** Source: text-embeddings-inference `predict`. */
export const predictRoute = post({
  method: 'POST',
  path: '/predict',
  tag: 'Text Embeddings Inference',
  summary: 'Labels of texts or pairs, with their scores',
  fields: {
    inputs: sequences,
    model,
    truncate,
    truncation_direction: truncationDirection,
    raw_scores: optional(flag, false),
  },
  example: { inputs: 'I like you.' },
  answer: {
    description: 'For a single input its labels, the best first; for a batch an array of them',
    schema: {
      type: 'array',
      items: { type: 'object', properties: { score: { type: 'number' }, label: { type: 'string' } } },
    },
  },
  async handle(call, { inputs, model, truncate, truncation_direction, raw_scores }) {
    const sizes = inputs.items.map((item) => (typeof item === 'string' ? item : item.join('')))
    checkBatch({ items: sizes, isSingle: inputs.isSingle }, 'inputs', call)
    const lease = call.lease(['classifier', 'reranker'], model)
    call.takeTexts(inputs.items.length)
    const cutting = { truncate, direction: truncation_direction }
    const asked = { items: inputs.items, name: 'inputs', cutting, rawScores: raw_scores }
    const rows = await predict(call, lease, asked)
    const labels = labelsOf(lease.model)
    const answers = rows.map((scores) =>
      scores.map((score, i) => ({ score, label: labels[i]! })).sort((a, b) => b.score - a.score),
    )
    return json(inputs.isSingle ? answers[0] : answers)
  },
})
