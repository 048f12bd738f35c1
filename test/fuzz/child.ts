// Runs cases, many in one process: `node child.js <target> <folder>`. Which one runs is in a file, for who finds this process dead.
import { mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Case } from './case.js'
import { type Finding, judge, type Outcome } from './judge.js'
import { Random } from './random.js'
import { targetOf } from './targets/index.js'

export type Request = Stretch | { probe: Case } | { seed: number; index: number }

interface Stretch {
  seed: number
  from: number
  milliseconds: number
}

/** What a stretch of cases gave. */
export interface Report {
  next: number
  counts: Record<string, number>
  findings: (Finding & { index: number })[]
}

/** All inputs are below a megabyte, so that four times the input hardly counts. */
const MEMORY = 260 * 2 ** 20
const [name, folder] = process.argv.slice(2) as [string, string]
const progress = openSync(join(folder, 'progress'), 'w')
const place = join(folder, 'case')
/** Errors that nobody waited for. */
const late: unknown[] = []
for (const event of ['unhandledRejection', 'uncaughtException']) process.on(event, (error) => late.push(error))
// Address sanitizer keeps freed memory for a while.
const checksMemory = process.env.ASAN_OPTIONS === undefined

mkdirSync(place, { recursive: true })
const target = await targetOf(name)
await start()
process.on('message', async (request: Request) => {
  if ('index' in request) process.send!(target.make(Random.of(name, request.seed, request.index)))
  else if ('probe' in request) {
    globalThis.gc?.()
    process.send!(await outcomeOf(request.probe))
  } else process.send!(await stretch(request))
})
process.send!('ready')

/** Errors have to be told here: the handlers above would keep them. */
async function start(): Promise<void> {
  try {
    await target.open?.(place)
    const warm = await outcomeOf(target.warm)
    if (!('code' in warm && warm.code === 'ok')) throw new Error(`the case without a change: ${JSON.stringify(warm)}`)
  } catch (error) {
    console.error(error)
    process.exit(1)
  }
}

async function stretch({ seed, from, milliseconds }: Stretch): Promise<Report> {
  const end = performance.now() + milliseconds
  const report: Report = { next: from, counts: {}, findings: [] }
  while (performance.now() < end && report.findings.length < 10) {
    const index = report.next++
    mark(index)
    const outcome = await outcomeOf(target.make(Random.of(name, seed, index)))
    const key = 'kind' in outcome ? outcome.kind : outcome.code
    report.counts[key] = (report.counts[key] ?? 0) + 1
    if ('kind' in outcome) report.findings.push({ ...outcome, index })
  }
  mark(-1)
  return report
}

async function outcomeOf(given: Case): Promise<Outcome> {
  late.length = 0
  const before = process.memoryUsage.rss()
  forgetPeak()
  let outcome: Outcome = { code: 'ok' }
  try {
    await target.run(given, place)
  } catch (error) {
    outcome = judge(error, target.native)
  }
  // What was left running may fail now.
  await new Promise(setImmediate)
  if (late.length > 0) outcome = unexpected(late[0])
  for (const key in {}) {
    outcome = { kind: 'bad', signature: 'bad prototype', message: `Object.prototype has got the member ${key}` }
    delete (Object.prototype as Record<string, unknown>)[key]
  }
  const grown = process.resourceUsage().maxRSS * 1024 - before
  if (checksMemory && grown > MEMORY && !('kind' in outcome)) {
    outcome = { kind: 'memory', signature: 'memory', message: `memory grew by ${Math.round(grown / 2 ** 20)} MB` }
  }
  return outcome
}

function unexpected(error: unknown): Finding {
  const { stack } = error instanceof Error ? error : new Error(String(error))
  const seen = judge(new Error('late', { cause: error })) as Finding
  return { ...seen, signature: `late ${stack?.split('\n')[0]}`, message: `nobody waited for this error: ${stack}` }
}

function mark(index: number): void {
  writeSync(progress, String(index).padEnd(16), 0)
}

/** Linux alone remembers a peak that can be forgotten; elsewhere the first one stays, and nothing higher is overlooked. */
function forgetPeak(): void {
  if (process.platform === 'linux') writeFileSync('/proc/self/clear_refs', '5')
}
