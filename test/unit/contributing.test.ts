// CONTRIBUTING.md and the other documents name files, scripts, variables and functions that exist.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import test from 'ava'

const ROOT = new URL('../../../', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8')
const contributing = read('CONTRIBUTING.md')
const documents = [
  ...['CONTRIBUTING.md', 'README.md', 'SECURITY.md', 'CHANGELOG.md', 'bench/README.md'],
  ...['docs', 'docs/recipes'].flatMap((folder) =>
    readdirSync(new URL(`${folder}/`, ROOT)).flatMap((name) => (name.endsWith('.md') ? [`${folder}/${name}`] : [])),
  ),
]

/** Inline code, and the lines of code blocks. */
function codeOf(text: string): string[] {
  const blocks = [...text.matchAll(/^```\w*\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) => block.split('\n'))
  const prose = text.replace(/^```[\s\S]*?^```$/gm, '')
  const indented = prose.split('\n').filter((line) => line.startsWith('    '))
  return [...blocks, ...indented, ...[...prose.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code)]
}

/** Folders at the root whose paths are checked. */
const FOLDERS = 'bench|cmake|docs|examples|install|lib|native|packaging|test|\\.github'

/** The paths of a text. Those with placeholders end before them: `lib/losses/<name>.ts` is `lib/losses/`. */
function pathsOf(text: string): string[] {
  const found = codeOf(text).flatMap(
    (code) => code.match(new RegExp(`(?<![\\w/.@-])(?:${FOLDERS})/[\\w./<>*-]*`, 'g')) ?? [],
  )
  return [...new Set(found.map((path) => path.replace(/[^/]*[<*].*$/, '').replace(/\.$/, '')))]
}

/** Tags of TensorBoard, which look like paths. */
const TAGS = ['test/loss']
/** Folders that programs make. */
const ignored = read('.gitignore')
  .split('\n')
  .filter((line) => line.includes('/'))

test('every path in code of CONTRIBUTING.md and docs exists', (t) => {
  t.true(pathsOf(contributing).length > 30, `${pathsOf(contributing)}`)
  for (const file of documents) {
    for (const path of pathsOf(read(file))) {
      if (TAGS.includes(path) || ignored.some((folder) => `${path}/`.startsWith(folder))) continue
      t.true(existsSync(new URL(path, ROOT)), `${file}: ${path}`)
    }
  }
})

test('every npm script that a document names exists, and CONTRIBUTING.md names those for tests', (t) => {
  const scriptsOf = (path: string) => (JSON.parse(read(path)) as { scripts: Record<string, string> }).scripts
  const scripts = scriptsOf('package.json')
  const known = { ...scripts, ...scriptsOf('examples/electron/package.json') }
  let names = 0
  for (const file of documents) {
    for (const code of codeOf(read(file))) {
      for (const [, name = ''] of code.matchAll(/npm run ([\w:-]+)/g)) {
        t.true(Object.hasOwn(known, name), `${file}: npm run ${name}`)
        names++
      }
    }
  }
  t.true(names > 25, `${names} scripts`)
  const described = codeOf(contributing).join('\n')
  for (const name of Object.keys(scripts).filter((script) => /^(test|check|fuzz|bench|docs|parity)/.test(script))) {
    t.true(name === 'test:native' || new RegExp(`npm (run )?${name}\\b`).test(described), `CONTRIBUTING.md: ${name}`)
  }
})

/** All text of a folder's files with one of the endings, without those of other people. */
function sources(folder: string, endings: RegExp): string {
  const names = readdirSync(new URL(`${folder}/`, ROOT), { recursive: true }).map(String)
  const own = names.filter(
    (name) => endings.test(name) && !/(^|\/)(node_modules|peers\/venv|site-packages)\//.test(name),
  )
  return own.map((name) => read(`${folder}/${name}`)).join('\n')
}

test('every variable of a document is read somewhere', (t) => {
  const text = ['lib', 'native', 'install', 'cmake', 'packaging', 'test', 'bench']
    .map((folder) => sources(folder, /\.(m?js|ts|cts|cpp|cu|h|cmake|sh|py)$/))
    .concat(read('CMakeLists.txt'))
    .join('\n')
  const names = new Set(documents.flatMap((file) => read(file).match(/\bSENTENCE_TORCH_[A-Z][A-Z0-9_]*\b/g) ?? []))
  t.true(names.size > 10)
  for (const name of names) t.true(text.includes(name), name)
})

test('functions and classes of C++ that CONTRIBUTING.md names exist', (t) => {
  const text = sources('native', /\.(h|inl|cpp)$/)
  const part = contributing.slice(contributing.indexOf('## Add an architecture'), contributing.indexOf('## Add an op'))
  const codes = [...part.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code)
  // A name alone, or one that is called.
  const names = codes.flatMap((code) => /^(?:return )?((?:[A-Z]\w*::)?\w+)(?:\(.*)?;?$/.exec(code)?.[1] ?? [])
  const expected = names.filter((name) => /[A-Z_]/.test(name) && !/^(BUILT|npm)/.test(name))
  t.true(expected.length >= 8, `${expected}`)
  for (const name of expected) {
    const [scope, member = scope!] = name.split('::')
    t.regex(text, new RegExp(`\\b${member.replace(/_$/, '_\\w+')}\\b`), name)
    t.regex(text, new RegExp(`\\b${scope!.replace(/_$/, '_\\w+')}\\b`), name)
  }
})

test('the folders of the floor plan are those of lib and native', (t) => {
  const plan = /## The floor plan\n([\s\S]*?)\nAn arrow/.exec(contributing)?.[1] ?? ''
  const [, lib, native] = /lib: ([\s\S]*)native: ([\s\S]*)/.exec(plan) ?? []
  if (lib === undefined || native === undefined) return t.fail('CONTRIBUTING.md has no floor plan')
  const wordsOf = (text: string): string[] => [...(text.match(/[a-z]+/g) ?? [])]
  const entries = (folder: string) =>
    readdirSync(new URL(`${folder}/`, ROOT), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() || entry.name.endsWith('.ts'))
      .map(({ name }) => name.replace(/\.ts$/, ''))
  // Tests, and what is loaded before the engine or linked into it, are on no floor.
  const besides = ['test', 'boot', 'glibc', 'gloo']
  for (const name of entries('lib')) t.true(wordsOf(lib).includes(name), `lib/${name}`)
  for (const name of entries('native'))
    t.true(wordsOf(native).includes(name) || besides.includes(name), `native/${name}`)
  for (const name of wordsOf(lib.split('\n')[0]!)) t.true(entries('lib').includes(name), `floor plan: ${name}`)
  const floors = wordsOf(native.split('cuda')[0]!)
  for (const name of floors) t.true(entries('native').includes(name), `floor plan: ${name}`)
})
