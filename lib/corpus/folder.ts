/** A folder of encoded texts, as it is being filled by one or several processes. */
import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { writeFileAtomic } from '../io/atomic.js'
import { createFile } from '../io/create-file.js'
import { fileSha256 } from '../io/file-hash.js'
import { absent, makeFolder } from '../io/files.js'
import { FileLock } from '../io/lock.js'
import { readWhole } from '../io/open-file.js'
import { integer, object, parseJson } from '../io/schema.js'
import { failedTo } from '../io/system-error.js'
import { nameOfHolder, waitForLock } from '../io/wait-for-lock.js'
import {
  difference,
  type FileRecord,
  fileRecordSchema,
  MANIFEST,
  MANIFEST_FORMAT,
  type Manifest,
  manifestSchema,
  manifestText,
  type Settings,
  settingsHash,
} from './manifest.js'

/** Limit of bytes of a manifest: a million files. */
const MOST_BYTES = 2 ** 29

const formatSchema = object({ format: integer(1, 1_000_000) })

/** A file without its ending: the number of the file, so that names sort as rows do. */
const stem = (index: number) => `part-${String(index).padStart(6, '0')}`

/** @throws SentenceTorchError ERR_NOT_FOUND, ERR_INVALID_FILE; ERR_UNSUPPORTED for one of a newer version */
export async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, MANIFEST)
  const bytes = await readWhole(path, MOST_BYTES, 'ERR_INVALID_FILE')
  const { format } = parseJson(bytes, path, formatSchema)
  if (format > MANIFEST_FORMAT) {
    const message = `${path} has the format ${format} of a newer version; this version reads up to ${MANIFEST_FORMAT}`
    throw new SentenceTorchError('ERR_UNSUPPORTED', message)
  }
  return parseJson(bytes, path, manifestSchema) as Manifest
}

export class EncodedFolder {
  readonly #hash: string

  /** @param writer the version that writes the files; the settings name the one that began the folder */
  private constructor(
    readonly path: string,
    readonly settings: Settings,
    private readonly writer: string,
  ) {
    this.#hash = settingsHash(settings)
  }

