// Starts several processes that train together (rank-worker.ts).
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../lib/io/free-port.js'
import type { RankAnswer, RankRequest } from './rank-worker.js'

export const WORKER = fileURLToPath(new URL('rank-worker.js', import.meta.url))

export interface Ended extends RankAnswer {
  code: number | null
  signal: string | null
  stderr: string
}

export function start(
  request: RankRequest,
  env: Record<string, string>,
  onStart: (child: ChildProcess) => void = () => {},
): Promise<Ended> {
  const child = spawn(process.execPath, [WORKER, JSON.stringify(request)], {
    env: { ...process.env, OMP_WAIT_POLICY: 'PASSIVE', SENTENCE_TORCH_THREADS: '1', ...env },
  })
  onStart(child)
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (text) => (stdout += text))
  child.stderr.on('data', (text) => (stderr += text))
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      const answer = stdout === '' ? { rank: Number(env.RANK ?? 0) } : (JSON.parse(stdout) as RankAnswer)
      resolve({ ...answer, code, signal, stderr })
    })
  })
}

export interface Change {
  request?: Partial<RankRequest>
  env?: Record<string, string>
  onStart?: (child: ChildProcess) => void
}

/** @param change of the request and the variables of a rank */
export async function trainRanks(
  request: RankRequest,
  size: number,
  change: (rank: number) => Change = () => ({}),
): Promise<Ended[]> {
  const port = await freePort()
  return Promise.all(
    Array.from({ length: size }, (_, rank) => {
      const env = { RANK: `${rank}`, WORLD_SIZE: `${size}`, MASTER_ADDR: '127.0.0.1', MASTER_PORT: `${port}` }
      const own = change(rank)
      return start({ ...request, ...own.request }, { ...(size > 1 && env), ...own.env }, own.onStart)
    }),
  )
}
