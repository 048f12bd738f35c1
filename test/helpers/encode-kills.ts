// Shards of a corpus that are killed at random moments and started again give the bytes of a run that was not stopped.
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, readFileSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Random } from '../../lib/data/random.js'

const program = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url))
const TENTHS = 10

/** A process from its start to its end. */
export interface EncodeRun {
  /** Of which shard, as in `--shard`. */
  shard: string
  seconds: number
  /** By which it ended: a signal, or its exit code. */
  end: string | number
  /** Highest resident memory in MB in each tenth of its time; of fewer parts where it was short. */
  memory: number[]
}

export interface EncodeKills {
  /** Kills that met a process which was encoding. */
  kills: number
  /** The run that nobody disturbed. */
  whole: EncodeRun
  /** All others, in their order. */
  killed: EncodeRun[]
  /** What was compared. */
  files: number
  bytes: number
  /** What is wrong; empty if all is well. */
  faults: string[]
}

export interface EncodeKillsOptions {
  model: string
  dtype?: string
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
  const whole = await encode(options, 'whole', '1/1', faults)
  if (faults.length > 0) throw new Error(faults[0])
  const killed: EncodeRun[] = []
  for (let number = 1; number <= shards; number++) {
    const shard = `${number}/${shards}`
    // The moments of a shard's kills, as shares of the time that an undisturbed shard takes.
    const own = Math.floor(kills / shards) + (number <= kills % shards ? 1 : 0)
    for (let i = 0; i < own; i++) {
      const after = 300 + (((1000 * whole.seconds) / shards) * random.below(1000)) / 1000 / own
      killed.push(await encode(options, 'killed', shard, faults, after))
    }
    killed.push(await encode(options, 'killed', shard, faults))
  }
  const [expected, found] = await Promise.all(['whole', 'killed'].map((name) => digests(join(folder, name))))
  const names = new Set([...expected!.keys(), ...found!.keys()])
  for (const name of names) {
    const [one, other] = [expected!.get(name), found!.get(name)]
    if (one?.sha256 !== other?.sha256) faults.push(`${name}: ${one?.sha256} undisturbed, ${other?.sha256} after kills`)
  }
  return {
    kills: killed.filter(({ end }) => end === 'SIGKILL').length,
    ...{ whole, killed, files: names.size, faults },
    bytes: [...expected!.values()].reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

/** @param after milliseconds after which it is killed */
async function encode(
  options: EncodeKillsOptions,
  name: string,
  shard: string,
  faults: string[],
  after?: number,
): Promise<EncodeRun> {
  const begun = performance.now()
  const child = start(options, name, shard)
  const kill = after === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), after)
  const seen: number[] = []
  const look = setInterval(() => {
    const kilobytes = /VmRSS:\s+(\d+)/.exec(statusOf(child.pid!))?.[1]
    if (kilobytes !== undefined) seen.push(Number(kilobytes) / 1024)
  }, 200)
  const { code, signal, errors } = await ended(child)
  clearTimeout(kill)
  clearInterval(look)
  const end = signal ?? code!
  if (end !== 0 && !(end === 'SIGKILL' && after !== undefined))
    faults.push(`shard ${shard} of ${name} ended with ${end}: ${errors.slice(-2000)}`)
  return { shard, seconds: (performance.now() - begun) / 1000, end, memory: inTenths(seen) }
}

function inTenths(seen: readonly number[]): number[] {
  const parts = Array.from({ length: TENTHS }, (_, tenth) =>
    seen.filter((_value, i) => Math.floor((i * TENTHS) / seen.length) === tenth),
  )
  return parts.filter((part) => part.length > 0).map((part) => Math.round(Math.max(...part)))
}

function start(options: EncodeKillsOptions, name: string, shard: string): ChildProcess {
  const { model, dtype, texts, folder, rowsPerFile, format = 'parquet' } = options
  const words = ['encode', model, texts, '--output-folder', join(folder, name), '--rows-per-file', String(rowsPerFile)]
  const more = ['--format', format, '--shard', shard, ...(format === 'parquet' ? ['--with-text'] : [])]
  if (dtype !== undefined) more.push('--dtype', dtype)
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

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'latin1')
  } catch {
    return ''
  }
}

/** Of all files of a folder, by name. */
async function digests(folder: string): Promise<Map<string, { sha256: string; bytes: number }>> {
  const found = new Map<string, { sha256: string; bytes: number }>()
  for (const name of (await readdir(folder)).sort()) {
    const path = join(folder, name)
    const hash = createHash('sha256')
    for await (const piece of createReadStream(path)) hash.update(piece as Uint8Array)
    found.set(name, { sha256: hash.digest('hex').slice(0, 16), bytes: (await stat(path)).size })
  }
  return found
}
