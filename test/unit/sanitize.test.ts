import { readdirSync } from 'node:fs'
import test from 'ava'

const folder = new URL('../../../test/sanitize/', import.meta.url)
interface Plan {
  builds: string[][]
  paths: string[]
  programs: string[]
  native: string | undefined
  jobs: number
}
interface Options {
  reports: string
  suppressions: string
  inNode: boolean
}
const { parsePlan, sanitizerOptions, USAGE } = (await import(new URL('plan.mjs', folder).href)) as {
  parsePlan(args: string[], found: { programs: string[] }): Plan | undefined
  sanitizerOptions(options: Options): Record<string, string>
  USAGE: string
}
const found = { programs: ['encode', 'search', 'workers'] }

test('arguments of test:sanitize', (t) => {
  const all = parsePlan([], found)!
  t.deepEqual(all.builds, [['address', 'undefined'], ['thread']])
  t.deepEqual([all.paths, all.programs], [['portable', 'avx2', 'avx512', 'amx'], found.programs])
  t.is(all.native, '*')
  const parse = (text: string) => parsePlan(text.split(' '), found)!
  t.deepEqual(parse('--only thread').builds, [['thread']])
  // In an order that does not depend on how they are asked for: it names the build's folder.
  t.deepEqual(parse('--only thread,undefined,address').builds, [['address', 'undefined'], ['thread']])
  const { paths, programs, native, jobs } = parse('--paths avx2,portable --programs workers --native Trainer* --jobs 3')
  t.deepEqual(
    { paths, programs, native, jobs },
    {
      paths: ['portable', 'avx2'],
      programs: ['workers'],
      native: 'Trainer*',
      jobs: 3,
    },
  )
  const none = parse('--native none --programs none')
  t.deepEqual([none.native, none.programs], [undefined, []])
  t.is(parsePlan(['--help'], found), undefined)
})

test('arguments of test:sanitize that are wrong', (t) => {
  const refused = (text: string, message: RegExp) => t.throws(() => parsePlan(text.split(' '), found), { message })
  refused('--only memory', /--only: expected some of address, undefined, thread but found memory/)
  refused('--programs encoding', /expected some of encode, search, workers but found encoding/)
  refused('--paths', /--paths needs a value[\s\S]*--only LIST/)
  refused('--paths --only', /--paths needs a value/)
  refused('--jobs 0', /--jobs needs a whole number from 1 on, not 0/)
  refused('--sanitizer address', /unknown argument --sanitizer/)
  refused('address', /unknown argument address/)
  t.regex(USAGE, /--native/)
})

test('every report goes to a file, and suppressions exist', (t) => {
  const options = sanitizerOptions({ reports: '/r/report', suppressions: folder.pathname, inNode: true })
  for (const name of ['ASAN', 'UBSAN', 'TSAN']) t.regex(options[`${name}_OPTIONS`]!, /log_path=\/r\/report/, name)
  t.regex(options.ASAN_OPTIONS!, /detect_leaks=0/)
  const files = readdirSync(folder)
  for (const text of Object.values(options))
    for (const [, file] of text.matchAll(/suppressions=[^:]*\/([a-z]+\.supp)/g)) t.true(files.includes(file!), file)
})
