import { count, type Field, flag, listOf, optional, text, wrongField } from '../fields.js'
import { model, truncate } from '../inputs.js'
import { json, post } from '../route.js'
import { rank } from './rerank.js'

/** A text, or an object that has one. */
const document: Field<string> = {
  schema: { oneOf: [{ type: 'string' }, { type: 'object', properties: { text: { type: 'string' } } }] },
  read(value, name) {
    if (typeof value === 'string') return value
    if (typeof value === 'object' && value !== null && 'text' in value) return text.read(value.text, `${name}.text`)
    throw wrongField(name, 'a string or an object with a member text', value)
  },
}

/** Sources: the API references of Cohere (v1 and v2 rerank) and of Jina (rerank). */
export const cohereRerankRoute = post({
  method: 'POST',
  path: '/v1/rerank',
  aliases: ['/v2/rerank'],
  tag: 'Cohere and Jina',
  summary: "Documents by their relevance to a query, as Cohere's and Jina's APIs give them",
  errors: 'cohere',
  fields: {
    query: text,
    documents: listOf(document, 'an array of strings'),
    model,
    top_n: optional(count, undefined),
    return_documents: optional(flag, false),
    truncate,
  },
  example: { query: 'What is Deep Learning?', documents: ['Deep Learning is ...', 'It rains.'], top_n: 1 },
  answer: {
    description: 'The documents, the best first, with scores from 0 to 1; of a multi-vector encoder from -1 to 1',
    schema: {
      type: 'object',
      properties: {
        id: { type: 'string' },
        model: { type: 'string' },
        results: {
          type: 'array',
          items: {
            type: 'object',
            properties: {
              index: { type: 'integer' },
              relevance_score: { type: 'number' },
              document: { type: 'object', properties: { text: { type: 'string' } } },
            },
          },
        },
        usage: { type: 'object', properties: { total_tokens: { type: 'integer' } } },
        meta: { type: 'object' },
      },
    },
  },
  async handle(call, { query, documents: texts, model, top_n: most = texts.length, return_documents, truncate }) {
    const asked = { query, texts, name: 'documents', model, cutting: { truncate }, rawScores: false }
    const found = await rank(call, asked)
    const results = found.slice(0, most).map(({ index, score }) => ({
      index,
      relevance_score: score,
      ...(return_documents && { document: { text: texts[index] } }),
    }))
    const { tokens } = call.facts
    return json({
      id: call.id,
      model: call.facts.model,
      results,
      usage: { total_tokens: tokens, prompt_tokens: tokens },
      meta: { api_version: { version: '2' } },
    })
  },
})
