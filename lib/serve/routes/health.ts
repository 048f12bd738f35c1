import { ServeError } from '../errors.js'
import { get } from '../route.js'
import { isHealthy } from './info.js'

const NOTHING = { body: '', type: 'text/plain; charset=utf-8' }

/** Source: text-embeddings-inference `health`. */
export const healthRoute = get({
  path: '/health',
  aliases: ['/ping'],
  tag: 'Service',
  summary: 'Whether the models answer',
  answer: { description: 'They do', schema: {}, type: 'text/plain' },
  async handle({ service }) {
    if (isHealthy(service)) return NOTHING
    throw new ServeError('Unhealthy', 'unhealthy')
  },
})

export const readyRoute = get({
  path: '/ready',
  tag: 'Service',
  summary: 'Whether new requests are welcome: not while the server drains',
  answer: { description: 'They are', schema: {}, type: 'text/plain' },
  async handle({ service }) {
    if (isHealthy(service) && !service.isDraining) return NOTHING
    throw new ServeError('Unhealthy', service.isDraining ? 'draining' : 'unhealthy')
  },
})
