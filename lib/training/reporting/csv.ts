import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SentenceTorchError } from '../../errors.js'
import { writeFileAtomic } from '../../io/atomic.js'
import type { CallbackContext, LogRecord } from '../callbacks.js'
import { AppendFile } from './append-file.js'
import type { Reporter } from './reporter.js'

/**
 * Writes the records to `log.csv`: `step`, then a column for every key that came so far. A new key adds a column, for which
 * the file is written anew; a file that is there is gone on with.
 */
export class CsvReporter implements Reporter {
  readonly #file: AppendFile
  #columns: string[] = []

  constructor(folder: string) {
    this.#file = new AppendFile(join(folder, 'log.csv'))
  }

  async onTrainBegin(): Promise<void> {
    await this.#file.open()
    await this.#file.endLine()
    await this.#file.flush()
    const [header] = (await readFile(this.#file.path, 'utf8')).split('\n', 1)
    if (header === '') return
    this.#columns = header!.trimEnd().split(',')
    if (this.#columns[0] !== 'step') {
      throw new SentenceTorchError('ERR_INVALID_FILE', `Expected ${this.#file.path} to begin with the column step`)
    }
  }

  async onLog(record: Readonly<LogRecord>, { state }: CallbackContext): Promise<void> {
    const values: LogRecord = { step: state.globalStep, ...record }
    const added = Object.keys(values).filter((name) => !this.#columns.includes(name))
    if (added.length > 0) await this.#widen(added)
    await this.#file.append(`${this.#columns.map((name) => values[name] ?? '').join(',')}\n`)
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  async #widen(added: readonly string[]): Promise<void> {
    this.#columns.push(...added)
    await this.#file.close()
    const [, ...rows] = (await readFile(this.#file.path, 'utf8')).split('\n')
    const empty = ','.repeat(added.length)
    const old = rows.filter((row) => row !== '').map((row) => `${row}${empty}\n`)
    await writeFileAtomic(this.#file.path, `${this.#columns.join(',')}\n${old.join('')}`)
    await this.#file.open()
  }
}
