// docs/parity.md, from the manifest and what the parity tests have measured. `npm run parity` writes it.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { argv } from 'node:process'
import { fileURLToPath } from 'node:url'
import { manifest, type Row, type Section, TITLES } from './manifest/index.js'
// Types alone: what measures needs ava.
import type { Measurement, Report } from './report.js'

const ROOT = new URL('../../../', import.meta.url)
export const PAGE = new URL('docs/parity.md', ROOT)
const REPORTS = new URL('dist/report/', ROOT)

const ABOUT = `This page shows how close sentence-torch is to sentence-transformers. It lists every loss, evaluator, sampler, argument and utility, the source
of its expected values, and the largest deviation from them in the tests. Expected values come from Python or from a paper, never from our own
output.

**Largest deviation** is a fraction of the test's tolerance, followed by that tolerance: \`0.12 of 1e-5\` is a deviation of 1.2e-6, and a fraction
above 1 fails. The tolerance is relative to max(1, |value|) for values and metrics, and to the tensor's norm for gradients, plus the rounding
noise of PyTorch's float32 (as a fraction of the norm of all gradients). \`Python 0.2\` is the deviation of Python's own float32 from its float64,
as a fraction of the tolerance without that noise, so it may be above 1. \`equal\`: only equality passes. \`–\`: behaviour that is tested, not
measured. Numbers of comparisons are in brackets.

**State**: \`built\`; \`built differently\`: the note says how; \`not built\`: the note says why (an option is refused by name,
\`ERR_NOT_IMPLEMENTED\`); \`only here\`.

This page is generated: the rows are in [test/parity/manifest](../test/parity/manifest), and a test fails where one is missing. Fresh
figures need the model and data of \`../shared\`:

\`\`\`sh
npm run build:ts && npx ava 'dist/test/parity/*.test.js' dist/test/unit/{schedule,arguments,trainer-flow}.test.js && npm run parity
\`\`\``

const HEAD = ['sentence-transformers', 'Here', 'State', 'Note', 'Golden values', 'Tests', 'Largest deviation']
const ORDER = ['', 'value', 'gradient', 'value, float64', 'gradient, float64']
/** Cells of a row before the figures. */
const FIXED = HEAD.length - 1

/** Two digits, as in 0.012, 1.5 or 3.1e-7. */
export function twoDigits(value: number): string {
  const rounded = Number(value.toPrecision(2))
  return Math.abs(rounded) >= 1e-3 || rounded === 0 ? String(rounded) : rounded.toExponential()
}

/** The deviation of one part: '0.12 of 1e-5 (14)'. */
export function figure({ part, deviation, allowed, cases, python }: Measurement & { cases: number }): string {
  const label = part ? `${part}: ` : ''
  if (allowed === 0) return `${label}equal (${cases})`
  const reference = python === undefined ? '' : `, Python ${twoDigits(python / allowed)}`
  return `${label}${twoDigits(deviation / allowed)} of ${allowed.toExponential()}${reference} (${cases})`
}

function figures(row: Row, reports: Readonly<Record<string, Report>>): string {
  if (!row.report) return '–'
  const [section, name, only] = row.report
  const parts = Object.entries(reports[section]?.[name] ?? {}).filter(([part]) => only === undefined || part === only)
  if (parts.length === 0) throw new Error(`No figures of ${name} in dist/report/${section}.json: run ${row.tests[0]}`)
  // Values before gradients, float32 before float64, whatever was measured first.
  const order = ([part]: readonly [string, unknown]) => (ORDER.includes(part) ? ORDER.indexOf(part) : ORDER.length)
  return parts
    .sort((a, b) => order(a) - order(b))
    .map(([, measured]) => figure(measured))
    .join('; ')
}

const code = (name: string) => (/^[\w.]+$/.test(name) ? `\`${name}\`` : name)
const names = (list: readonly string[]) => list.map(code).join(', ') || '–'
const links = (paths: readonly string[]) =>
  paths.map((path) => `[${path.slice(path.lastIndexOf('/') + 1)}](../${path})`).join(', ') || '–'

/** What a row says apart from its figures. */
export function cells(row: Row): string[] {
  return [names(row.python), names(row.ours), row.state, row.note || '–', links(row.golden), links(row.tests)]
}

export function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** The page. `machine`: on what the figures were measured. */
export function render(rows: readonly Row[], reports: Readonly<Record<string, Report>>, machine: string): string {
  const tables = (Object.keys(TITLES) as Section[]).map((section) => {
    const table = rows.filter((row) => row.section === section)
    const body = table.map((row) => [...cells(row), figures(row, reports)])
    return `## ${TITLES[section]}\n\n${tableOf(HEAD, body)}`
  })
  return `${['# Parity', `Measured on ${machine}.`, ABOUT, ...tables].join('\n\n')}\n`
}

/** The rows of a page, by title. @param count of cells in front of the figures */
export function rowsOf(page: string, count = FIXED): Record<string, string[][]> {
  const sections = page.split('\n## ').slice(1)
  return Object.fromEntries(
    sections.map((text) => {
      const [title, ...lines] = text.split('\n')
      const table = lines.filter((line) => line.startsWith('| ')).slice(2)
      return [title!, table.map((line) => line.slice(2, -2).split(' | ').slice(0, count))]
    }),
  )
}

export function machine(): string {
  const { versions } = JSON.parse(readFileSync(new URL('test/parity/golden/names.json', ROOT), 'utf8')) as {
    versions: Record<string, string>
  }
  const python = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return `${cpus()[0]?.model ?? 'an unknown processor'}, Node ${process.versions.node}, against ${python.join(', ')}`
}

/** What the tests have measured, by section. */
export function readReports(): Record<string, Report> {
  const files = existsSync(REPORTS) ? readdirSync(REPORTS).filter((file) => file.endsWith('.json')) : []
  const reports = files.map((file): [string, Report] => [
    file.slice(0, -'.json'.length),
    JSON.parse(readFileSync(new URL(file, REPORTS), 'utf8')) as Report,
  ])
  return Object.fromEntries(reports)
}

if (argv[1] === fileURLToPath(import.meta.url)) writeFileSync(PAGE, render(manifest, readReports(), machine()))