  /**
   * Makes the folder, or finds that it holds rows of the same model and options.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT that says what differs; ERR_FILE_SYSTEM
   */
  static async open(path: string, settings: Settings): Promise<EncodedFolder> {
    await makeFolder(path).catch(failedTo(`make the folder ${path}`))
    const isNew = await createFile(join(path, MANIFEST), manifestText(settings))
    const there = isNew ? settings : await readManifest(path)
    const other = difference(there, settings)
    if (other !== undefined) {
      const message = `${path} holds rows of ${other}. Choose another folder, or remove this one`
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
    return new EncodedFolder(path, { ...settings, package: there.package, model: there.model }, settings.package)
  }

  /** The name of a file. */
  fileOf(index: number): string {
    return `${stem(index)}.${this.settings.rows.format}`
  }

  /**
   * What is known of a file that is whole; undefined for one that is absent, or whose bytes are not those that were written.
   */
  async intact(index: number): Promise<FileRecord | undefined> {
    const record = await this.#record(index)
    if (record === undefined || record.settingsSha256 !== this.#hash) return undefined
    if ((await this.#sizeOf(index)) !== record.bytes) return undefined
    const path = join(this.path, this.fileOf(index))
    return (await fileSha256(path).catch(failedTo(`read ${path}`))) === record.sha256 ? record : undefined
  }

  /** A record that is damaged is as none: the file is written again. */
  async #record(index: number): Promise<FileRecord | undefined> {
    const path = this.#recordPath(index)
    const bytes = await readFile(path)
      .catch(absent(undefined))
      .catch(failedTo(`read ${path}`))
    try {
      return bytes && parseJson(bytes, path, fileRecordSchema)
    } catch (error) {
      if ((error as SentenceTorchError).code === 'ERR_INVALID_FILE') return undefined
      throw error
    }
  }

  async #sizeOf(index: number): Promise<number | undefined> {
    const path = join(this.path, this.fileOf(index))
    const found = await stat(path)
      .catch(absent(undefined))
      .catch(failedTo(`read ${path}`))
    return found?.size
  }

  #recordPath(index: number): string {
    return join(this.path, `${stem(index)}.json`)
  }

  /**
   * Writes a file and then its record. Nobody else writes it meanwhile.
   * @param fill gets the file, and says what is in it
   * @throws SentenceTorchError ERR_BUSY while another process writes this file; ERR_FILE_SYSTEM; what `fill` throws
   */
  async write(
    index: number,
    fill: (file: FileHandle, path: string) => Promise<Pick<FileRecord, 'first' | 'end' | 'textsSha256'>>,
    signal: AbortSignal | undefined,
  ): Promise<FileRecord> {
    const file = this.fileOf(index)
    const path = join(this.path, file)
    const lock = await this.#lock(path, signal)
    try {
      let filled: Pick<FileRecord, 'first' | 'end' | 'textsSha256'> | undefined
      await writeFileAtomic(path, async (handle) => {
        filled = await fill(handle, path)
      })
      const { size } = await stat(path)
      const record: FileRecord = {
        ...{ file, first: filled!.first, end: filled!.end, bytes: size, sha256: await fileSha256(path) },
        ...{ textsSha256: filled!.textsSha256, settingsSha256: this.#hash, package: this.writer },
      }
      await writeFileAtomic(this.#recordPath(index), `${JSON.stringify(record, null, 2)}\n`)
      return record
    } finally {
      await lock.release()
    }
  }

  async #lock(path: string, signal: AbortSignal | undefined): Promise<FileLock> {
    const taken = await waitForLock(`${path}.lock`, {
      ...{ what: `Waiting for ${path}`, signal },
      onWait: (holder) =>
        process.emitWarning(
          `${path} is being written, or was when its process ended: ${nameOfHolder(holder)} cannot be seen from here. ` +
            'Encoding waits a minute and a half at most for a sign of life',
          'SentenceTorchWarning',
        ),
    }).catch(failedTo(`lock ${path}`))
    if (taken instanceof FileLock) return taken
    const message = `${nameOfHolder(taken)} is writing ${path}: each process needs a shard of its own`
    throw new SentenceTorchError('ERR_BUSY', message)
  }

  /**
   * Lists all files in the manifest once there are those of all processes.
   * @param total rows of the whole corpus
   * @returns whether the folder is complete
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT where it holds rows that the corpus does not have
   */
  async finish(total: number): Promise<boolean> {
    const count = Math.ceil(total / this.settings.rows.perFile)
    const names = await readdir(this.path).catch(failedTo(`read ${this.path}`))
    const numbers = names.flatMap((name) => /^part-(\d{6,})\.json$/.exec(name)?.[1] ?? []).map(Number)
    const beyond = numbers.find((number) => number >= count)
    if (beyond !== undefined) {
      const message = `${join(this.path, this.fileOf(beyond))} has rows beyond the ${total} texts that there are: the folder is of other texts. Choose another folder, or remove this one`
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
    if (numbers.length < count) return false
    const files: FileRecord[] = []
    for (let index = 0; index < count; index++) {
      const record = await this.#record(index)
      if (record === undefined || record.settingsSha256 !== this.#hash) return false
      // A file may be lost while its record is there.
      if ((await this.#sizeOf(index)) !== record.bytes) return false
      files.push(record)
    }
    const text = manifestText(this.settings, files)
    const path = join(this.path, MANIFEST)
    // Every process that finds all files writes the same.
    if (String(await readFile(path)) !== text) await writeFileAtomic(path, text)
    return true
  }
}

/** Of texts, which may come in any pieces. */
export class TextsHash {
  readonly #hash = createHash('sha256')
  count = 0

  add(texts: readonly string[]): void {
    for (const text of texts) {
      // Lengths come first, so that "ab", "c" is not "a", "bc".
      const bytes = Buffer.from(text)
      this.#hash.update(`${bytes.length}\n`).update(bytes)
    }
    this.count += texts.length
  }

  digest(): string {
    return this.#hash.digest('hex')
  }
}
