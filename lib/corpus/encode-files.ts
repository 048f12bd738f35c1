/** Texts of any number, encoded into the files of a folder, by one process or by many. */
import { readAllTexts } from '../data/input-texts.js'
import { SentenceTorchError } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import type { Embeddings } from '../models/embeddings.js'
import { loadAddon } from '../native/load.js'
import { type IndexModel, identityOf } from '../search/embedding-index/model-identity.js'
import { quantizeEmbeddings } from '../search/quantize.js'
import { type EncodeFilesOptions, type EncodePlan, planOf, rangesHash } from './encode-options.js'
import { EncodedFolder, TextsHash } from './folder.js'
import type { FileRecord, Settings } from './manifest.js'
import { type AnyEncoder, classOf, encodeOf, KIND_OF_CLASS, promptOf, type TextEncoder } from './model.js'
import { type EncodedRows, widthOf } from './rows.js'
import { TextCursor } from './text-cursor.js'
import { fileSink, rowWriter } from './writers/index.js'

export interface EncodeFilesResult {
  /** Rows in the files of this process, files that were there included. */
  rows: number
  /** Texts of the whole corpus. */
  total: number
  dimension: number
  /** Files that this call wrote, and those that it found whole. */
  written: number
  found: number
  /** Whether the files of all processes are there, so that the manifest lists them. */
  complete: boolean
}

/**
 * Texts of a call. With so few, the rows of one job do not depend on the time that others take: on AMX, a product of many rows has other
 * last bits than one of few, and a file that is written again must have the same bytes.
 */
const GROUP = 512

/**
 * Encodes the texts of files into the files of a folder: `part-000000.parquet`, … with `rowsPerFile` rows each, the record of each, and
 * `manifest.json`. A file appears when it is whole. One that is there, of the same texts, model and options, and with its checksum, is
 * not written again: who is stopped at any moment calls again, and gets the bytes of a run that was not stopped. Memory does not grow
 * with the texts.
 *
 * The files do not depend on the number of processes. Each reads all texts and encodes those of its files, so that they need no
 * other connection than the folder.
 *
 * ```ts
 * await encodeFiles(model, { inputs: 'docs.jsonl', output: 'vectors', task: 'document', shard: { index: 0, count: 4 } })
 * const vectors = await EncodedFiles.open('vectors')
 * ```
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT, also for a folder with rows of another model, other options or other texts,
 * saying what differs; ERR_INVALID_DATA for no text at all; ERR_BUSY while another process writes the same file;
 * ERR_NOT_FOUND, ERR_FILE_SYSTEM; as `encode`
 */
export async function encodeFiles(model: TextEncoder, options: EncodeFilesOptions): Promise<EncodeFilesResult> {
  return encodePieces(model, options)
}

/** @internal `encodeFiles` with what `-` among the inputs stands for. */
export async function encodePieces(
  model: TextEncoder,
  options: EncodeFilesOptions,
  stdin?: AsyncIterable<Uint8Array>,
): Promise<EncodeFilesResult> {
  const plan = await planOf(model, options)
  const { inputs, column, onBadRow } = plan
  const encode = await encoderOf(model, plan)
  const settings = await settingsOf(model, plan)
  const cursor = new TextCursor(readAllTexts({ inputs, column, stdin, onBadRow }))
  try {
    // A folder that exists is one of some texts.
    if (!(await cursor.hasMore()))
      throw new SentenceTorchError('ERR_INVALID_DATA', `Expected texts in ${inputs.join(', ')}, found none`)
    const folder = await EncodedFolder.open(plan.output, settings)
    return await new Run(plan, folder, cursor, encode).all()
  } finally {
    await cursor.close()
  }
}

type EncodeGroup = (texts: readonly string[]) => Promise<EncodedRows>

/** @throws SentenceTorchError for options that the model refuses */
async function encoderOf(model: TextEncoder, plan: EncodePlan): Promise<EncodeGroup> {
  const { precision, ranges, task } = plan
  const names = ['prompt', 'promptName', 'normalizeEmbeddings', 'truncateDim', 'maxActiveDims', 'batchSize'] as const
  const given = [...names, 'maxBatchTokens' as const].filter((name) => plan[name] !== undefined)
  const options = {
    ...Object.fromEntries(given.map((name) => [name, plan[name]])),
    ...{ priority: 'bulk', ...(plan.signal && { signal: plan.signal }) },
  }
  const encode = encodeOf(model, task)
  // Before anything is written.
  await encode([], options)
  if (precision === 'float32') return (texts) => encode(texts, options)
  const more = { ...(ranges && { ranges }), copy: false }
  return async (texts) => quantizeEmbeddings((await encode(texts, options)) as Embeddings, precision, more)
}

