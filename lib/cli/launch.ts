/** Several processes of the same command on this machine, which train together. */
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { freePort } from '../io/free-port.js'
import { Interruption, type Io } from './io.js'

/** A line of output never waits longer for its end than the process does. */
class Lines {
  #rest = ''

  constructor(private readonly put: (line: string) => void) {}

  write(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop()!
    for (const line of lines) this.put(`${line}\n`)
  }

  end(): void {
    if (this.#rest !== '') this.put(`${this.#rest}\n`)
  }
}

/**
 * Runs this program `count` times with the same arguments and the variables of torchrun. Lines of ranks above 0 begin with their rank. Where
 * one process fails, the others get some seconds to say so, and are ended.
 * @param args of the program, without the option that asks for several processes
 * @returns 0 if all processes ended well, else 1
 */
export async function launch(count: number, args: readonly string[], io: Io): Promise<number> {
  const port = await freePort()
  const threads = process.env.SENTENCE_TORCH_THREADS ?? String(Math.max(1, Math.floor(availableParallelism() / count)))
  let patience: NodeJS.Timeout | undefined
  const children = Array.from({ length: count }, (_, rank) => {
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        ...{ RANK: `${rank}`, LOCAL_RANK: `${rank}`, WORLD_SIZE: `${count}`, SENTENCE_TORCH_THREADS: threads },
        ...{ MASTER_ADDR: '127.0.0.1', MASTER_PORT: `${port}` },
      },
    })
    const from = rank === 0 ? '' : `[${rank}] `
    // The result is that of rank 0.
    const out = new Lines((line) => (rank === 0 ? io.out(line) : io.err(from + line)))
    const err = new Lines((line) => io.err(from + line))
    child.stdout.setEncoding('utf8').on('data', (text: string) => out.write(text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => err.write(text))
    const ended = new Promise<boolean>((resolve) => {
      child.on('error', (error) => {
        io.err(`${from}${error.message}\n`)
        resolve(false)
      })
      child.on('close', (code, signal) => {
        out.end()
        err.end()
        if (signal !== null) io.err(`${from}ended by ${signal}\n`)
        resolve(code === 0)
      })
    })
    return { child, ended }
  })
  const endAll = (signal: NodeJS.Signals) => {
    for (const { child } of children) if (child.exitCode === null && child.signalCode === null) child.kill(signal)
  }
  for (const { ended } of children) {
    void ended.then((isWell) => {
      if (!isWell) patience ??= setTimeout(() => endAll('SIGKILL'), PATIENCE_MILLISECONDS)
    })
  }
  // From a terminal the processes have the same signal already. They count it once.
  const onAbort = () => endAll(io.signal.reason instanceof Interruption ? io.signal.reason.signal : 'SIGTERM')
  io.signal.addEventListener('abort', onAbort)
  try {
    const ended = await Promise.all(children.map(({ ended }) => ended))
    return ended.every(Boolean) ? 0 : 1
  } finally {
    clearTimeout(patience)
    io.signal.removeEventListener('abort', onAbort)
  }
}

const PATIENCE_MILLISECONDS = 15_000
