import { get, json } from '../route.js'

/** What the page at `/` shows. */
export const statusRoute = get({
  path: '/status',
  tag: 'Service',
  summary: 'Work, latency, versions and learners at this moment',
  isPublic: false,
  answer: {
    description: 'Numbers; latency is of the last 1,000 requests, in milliseconds',
    schema: { type: 'object' },
  },
  async handle({ service }) {
    const { texts, metrics, models, learners, isDraining, settings } = service
    return json({
      textsInWork: texts.used,
      mostTexts: settings.maxConcurrentRequests,
      isDraining,
      latency: metrics.latest.quantiles(),
      models: models.entries().map(([name, { task, version }]) => {
        const learner = learners.get(name)?.status()
        return { name, task, version, ...(learner && { learner }) }
      }),
    })
  },
})
