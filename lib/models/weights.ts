import { relative } from 'node:path'
import { fromNative, invalidArgument, SentenceTorchError } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import { openTensorFile, type TensorFile } from '../io/tensor-file.js'
import type { Description, FileRange, NativeEncoder, TensorInfo, TensorRange } from '../native/types.js'
import { NamesOfFiles, type TensorNames } from './checkpoint-names.js'
import { checkFinite } from './finite.js'
import type { ModelFolder } from './model-folder.js'
import { type FolderModule, hasWeights, tensorNames } from './modules/index.js'
import { openStaticTable } from './static-table.js'
import { areDifferent } from './stored-bytes.js'
import type { StoredNames } from './stored-names.js'
import {
  checkTensors,
  ELEMENT_BYTES,
  type ElementDType,
  FLOAT_BYTES,
  leaveOutSurplus,
  type StoredTensor,
} from './weight-check.js'
import { weightFile } from './weight-file.js'
import { guardOf } from './weight-guard.js'
import { openWordWeights } from './word-weights.js'

/** Bytes that the engine reads from a file in one job, between which queries run. */
const JOB_BYTES = 16 * 1024 * 1024
/** Jobs that wait in the engine: few, so that a load ends soon after it is aborted. */
const JOBS_AHEAD = 4
/** The same before `meanwhile`, which keeps this thread from adding more: 1 GB, as much as is read in some tenths of a second. */
const JOBS_MEANWHILE = 64
/** What the engine says of a file that it cannot read. */
const UNREADABLE = ['ERR_FILE_SYSTEM', 'ERR_INVALID_FILE']
/** Bytes that cross to the engine at once: few enough to be still in the processor's cache when the engine copies them. */
const RANGE_BYTES = 4 * 1024 * 1024
/** Where a range may begin in the buffer that crosses, and a multiple of every element size. */
const ALIGNMENT = 64

/** The weight file of a first module. */
async function openFirst(first: ModelFiles['first'], path: string, own: string): Promise<TensorFile> {
  if (first === 'SparseStaticEmbedding') return openWordWeights(own)
  const open = first === 'StaticEmbedding' ? openStaticTable : openTensorFile
  return open(await weightFile(path, relative(path, own)))
}

/** An encoder, or one network of it. */
type WeightReceiver = Pick<NativeEncoder, 'tensors' | 'load' | 'loadFile'> &
  Partial<Pick<NativeEncoder, 'adapterTensors'>>

/** Where a model's weights lie. */
export interface ModelFiles extends Pick<ModelFolder, 'description'> {
  first?: ModelFolder['first']
  path: string
  /** Folder of the first module's files: `path`, or one in it. */
  transformerPath: string
  modules: readonly Pick<FolderModule, 'type' | 'path'>[]
}

/** The weight files of a model folder, opened; their tensors by the engine's names (`0.…`, `2.linear.weight`). */
export class WeightFiles {
  private constructor(
    private readonly tensors: Map<string, StoredTensor>,
    private readonly files: TensorFile[],
    private readonly duplicates: string[],
    private readonly ignored: readonly IgnorePattern[],
    private readonly description: Description,
    /** Of which the adapter's tensors are; undefined: all of the model's. */
    private readonly adapter?: string,
  ) {}

  /**
   * @param ignoreTensors patterns (text is a regular expression) of names that count as if the files did not have them
   * @throws SentenceTorchError ERR_INVALID_MODEL (no weights), ERR_UNSUPPORTED (only in a format that is not
   * read), ERR_INVALID_FILE (damaged),
   * ERR_INVALID_ARGUMENT for a pattern that finds no name
   */
  static async open(folder: ModelFiles, ignoreTensors: readonly (string | RegExp)[] = []): Promise<WeightFiles> {
    const weights = new WeightFiles(new Map(), [], [], ignoreTensors.map(ignorePattern), folder.description)
    try {
      const names = new NamesOfFiles(folder.description.names)
      const { path, transformerPath } = folder
      await weights.add(await openFirst(folder.first, path, transformerPath), 0, names)
      for (const [i, module] of folder.modules.entries()) {
        if (hasWeights(module.type)) await weights.addModule(path, module, i + 1)
      }
      const idle = weights.ignored.find(({ found }) => !found)
      if (idle) {
        throw invalidArgument('ignoreTensors', `patterns of tensors in the files of ${path}`, idle.pattern)
      }
      return weights
    } catch (error) {
      await weights.close()
      throw error
    }
  }

