import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, invalidArgument, SentenceTorchError } from '../../errors.js'
import { syncFile } from '../../io/files.js'
import { failedTo } from '../../io/system-error.js'

/** What somebody found right for a query. */
export interface Feedback {
  query: string
  /** A text that fits the query. */
  positive: string
  /** A text that looks like it and does not fit. */
  negative?: string
}

const MEMBERS = ['query', 'positive', 'negative']

/** @param where for messages: `pairs[3]` @throws ERR_INVALID_ARGUMENT */
export function checkedFeedback(value: unknown, where: string): Feedback {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidArgument(where, 'an object with query and positive', value)
  }
  const found = value as Readonly<Record<string, unknown>>
  for (const name of Object.keys(found)) {
    if (!MEMBERS.includes(name)) throw invalidArgument(where, 'query, positive and negative alone', name)
  }
  for (const name of MEMBERS) {
    const text = found[name]
    if (name === 'negative' && text === undefined) continue
    if (typeof text !== 'string' || text.trim() === '') {
      throw invalidArgument(`${where}.${name}`, 'a text that is not empty', text)
    }
  }
  const { query, positive, negative } = found as unknown as Feedback
  return { query, positive, ...(negative !== undefined && { negative }) }
}

/** All feedback in the order in which it came: a line of JSON each, on the disk before anybody is told that it was accepted. */
export class FeedbackLog {
  readonly #entries: Feedback[]
  readonly #file: FileHandle
  #first = 0
  #writing: Promise<unknown> = Promise.resolve()

  private constructor(file: FileHandle, entries: Feedback[]) {
    this.#file = file
    this.#entries = entries
  }

  /** @throws ERR_INVALID_FILE for a line that is no feedback; ERR_FILE_SYSTEM */
  static async open(folder: string): Promise<FeedbackLog> {
    const path = join(folder, 'feedback.jsonl')
    const file = await open(path, 'a+').catch(failedTo(`open ${path}`))
    try {
      const text = await file.readFile('utf8')
      // A program that was killed may have left a part of a line, of which nobody was told that it was accepted.
      const whole = text.slice(0, text.lastIndexOf('\n') + 1)
      if (whole.length < text.length) await file.truncate(Buffer.byteLength(whole))
      const lines = whole.split('\n').slice(0, -1)
      return new FeedbackLog(
        file,
        lines.map((line, i) => parsed(line, `${path}:${i + 1}`)),
      )
    } catch (error) {
      await file.close().catch(() => {})
      throw error
    }
  }

  /** Of all that came, also what was forgotten. */
  get length(): number {
    return this.#first + this.#entries.length
  }

  /** Those from a place on. */
  from(start: number): readonly Feedback[] {
    return this.#entries.slice(start - this.#first)
  }

  /** Keeps those from a place on in memory; the file keeps all. */
  forget(end: number): void {
    this.#entries.splice(0, end - this.#first)
    this.#first = Math.max(this.#first, end)
  }

  /** Writes one after the other: a batch is in the file as a whole. @throws ERR_FILE_SYSTEM; nothing was added then */
  append(entries: readonly Feedback[]): Promise<void> {
    const written = this.#writing.then(async () => {
      const { size } = await this.#file.stat()
      try {
        await this.#file.appendFile(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
        await syncFile(this.#file)
      } catch (error) {
        await this.#file.truncate(size).catch(() => {})
        throw error
      }
      for (const entry of entries) this.#entries.push(entry)
    })
    this.#writing = written.catch(() => {})
    return written.catch(failedTo('write feedback.jsonl'))
  }

  async close(): Promise<void> {
    await this.#writing
    await this.#file.close()
  }
}

function parsed(line: string, where: string): Feedback {
  try {
    return checkedFeedback(JSON.parse(line), where)
  } catch (cause) {
    const message = `${where}: expected a line of feedback, found ${describe(line)}`
    throw new SentenceTorchError('ERR_INVALID_FILE', message, { cause })
  }
}
