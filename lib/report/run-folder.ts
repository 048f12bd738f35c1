import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { invalidArgument } from '../errors.js'
import { writeFileAtomic } from '../io/atomic.js'
import { makeFolder } from '../io/files.js'
import { parseJson } from '../io/schema.js'
import { failedTo } from '../io/system-error.js'
import { checkType } from '../options.js'
import { checkFigure, checkFigureName, type Figure, figureText } from './figures.js'
import { manifestSchema, type RunManifest, type RunResult, type RunState, resultSchema } from './manifest.js'
import { type RunContents, readRun } from './read-run.js'

/** Names in a run's folder. */
export const RUN_FILES = {
  manifest: 'run.json',
  result: 'result.json',
  config: 'config.yaml',
  log: 'log.jsonl',
  figures: 'figures',
  stages: 'stages',
  model: 'model',
  report: 'report.html',
} as const

export interface NewRun {
  /** The config as run: its YAML text, or options, of which what JSON can hold is written. */
  config?: string | object
  /** What is known when the run starts. `format`, `startedAt` and `state` are set. */
  manifest: Omit<RunManifest, 'format' | 'startedAt' | 'state' | 'finishedAt' | 'error'>
  /**
   * Whether an earlier run in this folder is continued. Its log, result and figures then stay; without, they are removed.
   * Models, checkpoints and stages always stay. Default false.
   */
  resume?: boolean
}

/**
 * The folder of one run: files that a report is made of, whoever made them. Every file is written as a whole or not at all.
 *
 *     const run = await RunFolder.create('runs/a', { config, manifest: { recipe: 'finetune', baseModel } })
 *     await run.writeFigure('scores', { kind: 'scatter', title: 'Scores', series })
 *     await run.writeResult({ metrics, notes: [], counts: {} })
 *     await run.finish()
 */
export class RunFolder {
  readonly path: string
  #manifest: RunManifest

  private constructor(path: string, manifest: RunManifest) {
    this.path = path
    this.#manifest = manifest
  }

  /**
   * Starts a run: makes the folder and writes `config.yaml` and `run.json`.
   * @throws ERR_INVALID_ARGUMENT; ERR_FILE_SYSTEM where it cannot be written
   */
  static async create(outputDir: string, { config, manifest, resume = false }: NewRun): Promise<RunFolder> {
    if (typeof outputDir !== 'string' || outputDir === '') throw invalidArgument('outputDir', 'a folder', outputDir)
    checkType('resume', resume, 'boolean')
    const path = resolve(outputDir)
    await makeFolder(path).catch(failedTo(`make the folder ${path}`))
    if (!resume) await removeOutputs(path)
    const run = new RunFolder(path, { format: 1, startedAt: now(), state: 'running', ...manifest })
    await run.writeManifest({})
    if (config !== undefined) await writeFileAtomic(join(path, RUN_FILES.config), await configText(config))
    return run
  }

  /** What a run's folder holds. @throws ERR_NOT_FOUND without a `run.json`; ERR_INVALID_FILE that names the file */
  static read(folder: string): Promise<RunContents> {
    return readRun(folder)
  }

  get manifest(): Readonly<RunManifest> {
    return this.#manifest
  }

  /** The place of a file of this run. */
  file(...names: string[]): string {
    return join(this.path, ...names)
  }

  /** Adds to `run.json`; members that are there already are replaced. @throws ERR_INVALID_ARGUMENT */
  async writeManifest(changes: Partial<Omit<RunManifest, 'format'>>): Promise<void> {
    const manifest = { ...this.#manifest, ...changes }
    await this.#writeJson(RUN_FILES.manifest, checked(manifest, manifestSchema, RUN_FILES.manifest))
    this.#manifest = manifest
  }

  /** @throws ERR_INVALID_ARGUMENT, also for numbers that are not finite */
  async writeResult(result: RunResult): Promise<void> {
    await this.#writeJson(RUN_FILES.result, checked(result, resultSchema, RUN_FILES.result))
  }

  /**
   * @param name of the file; figures of one section stand in the order of their names
   * @throws ERR_INVALID_ARGUMENT, ERR_INVALID_DATA
   */
  async writeFigure(name: string, figure: Figure): Promise<void> {
    checkFigureName(name)
    checkFigure(`the figure ${name}`, figure)
    const folder = this.file(RUN_FILES.figures)
    await makeFolder(folder).catch(failedTo(`make the folder ${folder}`))
    await writeFileAtomic(join(folder, `${name}.json`), figureText(figure))
  }

  /** Ends the run. @param error why it has failed */
  async finish(state: Exclude<RunState, 'running'> = 'finished', error?: string): Promise<void> {
    await this.writeManifest({ state, finishedAt: now(), ...(error !== undefined && { error }) })
  }

  async #writeJson(name: string, value: object): Promise<void> {
    await writeFileAtomic(this.file(name), `${JSON.stringify(value, null, 2)}\n`)
  }
}

const now = () => new Date().toISOString()

/** The value, after the check that reading makes, so that what is written can be read. */
function checked<T extends object>(value: T, schema: typeof manifestSchema | typeof resultSchema, file: string): T {
  checkType(file, value, 'object')
  // JSON turns numbers that are not finite into null, and the check then names their place.
  parseJson(JSON.stringify(value), file, schema as typeof resultSchema & typeof manifestSchema, 'ERR_INVALID_ARGUMENT')
  return value
}

async function removeOutputs(path: string): Promise<void> {
  for (const name of [RUN_FILES.log, RUN_FILES.result, RUN_FILES.figures, RUN_FILES.report, RUN_FILES.config]) {
    await rm(join(path, name), { recursive: true, force: true }).catch(failedTo(`remove ${join(path, name)}`))
  }
}

/** YAML of what JSON can hold; what it cannot (datasets, models, signals) is named by its class. */
async function configText(config: string | object): Promise<string> {
  if (typeof config === 'string') return config
  const { stringify } = await import('yaml')
  return stringify(plainCopy(config))
}

function plainCopy(value: unknown): unknown {
  if (value === null || ['string', 'number', 'boolean'].includes(typeof value)) return value
  if (Array.isArray(value)) return value.map((entry) => plainCopy(entry) ?? null)
  if (typeof value !== 'object') return typeof value === 'bigint' ? String(value) : undefined
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return `(${value.constructor.name})`
  const entries = Object.entries(value).map(([key, member]) => [key, plainCopy(member)] as const)
  return Object.fromEntries(entries.filter(([, member]) => member !== undefined))
}
