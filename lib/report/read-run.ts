import { readdir } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { absent } from '../io/files.js'
import { isAbsent, readWhole } from '../io/open-file.js'
import { parseJson, type Schema } from '../io/schema.js'
import { failedTo } from '../io/system-error.js'
import { type Figure, figureSchema } from './figures.js'
import {
  type LoggedRecord,
  logSchema,
  manifestSchema,
  type RunManifest,
  type RunResult,
  resultSchema,
} from './manifest.js'

/** Limits of what is read: a report is for people, and a browser opens it. */
const MAX_JSON = 64 * 2 ** 20
const MAX_LOG = 256 * 2 ** 20

/** The log of one training. */
export interface RunLog {
  /** Name of the stage; empty for the run itself. */
  stage: string
  records: readonly LoggedRecord[]
}

/** What a run's folder holds. */
export interface RunContents {
  /** Absolute path of the folder. */
  path: string
  name: string
  manifest: RunManifest
  /** Text of `config.yaml`. */
  config?: string
  result?: RunResult
  /** The run's own log and those of its stages; none is empty. */
  logs: readonly RunLog[]
  /** By the names of their files, in their order. */
  figures: ReadonlyMap<string, Figure>
}

/**
 * Reads a run's folder. What the run has not written (yet) is absent.
 * @throws ERR_NOT_FOUND without a `run.json`; ERR_INVALID_FILE that names file and place
 */
export async function readRun(folder: string): Promise<RunContents> {
  const path = resolve(folder)
  const manifest = await json(join(path, 'run.json'), manifestSchema)
  if (manifest === undefined) {
    throw new SentenceTorchError('ERR_NOT_FOUND', `${path} is not the folder of a run: it has no run.json`)
  }
  const [config, result, logs, figures] = await Promise.all([
    bytesOf(join(path, 'config.yaml'), MAX_JSON),
    json(join(path, 'result.json'), resultSchema),
    readLogs(path),
    readFigures(join(path, 'figures')),
  ])
  return {
    ...{ path, name: basename(path), manifest, logs, figures },
    ...(config && { config: config.toString() }),
    ...(result && { result }),
  }
}

async function readLogs(path: string): Promise<RunLog[]> {
  const stages = (await names(join(path, 'stages'))).sort(byNumber)
  const logs: RunLog[] = []
  for (const stage of ['', ...stages]) {
    const file = stage === '' ? join(path, 'log.jsonl') : join(path, 'stages', stage, 'log.jsonl')
    const records = await readLog(file)
    if (records.length > 0) logs.push({ stage, records })
  }
  return logs
}

/**
 * The records of a log. A run that was continued from a checkpoint has steps again that it had before; of these the later
 * records count. The last line may be cut off, where a process ended while it wrote.
 */
export async function readLog(file: string): Promise<LoggedRecord[]> {
  const text = (await bytesOf(file, MAX_LOG))?.toString() ?? ''
  const lines = text.split('\n')
  const rest = lines.pop()
  if (rest !== '' && rest !== undefined && isJson(rest)) lines.push(rest)
  const records: LoggedRecord[] = []
  for (const [i, line] of lines.entries()) {
    if (line.trim() === '') continue
    const record = parseJson(line, `${file}, line ${i + 1}`, logSchema)
    while (records.length > 0 && records.at(-1)!.step > record.step) records.pop()
    records.push(record)
  }
  return records
}

function isJson(line: string): boolean {
  try {
    JSON.parse(line)
    return true
  } catch {
    return false
  }
}

async function readFigures(folder: string): Promise<Map<string, Figure>> {
  const figures = new Map<string, Figure>()
  for (const name of (await names(folder)).filter((entry) => entry.endsWith('.json')).sort()) {
    const figure = await json(join(folder, name), figureSchema)
    if (figure) figures.set(name.slice(0, -'.json'.length), figure)
  }
  return figures
}

async function names(folder: string): Promise<string[]> {
  return readdir(folder)
    .catch(absent([]))
    .catch(failedTo(`read the folder ${folder}`))
}

/** `10-train` stands behind `2-mine`. */
function byNumber(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}

async function json<T>(file: string, schema: Schema<T>): Promise<T | undefined> {
  const bytes = await bytesOf(file, MAX_JSON)
  return bytes && parseJson(bytes, file, schema)
}

async function bytesOf(file: string, most: number): Promise<Buffer | undefined> {
  return readWhole(file, most, 'ERR_INVALID_FILE').catch((error: unknown) => {
    if (isAbsent(error)) return undefined
    throw error
  })
}
