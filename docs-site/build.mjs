// npm run docs:site: docs/ and the API as pages in docs-site/dist. Installs nothing: `npm ci` in this folder comes first.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Application } from 'typedoc'
import { build } from 'vitepress'
import { sitePage } from './pages.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const repository = join(here, '..')
const pages = join(here, 'pages')

rmSync(pages, { recursive: true, force: true })
mkdirSync(pages)
for (const name of readdirSync(join(repository, 'docs'), { recursive: true, encoding: 'utf8' })) {
  const source = join(repository, 'docs', name)
  if (name.endsWith('.svg')) cpSync(source, join(pages, 'public', name))
  if (name.endsWith('.md'))
    write(name.replace(/README\.md$/, 'index.md'), sitePage(`docs/${name}`, read(`docs/${name}`)))
}
write('index.md', sitePage('README.md', read('README.md')))
await apiPages()
await build(here)

/** The exported classes, functions and types, one page each, from their comments. */
async function apiPages() {
  const application = await Application.bootstrapWithPlugins({
    entryPoints: entries(),
    tsconfig: join(here, 'tsconfig.json'),
    plugin: ['typedoc-plugin-markdown'],
    readme: 'none',
    excludeInternal: true,
    excludePrivate: true,
    skipErrorChecking: true,
    disableSources: true,
    disableGit: true,
    hideBreadcrumbs: true,
    entryFileName: 'index',
    sanitizeComments: true,
  })
  const project = await application.convert()
  if (!project) throw new Error('typedoc made nothing of lib/')
  await application.outputs.writeOutput({ name: 'markdown', path: join(pages, 'api') }, project)
}

/** The sources of what package.json exports. */
function entries() {
  const { exports } = JSON.parse(read('package.json'))
  return Object.values(exports).flatMap(({ types }) =>
    types ? [join(repository, types.replace('./dist/lib/', 'lib/').replace(/\.d\.ts$/, '.ts'))] : [],
  )
}

/** @param {string} name */
function read(name) {
  return readFileSync(join(repository, name), 'utf8')
}

/** @param {string} name @param {string} text */
function write(name, text) {
  mkdirSync(dirname(join(pages, name)), { recursive: true })
  writeFileSync(join(pages, name), text)
}
