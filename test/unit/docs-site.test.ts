// The site of documentation: its pages and links. VitePress itself runs in a workflow (npm run docs:site).
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { packageRoot } from '#system'

const load = async <T>(name: string) => (await import(pathToFileURL(join(packageRoot, 'docs-site', name)).href)) as T
const { sitePage, siteLink } = await load<{
  sitePage(file: string, text: string): string
  siteLink(file: string, to: string): string
}>('pages.mjs')

const names = readdirSync(join(packageRoot, 'docs'), { recursive: true, encoding: 'utf8' })
const pages = ['README.md', ...names.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)]

/** The file of the repository that a link of the site leads to. */
function sourceOf(link: string): string {
  const [path = ''] = link.split('#')
  const file = /^https:\/\/github\.com\/[\w-]+\/[\w-]+\/blob\/main\/(.*)$/.exec(path)?.[1]
  if (file !== undefined) return file
  if (path === '/index.md') return 'README.md'
  return `docs${path.replace(/\/index\.md$/, '/README.md')}`
}

test('every link of a page leads to a page of the site or to a file of the repository', (t) => {
  let links = 0
  for (const file of pages) {
    const text = sitePage(file, readFileSync(join(packageRoot, file), 'utf8'))
    const prose = text.replace(/^```[\s\S]*?^```$/gm, '').replace(/`[^`\n]*`/g, '')
    for (const [, to = ''] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(#|mailto:)/.test(to) || (/^https?:/.test(to) && !to.includes('/blob/main/'))) continue
      t.true(existsSync(join(packageRoot, sourceOf(to))), `${file}: ${to}`)
      links++
    }
  }
  t.true(links > 150, `${links} links`)
})

test('links change, code does not, and comments go', (t) => {
  t.is(siteLink('docs/a.md', 'b.md#part'), '/b.md#part')
  t.is(siteLink('docs/recipes/a.md', '../b.md'), '/b.md')
  t.is(siteLink('docs/recipes/a.md', 'README.md'), '/recipes/index.md')
  t.is(siteLink('docs/a.md', '../README.md#licence'), '/index.md#licence')
  t.is(siteLink('README.md', 'docs/a.svg'), '/a.svg')
  t.is(siteLink('README.md', '#part'), '#part')
  t.is(siteLink('docs/a.md', 'https://example.org'), 'https://example.org')
  t.is(
    siteLink('docs/a.md', '../examples/x.mjs'),
    'https://github.com/sentence-torch/sentence-torch/blob/main/examples/x.mjs',
  )
  const code = '```ts\nconst a = rows[0](b.md) // <!-- stays -->\n```'
  const text = `<!-- generated: x -->\n[one](b.md) \`[two](b.md)\` ![three](c.svg)\n${code}\n`
  t.is(sitePage('docs/a.md', text), `[one](/b.md) \`[two](b.md)\` ![three](/c.svg)\n${code}\n`)
})

test('every page of docs/ is in the sidebar once, which names no other', async (t) => {
  const { default: config } = await load<{
    default: { themeConfig: { sidebar: { items: { link: string }[] }[] } }
  }>('.vitepress/config.mjs')
  const links = config.themeConfig.sidebar.flatMap(({ items }) => items.map(({ link }) => link))
  const top = names.filter((name) => /^[\w-]+\.md$/.test(name)).map((name) => `/${name.replace(/\.md$/, '')}`)
  t.deepEqual([...links].sort(), ['/', '/api/', '/recipes/', ...top].sort())
})
