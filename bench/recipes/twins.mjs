// What all programs with a twin in Python do: run it, and know which runs are done.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pythonProgram } from '../common/peers.mjs'

/** Runs a script of this folder with the path of its job. @returns the JSON of its last line */
export function runTwin(script, job) {
  const path = join(fileURLToPath(new URL('.', import.meta.url)), script)
  const { status, stdout, stderr } = spawnSync(pythonProgram, [path, job], { encoding: 'utf8', maxBuffer: 1 << 26 })
  if (status !== 0) throw new Error(`${pythonProgram} failed: ${stderr.slice(-3000)}`)
  return JSON.parse(stdout.trim().split('\n').at(-1))
}

/** The keys of the JSON lines that a file of results has. */
export function doneKeys(results) {
  const lines = existsSync(results) ? readFileSync(results, 'utf8').trim().split('\n') : []
  return new Set(lines.filter(Boolean).map((line) => JSON.parse(line).key))
}
