import type { Call } from '../call.js'
import type { JsonSchema } from '../fields.js'
import { get, json } from '../route.js'

/** Seconds since 1970: models have no other date here. */
const STARTED = Math.floor(Date.now() / 1000)

const MODEL: JsonSchema = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    object: { type: 'string', enum: ['model'] },
    created: { type: 'integer' },
    owned_by: { type: 'string' },
  },
}

function described(call: Call, name: string): object {
  const { task, version } = call.service.models.named(name)
  return { id: name, object: 'model', created: STARTED, owned_by: 'sentence-torch', task, version }
}

/** Source: OpenAI's API reference, "List models". */
export const openAiModelsRoute = get({
  path: '/v1/models',
  tag: 'OpenAI',
  summary: 'The models that are served',
  errors: 'openai',
  isPublic: false,
  answer: {
    description: 'A list of models',
    schema: { type: 'object', properties: { object: { type: 'string' }, data: { type: 'array', items: MODEL } } },
  },
  async handle(call) {
    return json({ object: 'list', data: call.service.models.names.map((name) => described(call, name)) })
  },
})

/** Source: OpenAI's API reference, "Retrieve model". */
export const openAiModelRoute = get({
  path: '/v1/models/{model}',
  tag: 'OpenAI',
  summary: 'One model that is served',
  errors: 'openai',
  isPublic: false,
  answer: { description: 'The model', schema: MODEL },
  async handle(call, name) {
    return json(described(call, name))
  },
})
