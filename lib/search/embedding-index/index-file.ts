import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { TimeSlice } from '../../data/time-slice.js'
import { SentenceTorchError } from '../../errors.js'
import { writeFileAtomic } from '../../io/atomic.js'
import { damaged } from '../../io/damaged.js'
import { syncFile } from '../../io/files.js'
import { FileLock, takeLock } from '../../io/lock.js'
import { openFile } from '../../io/open-file.js'
import { failedTo, systemError } from '../../io/system-error.js'
import {
  FIRST_SEGMENT,
  HEAD_BYTES,
  type Head,
  type IndexSettings,
  isIndex,
  PARTS,
  readHead,
  readRecord,
  SEGMENT_BYTES,
  type Segment,
  writeHead,
} from './format.js'
import { type SegmentData, STRIDE, writeSegment } from './write-segment.js'

/** Bytes per system call. */
const READ_BYTES = 2 ** 26

/** The file of an index, open to be read. Additions go through a handle of their own. */
export class IndexFile {
  private constructor(
    readonly path: string,
    private readonly file: FileHandle,
    private current: Head,
    private readonly all: Segment[],
  ) {}

  /** Writes a new file, which appears when it is complete. @throws SentenceTorchError ERR_BUSY while another process adds to the old one */
  static async create(path: string, settings: IndexSettings, data: SegmentData | undefined): Promise<IndexFile> {
    // Whoever adds to the index that was there has done so before, or finds another one.
    const lock = await lockIndex(path)
    try {
      await IndexFile.write(path, settings, data)
    } finally {
      await lock.release()
    }
    return IndexFile.open(path)
  }

  private static async write(path: string, settings: IndexSettings, data: SegmentData | undefined): Promise<void> {
    await writeFileAtomic(path, async (file) => {
      const segment = data && (await writeSegment(file, FIRST_SEGMENT, 0, data))
      const head = { ...settings, sequence: 1, rows: data?.rows ?? 0, end: segment?.end ?? FIRST_SEGMENT }
      for (const place of [0, HEAD_BYTES]) await file.write(writeHead(head), 0, HEAD_BYTES, place)
      // The last part may be empty up to the place where the next segment begins.
      await file.truncate(head.end)
    })
  }

  /**
   * @throws SentenceTorchError ERR_NOT_FOUND, ERR_FILE_SYSTEM; ERR_INVALID_FILE for another or a damaged file; ERR_UNSUPPORTED for one
   * of a newer version
   */
  static async open(path: string): Promise<IndexFile> {
    const file = await openFile(path, 'ERR_INVALID_FILE')
    try {
      const head = await newestHead(file, path)
      const index = new IndexFile(path, file, head, [])
      await index.readSegments(head)
      return index
    } catch (error) {
      await file.close()
      throw error
    }
  }

  get head(): Readonly<Head> {
    return this.current
  }

  get segments(): readonly Segment[] {
    return this.all
  }

