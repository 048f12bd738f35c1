import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Case } from './case.js'
import { Child, Died } from './child-process.js'
import type { Finding, Outcome } from './judge.js'
import { minimise } from './minimise.js'

/** Where a run of a target is; kept in a file, from which it goes on. */
export interface State {
  target: string
  seed: number
  /** Number of the next case. */
  next: number
  seconds: number
  /** Inputs by what became of them. */
  counts: Record<string, number>
  findings: Found[]
}

export interface Found extends Finding {
  /** Of the first such case. */
  index: number
  times: number
  /** The smallest case that was found to fail so; undefined where it does not fail alone. */
  smallest?: Case
}

export interface FuzzOptions {
  seed: number
  seconds: number
  /** Goes on where the run before ended. */
  resume: boolean
  /** Where the state of runs is kept. */
  folder?: string
}

/** Time of one stretch of cases. */
const STRETCH = 1000

export async function fuzz(target: string, options: FuzzOptions): Promise<State> {
  const { seed, folder = join('runs', 'fuzz') } = options
  const path = join(folder, `${target}.json`)
  mkdirSync(folder, { recursive: true })
  const fresh: State = { target, seed, next: 0, seconds: 0, counts: {}, findings: [] }
  const state: State = options.resume && existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : fresh
  const started = performance.now()
  const before = state.seconds
  const until = started + options.seconds * 1000
  let child: Child | undefined
  try {
    while (performance.now() < until) {
      if (!child?.isAlive) {
        child?.stop()
        child = await Child.start(target)
      }
      const report = await child.run(state.seed, state.next, Math.min(STRETCH, until - performance.now()))
      if (report instanceof Died) {
        const { finding, index } = report
        // What became of the cases before it went with it.
        count(state, 'uncounted', index - state.next)
        count(state, finding.kind, 1)
        // It can die between two cases, too.
        state.next = Math.max(state.next, index + 1)
        await note(state, { ...finding, index })
      } else {
        for (const [code, times] of Object.entries(report.counts)) count(state, code, times)
        state.next = report.next
        for (const finding of report.findings) await note(state, finding)
      }
      state.seconds = before + (performance.now() - started) / 1000
      writeFileSync(path, JSON.stringify(state, null, 1))
    }
  } finally {
    child?.stop()
  }
  return state
}

function count(state: State, code: string, times: number): void {
  if (times > 0) state.counts[code] = (state.counts[code] ?? 0) + times
}

/** Adds a finding to those that are known, with a case as small as possible. */
async function note(state: State, finding: Finding & { index: number }): Promise<void> {
  const known = state.findings.find(({ signature }) => signature === finding.signature)
  if (known) {
    known.times++
    return
  }
  const prober = new Prober(state.target)
  const found: Found = { ...finding, times: 1 }
  try {
    const isSame = (outcome: Outcome) => 'kind' in outcome && outcome.signature === finding.signature
    const fails = async (smaller: Case) => isSame(await prober.probe(smaller))
    const given = await prober.case(state.seed, finding.index)
    if (await fails(given)) found.smallest = await minimise(given, fails)
    // Memory that is not taken again was garbage of the cases before.
    else if (finding.kind === 'memory') return
  } finally {
    prober.stop()
  }
  state.findings.push(found)
  console.error(
    `${state.target}: ${finding.kind} in case ${state.seed}:${finding.index}: ${finding.message.split('\n')[0]}`,
  )
}

/** Runs single cases, in a new process after each that ended one. */
export class Prober {
  #child: Child | undefined

  constructor(
    private readonly target: string,
    private readonly hangSeconds?: number,
  ) {}

  async probe(given: Case): Promise<Outcome> {
    return (await this.#alive()).probe(given)
  }

  async case(seed: number, index: number): Promise<Case> {
    return (await this.#alive()).case(seed, index)
  }

  stop(): void {
    this.#child?.stop()
  }

  async #alive(): Promise<Child> {
    if (!this.#child?.isAlive) {
      this.#child?.stop()
      this.#child = await Child.start(this.target, this.hangSeconds)
    }
    return this.#child
  }
}
