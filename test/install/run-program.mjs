// Programs that a case starts, and the reason why a case is left out.
import { spawn } from 'node:child_process'

/** A case that cannot run here, with the reason. */
export class Skip extends Error {}

/** A program that ended badly; `output` is what it said. */
export class ProgramError extends Error {
  constructor(message, output) {
    super(message)
    this.output = output
  }
}

/**
 * Runs a program to its end.
 * @param {string} program
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, timeout?: number }} [options] timeout in seconds
 * @returns {Promise<{ status: number | string, stdout: string, stderr: string }>} status: exit code or the signal's name
 */
export function attempt(program, args, { timeout = 300, ...options } = {}) {
  return new Promise((resolve, reject) => {
    // A group of its own, so that what the program started ends with it.
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, ...options })
    const said = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'])
      child[name].setEncoding('utf8').on('data', (chunk) => {
        said[name] += chunk
      })
    const timer = setTimeout(() => {
      process.kill(-child.pid, 'SIGKILL')
      reject(new ProgramError(`${show(program, args)} did not end within ${timeout} s:\n${tail(said)}`, tail(said)))
    }, timeout * 1000)
    child.once('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ status: code ?? String(signal), ...said })
    })
  })
}

/**
 * As `attempt`, but anything except exit code 0 is an error.
 * @param {string} program
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, timeout?: number }} [options]
 * @returns {Promise<string>} its standard output
 */
export async function run(program, args, options) {
  const result = await attempt(program, args, options)
  if (result.status === 0) return result.stdout
  throw new ProgramError(`${show(program, args)} ended with ${result.status}:\n${tail(result)}`, tail(result))
}

const show = (program, args) => [program, ...args].join(' ').slice(0, 300)
const tail = ({ stdout, stderr }) => `${stdout}\n${stderr}`.trim().split('\n').slice(-25).join('\n')
