import { model } from '../inputs.js'
import { json, post } from '../route.js'

/** Starts a training without waiting for more feedback. Its end is in the status. */
export const learnRoute = post({
  method: 'POST',
  path: '/learn',
  tag: 'Learning',
  takesTexts: false,
  summary: 'Trains the next version now; the answer comes when the training has begun',
  fields: { model },
  example: {},
  answer: { description: 'The state of the learner', schema: { type: 'object' } },
  async handle(call, body) {
    const learner = call.learner(body.model)
    learner.checkPending()
    learner.learn().catch(() => {})
    return { ...json(learner.status()), status: 202 }
  },
})
