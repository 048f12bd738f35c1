import { docsPage } from '../docs-page.js'
import { openApi } from '../openapi.js'
import type { Route } from '../route.js'
import { get, json } from '../route.js'
import { packageVersion } from '../version.js'

/** The pages about all routes, which come from the registry: a module of it cannot import it. */
export function docsRoutes(routes: () => readonly Route[]): Route[] {
  const document = async () => openApi(routes(), await packageVersion())
  return [
    get({
      path: '/docs',
      tag: 'Service',
      summary: 'This description as a page, which loads nothing',
      answer: { description: 'HTML', schema: { type: 'string' }, type: 'text/html' },
      handle: async () => ({ body: docsPage(await document()), type: 'text/html; charset=utf-8' }),
    }),
    get({
      path: '/openapi.json',
      aliases: ['/api-doc/openapi.json'],
      tag: 'Service',
      summary: 'This description as an OpenAPI document',
      answer: { description: 'OpenAPI 3.0', schema: { type: 'object' } },
      handle: async () => json(await document()),
    }),
  ]
}
