// Of each line of docs/cuda.md that has not run on a GPU: whether it passes, by the reports of bench/gpu.sh.
//   node bench/gpu-verdicts.mjs <folder of the reports>
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PAGE = new URL('../docs/cuda.md', import.meta.url)

/**
 * What shows a line: tests of GoogleTest by report and name, or parts of gpu.sh that ended well. All of them count. `devices`: GPUs that
 * it needs. Lines without evidence cannot be shown by the script: `instead` says how.
 * @type {Record<string, { tests?: [report: string, name: RegExp][], parts?: RegExp[], devices?: number, instead?: string }>}
 */
export const EVIDENCE = {
  kernels: { tests: named('device-kernels', 'ResidualNorm', 'AdamW', 'MeanPool', 'SoftmaxLoss', 'TrainsAsTheCpu') },
  attention: { tests: named('device', 'AttentionIsTheReference', 'MembersOfAttention', 'AttentionDropsTheSame') },
  'speed of attention': { instead: 'compare both ways at lengths around kLongestForEfficient (cuda/attention.h)' },
  graphs: {
    tests: [['device-graphs', /^CudaDeviceGraph\./], ...named('device-graphs', 'TrainsAsTheCpu')],
    parts: [/^native-engine-on-device-graphs$/, /^addon-on-device-graphs$/],
  },
  'weight gradients': { tests: named('device', 'WeightGradients') },
  float16: { tests: named('device', 'TrainsAsTheCpu', 'FindsTheScaleOfLosses', 'AttentionIsTheReference') },
  upload: { tests: [['device-graphs', /^CudaDeviceGraph\.UploadsEveryBatch/]] },
  TF32: { tests: [...named('device', 'Products'), ...named('device-tf32', 'Products')] },
  memory: { tests: [['device-graphs', /^CudaDeviceGraph\.RunsOutOfMemory/]] },
  encoding: { tests: named('device', 'EncodesAsTheCpu'), parts: [/^addon-on-device$/] },
  training: {
    tests: named('device', 'TrainsAsTheCpu', 'RanksAsTheCpu'),
    parts: [/^native-engine-on-device$/, /^addon-on-device$/],
  },
  ranks: { tests: [['ranks', /^CudaRanks\./]], parts: [/^addon-ranks$/] },
  'several devices': { devices: 2, instead: 'load models on cuda:1' },
  'packed addon': { instead: 'npx sentence-torch install cuda, with the real wheels' },
}

/**
 * Tests of CudaDevice whose names begin so, each of which counts.
 * @param {string} report
 * @param {...string} names
 * @returns {[report: string, name: RegExp][]}
 */
function named(report, ...names) {
  return names.map((name) => [report, new RegExp(`^CudaDevice\\.${name}`)])
}

/**
 * The lines of docs/cuda.md that have not run: `- **name**: what`.
 * @param {string} page
 * @returns {{ name: string, what: string }[]}
 */
export function linesOf(page) {
  const [, after] = page.split('Compiled, **not yet run**:')
  if (after === undefined) throw new Error('docs/cuda.md has no list after "Compiled, **not yet run**:"')
  const list = after.split(/\n\n(?!- )/)[0] ?? ''
  return list
    .split(/^- /m)
    .slice(1)
    .map((line) => {
      const [, name = '', what = ''] = /^\*\*(.+?)\*\*: (.+)$/.exec(line.replace(/\s+/g, ' ').trim()) ?? []
      return { name, what }
    })
}

/**
 * Tests of a GoogleTest report, by full name: whether each passed; undefined: it was skipped.
 * @param {{ testsuites?: { name: string, testsuite: { name: string, result: string, failures?: unknown[] }[] }[] }} report
 * @returns {Map<string, boolean | undefined>}
 */
export function testsOf({ testsuites = [] }) {
  return new Map(
    testsuites.flatMap((suite) =>
      suite.testsuite.map(({ name, result, failures }) => {
        const passed = failures === undefined || failures.length === 0
        return /** @type {const} */ ([`${suite.name}.${name}`, result === 'COMPLETED' || !passed ? passed : undefined])
      }),
    ),
  )
}

/**
 * @param {string} name of the line
 * @param {{ reports: Map<string, Map<string, boolean | undefined>>, parts: { part: string, status?: number }[], devices: number }} found
 * @returns {{ verdict: 'pass' | 'fail' | 'not run', why: string }}
 */
export function judge(name, { reports, parts, devices }) {
  const rule = EVIDENCE[name]
  if (rule === undefined) return { verdict: 'not run', why: 'bench/gpu-verdicts.mjs knows no evidence for it' }
  if (rule.instead !== undefined) {
    const few = (rule.devices ?? 1) > devices ? `it needs ${rule.devices} GPUs, here ${devices}; ` : ''
    return { verdict: 'not run', why: `${few}by hand: ${rule.instead}` }
  }
  const failed = []
  const absent = []
  for (const [report, pattern] of rule.tests ?? []) {
    const all = [...(reports.get(report) ?? [])].filter(([test]) => pattern.test(test))
    if (all.length === 0) absent.push(`native-${report}.json has none of ${pattern.source}`)
    for (const [test, passed] of all) {
      if (passed === false) failed.push(`${test} (${report})`)
      if (passed === undefined) absent.push(`${test} (${report}) was skipped`)
    }
  }
  for (const pattern of rule.parts ?? []) {
    const ran = parts.filter(({ part, status }) => pattern.test(part) && status !== undefined)
    if (ran.length === 0) absent.push(`${pattern.source} did not run`)
    for (const { part, status } of ran) if (status !== 0) failed.push(`${part} ended with ${status}`)
  }
  if (failed.length > 0) return { verdict: 'fail', why: failed.join(', ') }
  if (absent.length > 0) return { verdict: 'not run', why: absent.join(', ') }
  return { verdict: 'pass', why: '' }
}

/** @param {string} path */
const jsonOf = (path) => JSON.parse(readFileSync(path, 'utf8'))

/**
 * @param {string} folder of the reports
 * @param {string} [page]
 */
export function verdicts(folder, page = readFileSync(PAGE, 'utf8')) {
  const reports = new Map()
  for (const file of readdirSync(folder)) {
    const name = /^native-(.+)\.json$/.exec(file)?.[1]
    if (name !== undefined) reports.set(name, testsOf(jsonOf(join(folder, file))))
  }
  const runs = ['check', 'bench'].map((name) => join(folder, `gpu-${name}.json`)).filter((path) => existsSync(path))
  const machines = runs.map(jsonOf)
  const found = {
    reports,
    parts: machines.flatMap(({ parts }) => parts),
    devices: Math.max(0, ...machines.map(({ devices }) => devices)),
  }
  return linesOf(page).map(({ name, what }) => ({ name, what, ...judge(name, found) }))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.argv[2]
  if (folder === undefined) {
    console.error('usage: node bench/gpu-verdicts.mjs <folder of the reports>')
    process.exit(2)
  }
  const all = verdicts(folder)
  writeFileSync(join(folder, 'verdicts.json'), `${JSON.stringify(all, null, 2)}\n`)
  for (const { name, what, verdict, why } of all) {
    console.log(`${verdict.toUpperCase().padEnd(7)}  ${name}: ${what}${why && ` (${why})`}`)
  }
}