  /** The segment of a row, which is there. */
  segmentOf(row: number): Segment {
    let [low, high] = [0, this.all.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.all[middle]!.first <= row) low = middle
      else high = middle - 1
    }
    return this.all[low]!
  }

  /** Fills `target` with the bytes from `position`. */
  read(target: Uint8Array, position: number): Promise<void> {
    return readFully(this.file, target, position, this.path)
  }

  /** A whole part, compared with its checksum. @throws ERR_INVALID_FILE */
  async readPart(segment: Segment, name: (typeof PARTS)[number], target: Uint8Array): Promise<void> {
    const { start, crc } = segment.parts[name]
    const slice = new TimeSlice()
    let found = 0
    for (let at = 0; at < target.length; at += STRIDE) {
      const piece = target.subarray(at, at + STRIDE)
      await this.read(piece, start + at)
      found = crc32(piece, found)
      await slice.yield()
    }
    if (found !== crc) throw damaged(this.path, `the ${name} of rows ${range(segment)} do not have their checksum`)
  }

  /** Compares everything with its checksum. @throws ERR_INVALID_FILE that names the first part that differs */
  async verify(): Promise<void> {
    const piece = new Uint8Array(STRIDE)
    for (const segment of this.all) {
      for (const name of PARTS) {
        const { start, bytes, crc } = segment.parts[name]
        let found = 0
        for (let at = 0; at < bytes; at += STRIDE) {
          const read = piece.subarray(0, Math.min(STRIDE, bytes - at))
          await this.read(read, start + at)
          found = crc32(read, found)
        }
        if (found !== crc) throw damaged(this.path, `the ${name} of rows ${range(segment)} do not have their checksum`)
      }
    }
  }

  /**
   * Adds rows behind the others. The head that counts them is the last thing written, so that the file is the old index until
   * then, whatever happens.
   * @throws SentenceTorchError ERR_BUSY while another process adds; ERR_FILE_SYSTEM
   */
  async append(data: SegmentData): Promise<void> {
    const { path } = this
    const lock = await lockIndex(path)
    try {
      const file = await open(path, constants.O_RDWR).catch(failedTo(`write ${path}`))
      try {
        await this.checkSame(file)
        const newest = await newestHead(this.file, path)
        if (newest.sequence !== this.current.sequence) await this.readSegments(newest)
        await this.appendTo(file, data).catch(async (error) => {
          // What was written does not count. Without room on the disk it should not stay.
          await file.truncate(this.current.end).catch(() => {})
          throw systemError(error, `write ${path}`)
        })
      } finally {
        await file.close()
      }
    } finally {
      await lock.release()
    }
  }

  /** @throws ERR_INVALID_FILE where another index has taken the place of this one since it was opened */
  private async checkSame(file: FileHandle): Promise<void> {
    const [own, there] = await Promise.all([this.file.stat(), file.stat()])
    if (own.dev === there.dev && own.ino === there.ino) return
    const message = `${this.path} is another index now than when it was opened; open it again to add to it`
    throw new SentenceTorchError('ERR_INVALID_FILE', message)
  }

  async close(): Promise<void> {
    await this.file.close()
  }

  private async appendTo(file: FileHandle, data: SegmentData): Promise<void> {
    const { rows, end, sequence } = this.current
    const segment = await writeSegment(file, end, rows, data)
    await file.truncate(segment.end)
    await syncFile(file)
    const head = { ...this.current, sequence: sequence + 1, rows: rows + data.rows, end: segment.end }
    const place = head.sequence % 2 === 1 ? 0 : HEAD_BYTES
    await file.write(writeHead(head), 0, HEAD_BYTES, place)
    await syncFile(file)
    this.current = head
    this.all.push(segment)
  }

  /** The segments up to the end of `head`, from those that are known on. */
  private async readSegments(head: Head): Promise<void> {
    const { path } = this
    const found = [...this.all]
    let start = found.at(-1)?.end ?? FIRST_SEGMENT
    let first = found.reduce((sum, { rows }) => sum + rows, 0)
    const block = Buffer.alloc(SEGMENT_BYTES)
    while (start < head.end) {
      await this.read(block, start)
      const segment = readRecord(block, start, first, head, path)
      found.push(segment)
      start = segment.end
      first += segment.rows
    }
    if (start !== head.end || first !== head.rows) {
      throw damaged(
        path,
        `its segments have ${first} rows and end at byte ${start}, its head says ${head.rows} and ${head.end}`,
      )
    }
    this.all.splice(0, this.all.length, ...found)
    this.current = head
  }
}

/** Nobody else writes the index meanwhile. @throws SentenceTorchError ERR_BUSY where somebody does */
export async function lockIndex(path: string): Promise<FileLock> {
  const lock = await takeLock(`${path}.lock`).catch(failedTo(`lock ${path}`))
  if (lock instanceof FileLock) return lock
  throw new SentenceTorchError('ERR_BUSY', `Another process adds to ${path} (process ${lock.pid ?? 'unknown'})`)
}

/** The newer of the two heads that is whole. */
async function newestHead(file: FileHandle, path: string): Promise<Head> {
  const { size } = await file.stat()
  const blocks = Buffer.alloc(2 * HEAD_BYTES)
  const there = Math.min(size, blocks.length)
  await readFully(file, blocks.subarray(0, there), 0, path)
  if (!isIndex(blocks) && !isIndex(blocks.subarray(HEAD_BYTES))) {
    throw new SentenceTorchError('ERR_INVALID_FILE', `Expected an index of EmbeddingIndex, but ${path} is another file`)
  }
  if (there < blocks.length) throw damaged(path, `it has ${size} bytes, fewer than the ${blocks.length} of its heads`)
  const heads: Head[] = []
  const errors: unknown[] = []
  for (const place of [0, 1]) {
    try {
      const block = blocks.subarray(place * HEAD_BYTES, (place + 1) * HEAD_BYTES)
      heads.push(readHead(block, place === 0 ? 'its first head' : 'its second head', path))
    } catch (error) {
      errors.push(error)
    }
  }
  const [newest] = heads.sort((a, b) => b.sequence - a.sequence)
  const newer = errors.find((error) => (error as SentenceTorchError).code === 'ERR_UNSUPPORTED')
  if (newest === undefined || newer !== undefined) throw newer ?? errors[0]
  if (newest.end > size) {
    throw damaged(path, `it has ${size} bytes, but its head says ${newest.end}: it was cut off, or copied in part`)
  }
  if (errors.length > 0 && newest.end < size) {
    const reason = (errors[0] as Error).message
    process.emitWarning(`${reason}; the rows of the last addition are not counted`, 'SentenceTorchWarning')
  }
  return newest
}

async function readFully(file: FileHandle, target: Uint8Array, position: number, path: string): Promise<void> {
  for (let done = 0; done < target.byteLength; ) {
    const length = Math.min(READ_BYTES, target.byteLength - done)
    const { bytesRead } = await file.read(target, done, length, position + done).catch(failedTo(`read ${path}`))
    if (bytesRead === 0)
      throw damaged(path, `it ends at byte ${position + done}; it became shorter after it was opened`)
    done += bytesRead
  }
}

function range({ first, rows }: Segment): string {
  return `${first} to ${first + rows - 1}`
}