  /**
   * The tensors of an adapter, and of the modules behind the transformer.
   * @param adapter `names`: the engine's, by those in its file, `path`, which is that of the folder where it is absent
   */
  static async openAdapter(
    { path, description, modules }: Omit<ModelFiles, 'transformerPath'>,
    adapter: { name: string; names: ReadonlyMap<string, string>; path?: string },
  ): Promise<WeightFiles> {
    const weights = new WeightFiles(new Map(), [], [], [], description, adapter.name)
    try {
      const file = await openTensorFile(adapter.path ?? path)
      weights.files.push(file)
      for (const [name, { dtype, shape }] of file.tensors) {
        const known = adapter.names.get(name)
        if (known !== undefined) weights.tensors.set(known, { file, path: file.path, name, bare: name, dtype, shape })
      }
      for (const [i, module] of modules.entries()) {
        if (hasWeights(module.type)) await weights.addModule(path, module, i + 1)
      }
      return weights
    } catch (error) {
      await weights.close()
      throw error
    }
  }

  /** Whether the transformer comes with its pooler, which is kept though sentence embeddings do not use it. */
  get hasPooler(): boolean {
    const { pooler } = this.description.names
    return pooler.length > 0 && pooler.every((name) => this.tensors.has(`0.${name}`))
  }

  /**
   * Leaves out a tensor that repeats another one; where the files lack that one, it takes its place.
   * @param name of the engine, like `of`
   * @returns whether the files have both, with different values
   */
  async leaveOutCopy(name: string, of: string): Promise<boolean> {
    const copy = this.tensors.get(name)
    if (copy === undefined) return false
    const original = this.tensors.get(of)
    if (original && (!Object.hasOwn(FLOAT_BYTES, copy.dtype) || (await areDifferent(copy, original)))) return true
    if (!original) this.tensors.set(of, { ...copy, bare: of.slice(of.indexOf('.') + 1) })
    this.tensors.delete(name)
    return false
  }

  /** Gives a tensor the place of another one, where the files have it. */
  takeAs(name: string, place: string): void {
    const tensor = this.tensors.get(name)
    if (tensor === undefined) return
    this.tensors.set(place, { ...tensor, bare: place.slice(place.indexOf('.') + 1) })
    this.tensors.delete(name)
  }

  /**
   * Copies all tensors to the engine. Names, shapes and dtypes are compared before any byte moves. Heads of other tasks and
   * layers that the model does not have are left out, with one warning.
   * @param mayLack names of tensors that the files need not have; the engine keeps its values of those.
   * @param meanwhile is called while the engine reads, which takes a large model some tenths of a second
   * @returns the names of the files, and of `mayLack` those that they do not have
   * @throws SentenceTorchError ERR_INVALID_TENSORS: one error that lists all that is missing, unknown or unfit; the engine
   * adds values that are not finite; ERR_ABORTED
   */
  async load(
    encoder: WeightReceiver,
    mayLack: readonly string[] = [],
    signal?: AbortSignal,
    meanwhile?: () => void,
  ): Promise<{ names: StoredNames; missing: string[] }> {
    this.prepare(encoder, mayLack)
    const [inFiles, others] = this.byPlace()
    try {
      await this.loadFiles(encoder, planJobs(inFiles), others.size === 0, signal, meanwhile)
      await this.loadRead(encoder, planReads(others), signal, inFiles.size === 0 ? meanwhile : undefined)
    } catch (error) {
      throw error instanceof SentenceTorchError ? error : fromNative(error, 'Encoder.load')
    }
    return { names: this.names(), missing: mayLack.filter((name) => !this.tensors.has(name)) }
  }

  /** The tensors that the engine can read by itself, and the others. */
  private byPlace(): [inFiles: Map<string, StoredTensor>, others: Map<string, StoredTensor>] {
    const [inFiles, others] = [new Map<string, StoredTensor>(), new Map<string, StoredTensor>()]
    for (const [name, tensor] of this.tensors) (tensor.file.place ? inFiles : others).set(name, tensor)
    return [inFiles, others]
  }

  /** @param isLast whether nothing follows these jobs */
  private async loadFiles(
    encoder: WeightReceiver,
    jobs: readonly FileJob[],
    isLast: boolean,
    signal: AbortSignal | undefined,
    meanwhile: (() => void) | undefined,
  ): Promise<void> {
    const running: Promise<void>[] = []
    let [most, next] = [JOBS_MEANWHILE, 0]
    try {
      while (next < jobs.length || running.length > 0) {
        while (next < jobs.length && running.length < most) {
          const job = loadJob(encoder, jobs[next]!, isLast && next === jobs.length - 1)
          // It is awaited later, or never when an earlier one fails.
          job.catch(() => {})
          running.push(job)
          next++
        }
        if (most === JOBS_MEANWHILE) meanwhile?.()
        most = JOBS_AHEAD
        await running.shift()
        throwIfAborted(signal, this.what)
      }
    } finally {
      // The engine may still be reading from the files.
      await Promise.allSettled(running)
    }
  }