async function settingsOf(model: TextEncoder, plan: EncodePlan): Promise<Settings> {
  const { task, normalizeEmbeddings = false, truncateDim, precision, format, withTexts, rowsPerFile } = plan
  const own = classOf(model)
  const any = model as unknown as AnyEncoder
  const full = model.embeddingDimension
  const dimension = Math.min(truncateDim ?? full, full)
  const maxActiveDims = plan.maxActiveDims ?? (model as { maxActiveDims?: number | null }).maxActiveDims ?? undefined
  const identity = await identityOf(model as IndexModel, dimension, plan.modelName)
  return {
    package: `sentence-torch ${loadAddon().runtime().addonVersion}`,
    model: { sha256: await any.contentHash(), class: own, similarityFnName: any.similarityFnName, identity },
    rows: { kind: KIND_OF_CLASS[own], precision, dimension, format, withTexts, perFile: rowsPerFile },
    options: {
      ...{ task, prompt: promptOf(model, task, plan), normalizeEmbeddings },
      ...{ maxActiveDims, rangesSha256: rangesHash(plan.ranges) },
    },
  }
}

class Run {
  #rows = 0
  #written = 0
  #found = 0
  #total = 0

  constructor(
    private readonly plan: EncodePlan,
    private readonly folder: EncodedFolder,
    private readonly cursor: TextCursor,
    private readonly encode: EncodeGroup,
  ) {}

  async all(): Promise<EncodeFilesResult> {
    const { shard, signal } = this.plan
    for (let index = 0; await this.cursor.hasMore(); index++) {
      throwIfAborted(signal, 'Encoding')
      if (index % shard.count !== shard.index) await this.#skip()
      else await this.#file(index)
    }
    const complete = await this.folder.finish(this.#total)
    const { dimension } = this.folder.settings.rows
    return {
      ...{ rows: this.#rows, total: this.#total, dimension },
      written: this.#written,
      found: this.#found,
      complete,
    }
  }

  async #skip(): Promise<void> {
    for (const group of this.#groups()) this.#total += (await group()).length
  }

  /** The texts of the next file, group by group; each is asked for when the one before has come. */
  *#groups(): Generator<() => Promise<string[]>> {
    const { rowsPerFile } = this.plan
    for (let taken = 0; taken < rowsPerFile; taken += GROUP)
      yield () => this.cursor.take(Math.min(GROUP, rowsPerFile - taken))
  }

  async #file(index: number): Promise<void> {
    const known = await this.folder.intact(index)
    if (known) {
      await this.#check(known)
      this.#found++
    } else {
      await this.folder.write(index, (file, path) => this.#fill(fileSink(file), path), this.plan.signal)
      this.#written++
    }
  }

  /** @throws ERR_INVALID_ARGUMENT where a file is of other texts */
  async #check(known: FileRecord): Promise<void> {
    const hash = new TextsHash()
    for (const group of this.#groups()) hash.add(await group())
    const first = this.#total
    this.#done(hash.count)
    if (known.first === first && known.end === this.#total && known.textsSha256 === hash.digest()) return
    const message =
      `${this.folder.path} holds rows of other texts: ${known.file} is not of texts ${first} to ${this.#total - 1} of ` +
      `${this.plan.inputs.join(', ')}. Choose another folder, or remove this one`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }

  /** While a group is computed, the one before is written, and the one behind it is read. */
  async #fill(sink: ReturnType<typeof fileSink>, path: string) {
    const { format, withTexts } = this.plan
    const { kind, precision, dimension } = this.folder.settings.rows
    const layout = { kind, precision, width: widthOf(dimension, precision) }
    const writer = rowWriter(format, sink, layout, withTexts, path)
    const hash = new TextsHash()
    const first = this.#total
    let encoding: { texts: string[]; rows: Promise<EncodedRows> } | undefined
    const next = async (texts: string[]) => {
      const before = encoding
      const rows = before && (await before.rows)
      encoding = texts.length === 0 ? undefined : { texts, rows: this.encode(texts) }
      // It is awaited after the writing, which may fail first.
      encoding?.rows.catch(() => {})
      if (rows) {
        await writer.add(rows, before.texts)
        this.#done(before.texts.length)
      }
    }
    try {
      for (const group of this.#groups()) {
        const texts = await group()
        if (texts.length === 0) break
        hash.add(texts)
        await next(texts)
      }
      await next([])
      await writer.end()
    } finally {
      await encoding?.rows.catch(() => {})
      await writer.close()
    }
    return { first, end: this.#total, textsSha256: hash.digest() }
  }

  #done(rows: number): void {
    this.#total += rows
    this.#rows += rows
    this.plan.onProgress?.(this.#rows)
  }
}
