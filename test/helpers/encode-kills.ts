// Shards of a corpus that are killed at random moments and started again give the bytes of a run that was not stopped.
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Random } from '../../lib/data/random.js'

const program = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url))

export interface EncodeKills {
  /** Kills that met a process which was encoding. */
  kills: number
  /** Highest resident memory of a process in MB, half way and at the end of the undisturbed run. */
  memory: { half: number; end: number }
  /** Seconds of the undisturbed run. */
  seconds: number
  /** What is wrong; empty if all is well. */
  faults: string[]
}

export interface EncodeKillsOptions {
  model: string
  texts: string
  folder: string
  shards: number
  rowsPerFile: number
  kills: number
  seed: number
  format?: string
}

/** Encodes the texts undisturbed by one process into `folder/whole`, and in shards that are killed into `folder/killed`. */
export async function encodeAndKill(options: EncodeKillsOptions): Promise<EncodeKills> {
  const { folder, shards, kills, seed } = options
  const random = new Random(seed, 1, 0)
  const faults: string[] = []
  const begun = performance.now()
  const memory = await watched(start(options, 'whole', 1, 1))
  const seconds = (performance.now() - begun) / 1000
  let count = 0
  for (let shard = 1; shard <= shards; shard++) {
    // The moments of a shard's kills, as shares of the time that an undisturbed shard takes.
    const own = Math.floor(kills / shards) + (shard <= kills % shards ? 1 : 0)
    for (let i = 0; i < own; i++) {
      const child = start(options, 'killed', shard, shards)
      const time = (1000 * seconds) / shards
      const timer = setTimeout(() => child.kill('SIGKILL'), 300 + (time * random.below(1000)) / 1000 / own)
      const { signal, code, errors } = await ended(child)
      clearTimeout(timer)
      if (signal === 'SIGKILL') count++
      else if (code !== 0) faults.push(`shard ${shard} ended with ${code}: ${errors.slice(-500)}`)
    }
    const { code, errors } = await ended(start(options, 'killed', shard, shards))
    if (code !== 0) faults.push(`shard ${shard} ended with ${code}: ${errors.slice(-500)}`)
  }
  const [whole, killed] = await Promise.all(['whole', 'killed'].map((name) => digests(join(folder, name))))
  for (const name of new Set([...Object.keys(whole!), ...Object.keys(killed!)]))
    if (whole![name] !== killed![name])
      faults.push(`${name}: ${whole![name]} undisturbed, ${killed![name]} after kills`)
  return { kills: count, memory, seconds, faults }
}

function start(options: EncodeKillsOptions, name: string, shard: number, shards: number): ChildProcess {
  const { model, texts, folder, rowsPerFile, format = 'parquet' } = options
  const words = ['encode', model, texts, '--output-folder', join(folder, name), '--rows-per-file', String(rowsPerFile)]
  const more = ['--format', format, '--shard', `${shard}/${shards}`, ...(format === 'parquet' ? ['--with-text'] : [])]
  return spawn(process.execPath, [program, ...words, ...more], { stdio: ['ignore', 'ignore', 'pipe'] })
}

function ended(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null; errors: string }> {
  let errors = ''
  child.stderr!.on('data', (data: Buffer) => {
    errors += data
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, errors }))
  })
}

/** The memory of a process while it runs. */
async function watched(child: ChildProcess): Promise<EncodeKills['memory']> {
  const seen: number[] = []
  const timer = setInterval(() => {
    const kilobytes = /VmRSS:\s+(\d+)/.exec(statusOf(child.pid!))?.[1]
    if (kilobytes !== undefined) seen.push(Number(kilobytes) / 1024)
  }, 200)
  const { code, errors } = await ended(child)
  clearInterval(timer)
  if (code !== 0) throw new Error(`the undisturbed run ended with ${code}: ${errors.slice(-2000)}`)
  const most = (values: readonly number[]) => Math.round(Math.max(0, ...values))
  return { half: most(seen.slice(0, Math.ceil(seen.length / 2))), end: most(seen.slice(Math.ceil(seen.length / 2))) }
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'latin1')
  } catch {
    return ''
  }
}

async function digests(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const name of (await readdir(folder)).sort()) {
    const hash = createHash('sha256')
    for await (const piece of createReadStream(join(folder, name))) hash.update(piece as Uint8Array)
    found[name] = hash.digest('hex').slice(0, 16)
  }
  return found
}
