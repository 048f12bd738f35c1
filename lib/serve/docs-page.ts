/** The OpenAPI document as a page that loads nothing and runs nothing. */
import type { OpenApi, Operation } from './openapi.js'

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
code,pre{font:14px/1.4 ui-monospace,monospace;background:#f4f4f4;border-radius:4px}
code{padding:.1em .3em}pre{padding:.8rem;overflow:auto}summary{cursor:pointer;padding:.3rem 0}
@media(prefers-color-scheme:dark){body{background:#161616;color:#ddd}code,pre{background:#262626}}`

export function docsPage({ info, paths }: OpenApi): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  )
  const tags = [...new Set(operations.map(({ operation }) => operation.tags[0]!))]
  const sections = tags.map((tag) => {
    const own = operations.filter(({ operation }) => operation.tags[0] === tag)
    return `<h2>${escaped(tag)}</h2>${own.map(section).join('')}`
  })
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escaped(info.title)} ${escaped(info.version)}</title><style>${STYLE}</style></head><body>
<h1>${escaped(info.title)} ${escaped(info.version)}</h1><p>${escaped(info.description)}</p>
<p>This page as data: <a href="openapi.json">openapi.json</a></p>${sections.join('')}</body></html>
`
}

function section({ path, method, operation }: { path: string; method: string; operation: Operation }): string {
  const { summary, requestBody, responses } = operation
  const body = requestBody?.content['application/json']
  const call = `curl -X POST "$URL${path}" -H 'Content-Type: application/json' -d '${JSON.stringify(body?.example)}'`
  const parts = [
    ...(body?.example === undefined ? [] : [`<pre>${escaped(call)}</pre>`]),
    ...(body === undefined ? [] : [`<p>Body</p><pre>${pretty(body.schema)}</pre>`]),
    ...Object.entries(responses).map(([status, { description, content }]) => {
      const [answer] = Object.values(content ?? {})
      const isNamed = answer === undefined || '$ref' in answer.schema
      return `<p><code>${status}</code> ${escaped(description)}</p>${isNamed ? '' : `<pre>${pretty(answer.schema)}</pre>`}`
    }),
  ]
  return `<details><summary><code>${method} ${escaped(path)}</code> ${escaped(summary)}</summary>${parts.join('')}</details>`
}

function pretty(value: unknown): string {
  return escaped(JSON.stringify(value, null, 2))
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
