import { MultiVectorEncoder } from '../../models/multi-vector-encoder.js'
import type { Call } from '../call.js'
import { scoreVectors } from '../embed-vectors.js'
import { empty } from '../errors.js'
import { flag, listOf, optional, text } from '../fields.js'
import { model, truncate, truncationDirection } from '../inputs.js'
import { predict } from '../predict.js'
import { type Cutting, checkBatch } from '../prepare.js'
import { json, post } from '../route.js'

export interface Ranked {
  readonly index: number
  readonly score: number
}

export interface RankRequest {
  readonly query: string
  readonly texts: readonly string[]
  /** What the body calls the texts. */
  readonly name: string
  readonly model: string | undefined
  readonly cutting: Cutting
  readonly rawScores: boolean
}

/** Source: text-embeddings-inference `rerank`. */
export const rerankRoute = post({
  method: 'POST',
  path: '/rerank',
  tag: 'Text Embeddings Inference',
  summary: 'Texts by their score with a query: by a cross-encoder, or by late interaction of a multi-vector encoder',
  fields: {
    query: text,
    texts: listOf(text, 'an array of strings'),
    model,
    truncate,
    truncation_direction: truncationDirection,
    raw_scores: optional(flag, false),
    return_text: optional(flag, false),
  },
  example: { query: 'What is Deep Learning?', texts: ['Deep Learning is ...', 'It rains.'] },
  answer: {
    description: 'The texts, the best first',
    schema: {
      type: 'array',
      items: {
        type: 'object',
        properties: { index: { type: 'integer' }, score: { type: 'number' }, text: { type: 'string' } },
      },
    },
  },
  async handle(call, { query, texts, model, truncate, truncation_direction, raw_scores, return_text }) {
    const cutting = { truncate, direction: truncation_direction }
    const found = await rank(call, { query, texts, name: 'texts', model, cutting, rawScores: raw_scores })
    return json(found.map((hit) => (return_text ? { ...hit, text: texts[hit.index] } : hit)))
  },
})

/** Texts by falling score; equal ones keep their order. @throws ServeError */
export async function rank(call: Call, request: RankRequest): Promise<Ranked[]> {
  const { query, texts, name, model, cutting, rawScores } = request
  if (texts.length === 0) throw empty(name)
  // As in TEI a text may be empty beside its query.
  checkBatch({ items: texts.map((each) => query + each), isSingle: false }, name, call)
  const lease = call.lease(['reranker', 'multi-vector'], model)
  call.takeTexts(texts.length)
  const items = texts.map((each) => [query, each] as const)
  const scores =
    lease.model instanceof MultiVectorEncoder
      ? await scoreVectors(call, { ...lease, model: lease.model }, { query, texts, name, cutting, isRaw: rawScores })
      : (await predict(call, lease, { items, name, cutting, rawScores })).map(([score]) => score!)
  return scores.map((score, index) => ({ index, score })).sort((a, b) => b.score - a.score)
}
