import { SentenceTorchError } from '../../errors.js'
import { ServeError } from '../errors.js'
import { model } from '../inputs.js'
import { json, post } from '../route.js'

/** The version before serves again. */
export const rollbackRoute = post({
  method: 'POST',
  path: '/rollback',
  tag: 'Learning',
  takesTexts: false,
  summary: 'Lets the version before serve again; a training that runs is stopped',
  fields: { model },
  example: {},
  answer: {
    description: 'The version that serves now',
    schema: { type: 'object', properties: { version: { type: 'string' } } },
  },
  async handle(call, body) {
    try {
      return json({ version: await call.learner(body.model).rollback() })
    } catch (error) {
      if (!(error instanceof SentenceTorchError) || error.code !== 'ERR_NOT_FOUND') throw error
      throw new ServeError('Validation', error.message, { status: 409, code: 'no_version_before' })
    }
  },
})