  /** Loads tensors that are read here. */
  private async loadRead(
    encoder: WeightReceiver,
    plan: ReturnType<typeof planReads>,
    signal: AbortSignal | undefined,
    meanwhile: (() => void) | undefined,
  ): Promise<void> {
    // While the engine copies one buffer the next ranges are read into the other: a large one would be new memory all over.
    const buffers = [new Uint8Array(RANGE_BYTES), new Uint8Array(RANGE_BYTES)]
    let loading: Promise<void> = Promise.resolve()
    try {
      for (const [i, { ranges, last }] of plan.entries()) {
        throwIfAborted(signal, this.what)
        const entries = await readRanges(ranges, buffers[i % 2]!)
        await loading
        loading = encoder.load(entries, last)
        // It is awaited later, or never when reading fails first.
        loading.catch(() => {})
        if (i === 0) meanwhile?.()
      }
      await loading
    } finally {
      // The engine may still be reading from the buffers.
      await loading.catch(() => {})
    }
  }

  private get what(): string {
    return `Loading ${this.files[0]!.path}`
  }

  /**
   * What `load` compares, without moving any byte.
   * @returns the tensors by the engine's names, and what a save calls them
   * @throws as `load`
   */
  check(encoder: NativeEncoder): { tensors: ReadonlyMap<string, StoredTensor>; names: StoredNames } {
    this.prepare(encoder, [])
    return { tensors: this.tensors, names: this.names() }
  }

  /**
   * Gives a model that is in use other weights, in one job: what encodes or saves meanwhile has the old ones or the new ones.
   * Until then all of them are in memory. Where they do not fit or are not finite, the old ones stay; an encoder in which the
   * engine could not end the job, for want of memory, is disposed.
   * @throws as `load`
   */
  async replace(encoder: NativeEncoder): Promise<void> {
    await WeightFiles.exchange(encoder, await this.entries(encoder))
  }

  /** All tensors, in memory. @throws as `load`, also for values that are not finite */
  async entries(encoder: WeightReceiver): Promise<TensorRange[]> {
    this.prepare(encoder, [])
    const entries: TensorRange[] = []
    for (const { ranges } of planReads(this.tensors)) {
      entries.push(...(await readRanges(ranges, new Uint8Array(RANGE_BYTES))))
    }
    checkFinite(entries, this.files[0]!.path)
    return entries
  }

  /** Gives an encoder in use these weights in one job. @throws as `replace` */
  static async exchange(encoder: NativeEncoder, entries: TensorRange[]): Promise<void> {
    try {
      await guardOf(encoder).change(() => encoder.load(entries))
    } catch (error) {
      throw await withoutHalves(encoder, fromNative(error, 'Encoder.load'))
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.files.map((file) => file.close()))
  }

  private async addModule(root: string, { type, path }: ModelFiles['modules'][number], module: number): Promise<void> {
    await this.add(await openTensorFile(await weightFile(root, path)), module, tensorNames(type))
  }

  /** @param names of the files; undefined: the engine's */
  private async add(file: TensorFile, module: number, names?: TensorNames): Promise<void> {
    const { path } = file
    this.files.push(file)
    for (const [name, { dtype, shape }] of file.tensors) {
      const ignored = this.ignored.filter(({ expression }) => expression.test(name))
      for (const pattern of ignored) pattern.found = true
      if (ignored.length > 0) continue
      const bare = names?.bare(name) ?? name
      const own = names ? names.engine(bare) : bare
      if (own === undefined) continue
      const known = `${module}.${own}`
      const twin = this.tensors.get(known)
      if (twin && names?.isPreferred(twin.bare) === names?.isPreferred(bare)) {
        this.duplicates.push(`${twin.name} and ${name} in ${path} are the same tensor`)
      } else if (twin && names?.isPreferred(twin.bare)) continue
      this.tensors.set(known, { file, path, name, bare, dtype, shape })
    }
  }

  private names(): StoredNames {
    const naming = new NamesOfFiles(this.description.names)
    // A file that has one name for both tables is read by every version of transformers under the engine's name alone.
    const named = (known: string, bare: string) => (naming.isPreferred(bare) ? known.slice('0.'.length) : bare)
    return new Map([...this.tensors].map(([known, { bare }]) => [known, named(known, bare)]))
  }

  /** What the files are to have. */
  private expected(encoder: WeightReceiver): TensorInfo[] {
    const { adapter } = this
    if (adapter === undefined) return encoder.tensors()
    const hasModules = [...this.tensors.keys()].some((name) => !name.startsWith('adapter.'))
    const others = hasModules ? encoder.tensors().filter(({ name }) => !name.startsWith('0.')) : []
    return [...(encoder.adapterTensors?.(adapter) ?? []), ...others]
  }

