// A page of the repository as a page of the site: only its links change, and its comments go.
import { readFileSync } from 'node:fs'
import { posix } from 'node:path'

const { repository } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const FILES = `https://github.com/${repository.replace(/^github:/, '')}/blob/main`

/**
 * @param {string} file the page's path in the repository: `README.md` or below `docs/`
 * @param {string} text
 */
export function sitePage(file, text) {
  const parts = text.split(/(^```[\s\S]*?^```$)/m)
  return parts.map((part, i) => (i % 2 === 1 ? part : prose(file, part))).join('')
}

/** @param {string} file @param {string} text */
function prose(file, text) {
  return text
    .replace(/<!--[\s\S]*?-->\n?/g, '')
    .replace(/(`[^`\n]*`)|\]\(([^)\s]+)\)/g, (all, code, to) => (code ? all : `](${siteLink(file, to)})`))
}

/**
 * @param {string} file the page with the link
 * @param {string} to as it stands there
 */
export function siteLink(file, to) {
  if (/^(\w+:|#)/.test(to)) return to
  const [path, anchor] = to.split('#')
  const target = posix.join(posix.dirname(file), path)
  const behind = anchor ? `#${anchor}` : ''
  if (target === 'README.md') return `/index.md${behind}`
  if (!target.startsWith('docs/') || !/\.(md|svg)$/.test(target)) return `${FILES}/${target}${behind}`
  return `/${target.slice('docs/'.length).replace(/README\.md$/, 'index.md')}${behind}`
}
