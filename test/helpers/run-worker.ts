import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { RunRequest } from './resume-worker.js'

const worker = fileURLToPath(new URL('resume-worker.js', import.meta.url))

/** Runs resume-worker.ts in a process of its own; the signal that ended it, or its exit code. */
export function runWorker(request: RunRequest): Promise<NodeJS.Signals | number> {
  const child = spawn(process.execPath, [worker, JSON.stringify(request)], { stdio: ['ignore', 'ignore', 'pipe'] })
  let errors = ''
  child.stderr.on('data', (data: Buffer) => {
    errors += data
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      if (code !== null && code !== 0) reject(new Error(errors))
      else resolve(signal ?? code!)
    })
  })
}
