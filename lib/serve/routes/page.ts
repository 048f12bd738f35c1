import { get } from '../route.js'
import { statusPage } from '../status-page.js'

/** A page for whoever runs the server; it holds nothing that is not public, and asks `/status` and `/similarity` with the key typed in. */
export const pageRoute = get({
  path: '/',
  tag: 'Service',
  summary: 'A page that shows queue, latency and versions, and compares texts',
  answer: { description: 'HTML', schema: { type: 'string' }, type: 'text/html' },
  handle: async () => ({ body: statusPage(), type: 'text/html; charset=utf-8' }),
})
