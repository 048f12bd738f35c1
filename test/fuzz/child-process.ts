import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Case } from './case.js'
import type { Report, Request } from './child.js'
import { cut, type Finding, type Outcome } from './judge.js'

/** A case that takes more is stopped before it takes the machine. */
const MOST_MEMORY = 3 * 2 ** 30
const POLL = 200

/** The child died, or was ended, while it ran the case `index`; −1 for none. */
export class Died {
  constructor(
    readonly index: number,
    readonly finding: Finding,
  ) {}
}

/** A process that runs cases of one target. */
export class Child {
  readonly #process: ChildProcess
  #stderr = ''
  #stopped: Finding | undefined

  private constructor(
    target: string,
    private readonly folder: string,
    private readonly hangSeconds: number,
  ) {
    const env: NodeJS.ProcessEnv = { ...process.env, HF_HOME: join(folder, 'hf'), TMPDIR: folder, HF_HUB_OFFLINE: '1' }
    for (const name of ['HF_TOKEN', 'HF_ENDPOINT', 'HF_HUB_CACHE']) delete env[name]
    this.#process = fork(fileURLToPath(new URL('./child.js', import.meta.url)), [target, folder], {
      cwd: folder,
      env,
      execArgv: ['--no-warnings', '--expose-gc', '--max-old-space-size=1500'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#process.stderr!.on('data', (data) => {
      this.#stderr = (this.#stderr + data).slice(-4000)
    })
  }

  /** @param hangSeconds what a case may work, or wait, at most */
  static async start(target: string, hangSeconds = 5): Promise<Child> {
    const child = new Child(target, mkdtempSync(join(tmpdir(), 'sentence-torch-fuzz-')), hangSeconds)
    const answer = await child.#answer()
    if (answer !== 'ready') throw new Error(`The target ${target} does not start: ${(answer as Died).finding.message}`)
    return child
  }

  /** The cases from `from` on, for some time. */
  async run(seed: number, from: number, milliseconds: number): Promise<Report | Died> {
    return this.#ask({ seed, from, milliseconds }) as Promise<Report | Died>
  }

  /** One case alone. A child that answers with a crash, a hang or memory is gone. */
  async probe(given: Case): Promise<Outcome> {
    const answer = await this.#ask({ probe: given })
    return answer instanceof Died ? answer.finding : (answer as Outcome)
  }

  /** What the case of this number is. */
  async case(seed: number, index: number): Promise<Case> {
    return this.#ask({ seed, index }) as Promise<Case>
  }

  get isAlive(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null
  }

  stop(): void {
    this.#process.kill('SIGKILL')
    rmSync(this.folder, { recursive: true, force: true })
  }

  async #ask(request: Request): Promise<unknown> {
    this.#process.send(request)
    return this.#answer()
  }

  /** What it says next, or how it died. */
  async #answer(): Promise<unknown> {
    const watch = this.#watch()
    try {
      return await new Promise((resolve, reject) => {
        this.#process.once('message', resolve)
        this.#process.once('error', reject)
        this.#process.once('close', (code, signal) => resolve(new Died(this.#index(), this.#death(code, signal))))
      })
    } finally {
      clearInterval(watch)
      for (const event of ['message', 'error', 'close']) this.#process.removeAllListeners(event)
    }
  }

  #death(code: number | null, signal: string | null): Finding {
    if (this.#stopped) return this.#stopped
    const how = signal ?? `exit code ${code}`
    const said = /ERROR: AddressSanitizer: [\w-]+|runtime error: .*|heap out of memory|terminate called.*/.exec(
      this.#stderr,
    )?.[0]
    return {
      kind: 'crash',
      signature: `crash ${how} ${said ?? ''}`,
      message: `the process died (${how}): ${cut(this.#stderr.trim(), 2000)}`,
    }
  }

  /** Ends a child that stays with one case for too long, or takes too much memory. */
  #watch(): NodeJS.Timeout {
    let last = { index: this.#index(), time: performance.now(), cpu: this.#usage().cpu, polls: 0, asleep: 0 }
    return setInterval(() => {
      const { cpu, sleeps, rss } = this.#usage()
      const index = this.#index()
      const time = performance.now()
      if (index !== last.index) last = { index, time, cpu, polls: 0, asleep: 0 }
      last.polls++
      if (sleeps) last.asleep++
      const seconds = Math.round((time - last.time) / 1000)
      // A machine that is busy makes everything slow; only what works, or waits, for so long hangs.
      const waits = seconds > this.hangSeconds && last.asleep > 0.8 * last.polls
      const hangs = waits || cpu - last.cpu > this.hangSeconds || seconds > 12 * this.hangSeconds
      if (hangs) this.#end({ kind: 'hang', signature: 'hang', message: `it hangs after ${seconds} s` })
      else if (rss > MOST_MEMORY) {
        this.#end({ kind: 'memory', signature: 'memory', message: `it takes ${Math.round(rss / 2 ** 20)} MB` })
      }
    }, POLL)
  }

  #end(finding: Finding): void {
    this.#stopped ??= finding
    this.#process.kill('SIGKILL')
  }

  #index(): number {
    try {
      return Number(readFileSync(join(this.folder, 'progress'), 'latin1').trim() || -1)
    } catch {
      return -1
    }
  }

  /** Seconds of CPU, whether it sleeps, and bytes; where the system does not say, nothing. */
  #usage(): { cpu: number; sleeps: boolean; rss: number } {
    try {
      const text = readFileSync(`/proc/${this.#process.pid}/stat`, 'latin1')
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
      return {
        cpu: (Number(fields[11]) + Number(fields[12])) / 100,
        sleeps: fields[0] === 'S',
        rss: Number(fields[21]) * 4096,
      }
    } catch {
      return { cpu: 0, sleeps: true, rss: 0 }
    }
  }
}
