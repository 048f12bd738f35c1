/** What the page of a running training has beside its report: a script that brings itself up to date. */
import { Html, html } from './html.js'

/** Milliseconds between two questions of the page. */
const EVERY = 1000

/**
 * Sections whose content has changed are replaced. Others stay as they are: what the reader opened stays open, and nothing jumps.
 */
const SCRIPT = `
const told = document.getElementById('live')
const tell = (text) => { if (told.textContent !== text) told.textContent = text }
let tag = ''
async function update() {
  const answer = await fetch('/', { headers: tag ? { 'If-None-Match': tag } : {} })
  if (answer.status === 304) return
  if (!answer.ok) return tell(await answer.text())
  tag = answer.headers.get('ETag')
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
  const main = document.querySelector('main')
  const before = new Map([...main.children].filter(({ id }) => id).map((part) => [part.id, part]))
  const parts = [...page.querySelector('main').children].map((part) => {
    const old = before.get(part.id)
    if (!old) return document.importNode(part, true)
    const opened = old.querySelectorAll('details')
    part.querySelectorAll('details').forEach((details, i) => { details.open = opened[i]?.open ?? details.open })
    return old.outerHTML === part.outerHTML ? old : document.importNode(part, true)
  })
  main.replaceChildren(...parts)
  document.title = page.title
  tell('')
}
async function watch() {
  try {
    await update()
  } catch {
    tell('This page is no longer served: the training has ended, or its program has. What is below was the last state.')
  }
  setTimeout(watch, ${EVERY})
}
watch()
`

/** The policy of the live page: its own script alone, which asks this server alone. */
export function livePolicy(nonce: string): string {
  return (
    `default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'nonce-${nonce}'; connect-src 'self'; ` +
    "base-uri 'none'; form-action 'none'"
  )
}

/** For the end of the body. */
export function liveScript(nonce: string): Html {
  return html`<script nonce="${nonce}">${new Html(SCRIPT)}</script>`
}

/** Where the script says what is wrong. */
export const LIVE_STATUS = html`<p id="live" class="bad" role="status"></p>`
