import { join } from 'node:path'
import type { CallbackContext, LogRecord } from '../callbacks/callbacks.js'
import { AppendFile } from './append-file.js'
import type { Reporter } from './reporter.js'

/** A record as a line of JSON, with its `step` at the end. Numbers that are not finite become null. */
export function jsonLine(record: Readonly<LogRecord>, step: number): string {
  return `${JSON.stringify({ ...record, step })}\n`
}

/** Appends the records to `log.jsonl`, each with `step` and `time` (seconds since 1970). */
export class JsonLinesReporter implements Reporter {
  readonly #file: AppendFile
  readonly #now: () => number

  constructor(folder: string, now: () => number = Date.now) {
    this.#file = new AppendFile(join(folder, 'log.jsonl'), { lines: true })
    this.#now = now
  }

  onTrainBegin(): Promise<void> {
    return this.#file.open()
  }

  onLog(record: Readonly<LogRecord>, { state }: CallbackContext): Promise<void> {
    return this.#file.append(jsonLine({ time: this.#now() / 1000, ...record }, state.globalStep))
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}
