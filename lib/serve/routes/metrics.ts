import { get } from '../route.js'

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Source: text-embeddings-inference `metrics`. */
export const metricsRoute = get({
  path: '/metrics',
  tag: 'Service',
  summary: "Counters and durations, under TEI's names, in Prometheus' format",
  answer: { description: 'Lines of text', schema: { type: 'string' }, type: 'text/plain' },
  async handle({ service }) {
    return { body: service.metrics.text(), type: METRICS_TYPE }
  },
})