  private prepare(encoder: WeightReceiver, mayLack: readonly string[]): void {
    const expected = this.expected(encoder)
    leaveOutSurplus(this.tensors, expected, this.description, this.files[0]!.path)
    checkTensors(this.tensors, expected, {
      duplicates: this.duplicates,
      mayLack: new Set(mayLack),
      description: this.description,
    })
  }
}

/** What the engine says before it takes any weight. */
const NOTHING_TAKEN = ['ERR_BUSY', 'ERR_DISPOSED']

/** Disposes an encoder that may have some new weights beside old ones: its vectors would be those of no model. */
async function withoutHalves(encoder: NativeEncoder, error: unknown): Promise<unknown> {
  const { code, message } = error as SentenceTorchError
  if (NOTHING_TAKEN.includes(code)) return error
  await encoder.dispose()
  const half = 'the model has been disposed, since some of its weights may be new and others old'
  return error instanceof SentenceTorchError
    ? new SentenceTorchError(code, `${message}; ${half}`, { cause: error })
    : error
}

interface IgnorePattern {
  pattern: string
  expression: RegExp
  found: boolean
}

function ignorePattern(pattern: string | RegExp): IgnorePattern {
  // Not `g` or `y`: they would remember where the last search ended.
  const flags = typeof pattern === 'string' ? '' : pattern.flags.replace(/[gy]/g, '')
  return { pattern: String(pattern), expression: new RegExp(pattern, flags), found: false }
}

/** A stretch of a tensor in bytes, and where it comes to lie in the buffer that crosses. */
interface PlannedRange {
  tensor: readonly [string, StoredTensor]
  start: number
  end: number
  at: number
}

/** All tensors in ranges, as many at once as a buffer holds. */
function planReads(tensors: ReadonlyMap<string, StoredTensor>): { ranges: PlannedRange[]; last: boolean }[] {
  const plan: { ranges: PlannedRange[]; last: boolean }[] = []
  let at = RANGE_BYTES
  for (const tensor of tensors) {
    const { dtype, shape } = tensor[1]
    const total = shape.reduce((product, n) => product * n, ELEMENT_BYTES[dtype as ElementDType])
    for (let start = 0; start < total; ) {
      if (at >= RANGE_BYTES) {
        plan.push({ ranges: [], last: false })
        at = 0
      }
      const end = Math.min(start + RANGE_BYTES - at, total)
      plan.at(-1)!.ranges.push({ tensor, start, end, at })
      at = Math.ceil((at + end - start) / ALIGNMENT) * ALIGNMENT
      start = end
    }
  }
  if (plan.length > 0) plan.at(-1)!.last = true
  return plan
}

/** Stretches of tensors that are in the same file. */
interface FileJob {
  file: number
  ranges: { tensor: StoredTensor; range: FileRange }[]
}

/** All tensors in ranges, as many at once as a job reads. */
function planJobs(tensors: ReadonlyMap<string, StoredTensor>): FileJob[] {
  const jobs: FileJob[] = []
  let room = 0
  for (const [name, tensor] of tensors) {
    const { file, position } = tensor.file.place!(tensor.name)
    const dtype = tensor.dtype as ElementDType
    const total = tensor.shape.reduce((product, n) => product * n, ELEMENT_BYTES[dtype])
    for (let start = 0; start < total; ) {
      if (room <= 0 || jobs.at(-1)!.file !== file) {
        jobs.push({ file, ranges: [] })
        room = JOB_BYTES
      }
      const bytes = Math.min(room, total - start)
      const range = { name, start: start / ELEMENT_BYTES[dtype], dtype, position: position + start, bytes }
      jobs.at(-1)!.ranges.push({ tensor, range })
      room -= Math.ceil(bytes / ALIGNMENT) * ALIGNMENT
      start += bytes
    }
  }
  return jobs
}

async function loadJob(encoder: WeightReceiver, { file, ranges }: FileJob, last: boolean): Promise<void> {
  const given = ranges.map(({ range }) => range)
  try {
    await encoder.loadFile(file, given, last)
  } catch (error) {
    // Reading here gives the error that names the file.
    if (UNREADABLE.includes((error as { code?: string }).code ?? '')) {
      for (const { tensor, range } of ranges) {
        const start = range.start * ELEMENT_BYTES[range.dtype]
        await tensor.file.readInto(tensor.name, start, new Uint8Array(range.bytes))
      }
    }
    throw error
  }
}

/** Reads ranges into the buffer that is to cross. */
function readRanges(ranges: readonly PlannedRange[], buffer: Uint8Array): Promise<TensorRange[]> {
  const read = ranges.map(async ({ tensor: [name, { file, name: stored, dtype }], start, end, at }) => {
    const data = buffer.subarray(at, at + end - start)
    await file.readInto(stored, start, data)
    return { name, start: start / ELEMENT_BYTES[dtype as ElementDType], dtype: dtype as ElementDType, data }
  })
  return Promise.all(read)
}
