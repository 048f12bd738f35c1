import { hostname } from 'node:os'
import { join } from 'node:path'
import type { CallbackContext, LogRecord } from '../callbacks/callbacks.js'
import { AppendFile } from './append-file.js'
import { scalarEvent, textEvent, tfRecord, versionEvent } from './event-file.js'
import { snakeCase } from './format.js'
import type { Reporter } from './reporter.js'

/** Numbers the files of one process, to make their names different. */
let files = 0

/**
 * Writes the log as TensorBoard scalars with the tags of transformers' TensorBoardCallback, and the arguments as a text.
 * Source: transformers `integrations/integration_utils.py`.
 */
export class TensorBoardReporter implements Reporter {
  readonly #file: AppendFile
  readonly #now: () => number

  /** @param now milliseconds since 1970 */
  constructor(folder: string, now: () => number = Date.now) {
    const seconds = String(Math.floor(now() / 1000)).padStart(10, '0')
    const name = `events.out.tfevents.${seconds}.${hostname()}.${process.pid}.${files++}`
    this.#now = now
    this.#file = new AppendFile(join(folder, name), { head: () => tfRecord(versionEvent(this.#seconds)) })
  }

  async onTrainBegin({ args }: CallbackContext): Promise<void> {
    await this.#file.open()
    const pythonNames = Object.entries(args).map(([name, value]) => [snakeCase(name), value])
    await this.#append(textEvent(this.#seconds, 0, 'args', JSON.stringify(Object.fromEntries(pythonNames), null, 2)))
  }

  async onLog(record: Readonly<LogRecord>, { state }: CallbackContext): Promise<void> {
    for (const [name, value] of Object.entries(record)) {
      await this.#append(scalarEvent(this.#seconds, state.globalStep, tensorBoardTag(name), value))
    }
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  get #seconds(): number {
    return this.#now() / 1000
  }

  #append(event: Uint8Array): Promise<void> {
    return this.#file.append(tfRecord(event))
  }
}

/** `eval/loss` for `eval_loss`, `test/loss` for `test_loss`, and `train/<name>` for all others. */
export function tensorBoardTag(name: string): string {
  for (const group of ['eval', 'test']) {
    if (name.startsWith(`${group}_`)) return `${group}/${name.slice(group.length + 1)}`
  }
  return `train/${name}`
}
