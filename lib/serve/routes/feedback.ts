import { invalid } from '../errors.js'
import { listOf, object, optional, text } from '../fields.js'
import { model } from '../inputs.js'
import type { Feedback } from '../learner/feedback.js'
import { json, post } from '../route.js'

const pair = { query: text, positive: text, negative: optional(text, undefined) }

/** What people found right, for the learner of a model. */
export const feedbackRoute = post({
  method: 'POST',
  path: '/feedback',
  tag: 'Learning',
  takesTexts: false,
  summary: 'Pairs of a query and a text that fits it, from which the next version of the model learns',
  fields: {
    model,
    query: optional(text, undefined),
    positive: optional(text, undefined),
    negative: optional(text, undefined),
    pairs: optional(listOf(object(pair), 'an array of pairs'), undefined),
  },
  example: { pairs: [{ query: 'What is deep learning?', positive: 'Deep learning trains networks of many layers.' }] },
  answer: {
    description: 'What was accepted, and is on the disk; what the version that serves has not learned',
    schema: {
      type: 'object',
      properties: { accepted: { type: 'integer' }, pending: { type: 'integer' }, version: { type: 'string' } },
    },
  },
  async handle(call, { model: name, pairs, ...one }) {
    const learner = call.learner(name)
    const given = pairs ?? [one]
    if (pairs && Object.values(one).some((value) => value !== undefined)) {
      throw invalid('expected `pairs`, or `query` and `positive`, not both', 'pairs')
    }
    if (given.length === 0) throw invalid('`pairs` cannot be empty', 'pairs')
    const feedback = given.map((each, i) => feedbackOf(each, pairs ? `pairs[${i}].` : ''))
    const { accepted, pending } = await learner.add(feedback)
    return json({ accepted, pending, version: learner.status().version })
  },
})

function feedbackOf(given: Partial<Feedback>, where: string): Feedback {
  for (const name of ['query', 'positive', 'negative'] as const) {
    const value = given[name]
    if (name === 'negative' && value === undefined) continue
    if (value === undefined) throw invalid(`missing field \`${where}${name}\``, `${where}${name}`)
    if (value.trim() === '') throw invalid(`\`${where}${name}\` cannot be empty`, `${where}${name}`)
  }
  const { query, positive, negative } = given as Feedback
  return { query, positive, ...(negative !== undefined && { negative }) }
}
