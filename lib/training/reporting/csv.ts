import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { SentenceTorchError } from '../../errors.js'
import { writeFileAtomic } from '../../io/atomic.js'
import { absent, makeFolder } from '../../io/files.js'
import { failedTo } from '../../io/system-error.js'
import type { CallbackContext, LogRecord } from '../callbacks/callbacks.js'
import { AppendFile } from './append-file.js'
import type { Reporter } from './reporter.js'

/** Most records that wait while a full disk prevents the file from getting a new column. */
const MOST_WAITING = 1000

/**
 * Writes the records to `log.csv`: `step`, then one column per key so far. A new key adds a column, for which the file is written
 * anew. An existing file is continued.
 */
export class CsvReporter implements Reporter {
  readonly #file: AppendFile
  /** The columns of the file. */
  #columns: string[] = []
  #waiting: LogRecord[] = []

  constructor(folder: string) {
    this.#file = new AppendFile(join(folder, 'log.csv'), { lines: true, head: () => header(this.#columns) })
  }

  async onTrainBegin(): Promise<void> {
    const { path } = this.#file
    await this.#file.open()
    await this.#file.flush()
    const text = await readFile(path, 'utf8')
      .catch(absent(''))
      .catch(failedTo(`read the log ${path}`))
    const [first] = text.split('\n', 1)
    if (first === '') return
    this.#columns = first!.trimEnd().split(',')
    if (this.#columns[0] !== 'step') {
      throw new SentenceTorchError('ERR_INVALID_FILE', `Expected ${path} to begin with the column step`)
    }
  }

  async onLog(record: Readonly<LogRecord>, { state }: CallbackContext): Promise<void> {
    if (this.#waiting.length < MOST_WAITING) this.#waiting.push({ step: state.globalStep, ...record })
    await this.#write()
  }

  async close(): Promise<void> {
    await this.#write()
    await this.#file.close(this.#waiting.splice(0).length)
  }

  async #write(): Promise<void> {
    const added = new Set(this.#waiting.flatMap(Object.keys).filter((name) => !this.#columns.includes(name)))
    if (added.size > 0 && !(await this.#addColumns([...added]))) return
    for (const values of this.#waiting.splice(0)) {
      await this.#file.append(`${this.#columns.map((name) => values[name] ?? '').join(',')}\n`)
    }
  }

  /** Adds columns to the file. @returns whether it has them now */
  async #addColumns(added: readonly string[]): Promise<boolean> {
    // Rows without the new columns may still wait for room.
    if (!(await this.#file.flush())) return false
    await this.#file.close()
    const { path } = this.#file
    try {
      const [, ...rows] = (await readFile(path, 'utf8').catch(absent(''))).split('\n')
      const empty = ','.repeat(added.length)
      const old = rows.filter((row) => row !== '').map((row) => `${row}${empty}\n`)
      const columns = [...this.#columns, ...added]
      await makeFolder(dirname(path))
      await writeFileAtomic(path, `${header(columns)}${old.join('')}`)
      this.#columns = columns
      return true
    } catch (error) {
      this.#file.warn(error)
      return false
    }
  }
}

function header(columns: readonly string[]): string {
  return columns.length === 0 ? '' : `${columns.join(',')}\n`
}
