import { join } from 'node:path'
import { SentenceTorchError } from '../../errors.js'
import { makeFolder } from '../../io/files.js'
import { FileLock, type LockHolder } from '../../io/lock.js'
import { failedTo } from '../../io/system-error.js'
import { nameOfHolder, waitForLock } from '../../io/wait-for-lock.js'
import type { TrainingArguments } from '../arguments/arguments.js'

/** This file names the process that writes checkpoints into the folder. */
export const LOCK_FILE = '.sentence-torch.lock'

/** The folder of a run's checkpoints. A run locks it, so that no other run writes there meanwhile. */
export class OutputFolder {
  readonly #path: string
  readonly #signal: AbortSignal | undefined
  #claim: Promise<FileLock> | undefined

  constructor(path: string, signal?: AbortSignal) {
    this.#path = path
    this.#signal = signal
  }

  /**
   * Locks the folder at once if the run will write checkpoints: an unwritable folder is better found before hours of training
   * than after.
   * @throws as `claim`
   */
  static async open(args: Readonly<TrainingArguments>, signal?: AbortSignal): Promise<OutputFolder> {
    const folder = new OutputFolder(args.outputDir, signal)
    if (args.saveStrategy !== 'no' || args.handleSignals) await folder.claim()
    return folder
  }

  /**
   * Makes the folder and locks it for this run, if it is not locked yet.
   * @throws ERR_BUSY while another run holds the lock; ERR_FILE_SYSTEM when the folder cannot be written
   */
  async claim(): Promise<void> {
    this.#claim ??= this.#lock()
    await this.#claim
  }

  /** Unlocks the folder. Never fails. */
  async release(): Promise<void> {
    const lock = await this.#claim?.catch(() => undefined)
    await lock?.release()
  }

  async #lock(): Promise<FileLock> {
    const refused = failedTo(`write in the output folder ${this.#path}`, 'ERR_FILE_SYSTEM')
    await makeFolder(this.#path).catch(refused)
    const lock = join(this.#path, LOCK_FILE)
    const what = `Waiting for the output folder ${this.#path}`
    const onWait = (holder: LockHolder) => warnOfWaiting(this.#path, holder)
    const taken = await waitForLock(lock, { what, signal: this.#signal, onWait }).catch(refused)
    if (!(taken instanceof FileLock)) throw busy(this.#path, taken)
    return taken
  }
}

function warnOfWaiting(path: string, holder: LockHolder): void {
  process.emitWarning(
    `The output folder ${path} is in use, or was when its process ended: ${
      holder.isOwn
        ? 'whether that worker thread of this process lives cannot be seen'
        : `${nameOfHolder(holder)} is not of this machine or container, or cannot be seen from here`
    }. Training waits a minute and a half at most for a sign of life`,
    'SentenceTorchWarning',
  )
}

function busy(path: string, holder: LockHolder): SentenceTorchError {
  const who = holder.isOwn ? `another trainer of this process (${holder.pid} on ${holder.host})` : nameOfHolder(holder)
  const since = holder.since === undefined ? '' : ` since ${holder.since}`
  return new SentenceTorchError(
    'ERR_BUSY',
    `The output folder ${path} is in use: ${who} trains there${since}. Choose another outputDir, or wait until it has ended ` +
      `(${LOCK_FILE} says so; it does not count any more when that process or thread is gone)`,
  )
}
