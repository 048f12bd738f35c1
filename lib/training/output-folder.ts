import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { FileLock, type LockHolder, takeLock } from '../io/lock.js'
import { failedTo } from '../io/system-error.js'
import type { TrainingArguments } from './arguments.js'

/** While a run writes checkpoints into a folder, its process is named here. */
export const LOCK_FILE = '.sentence-torch.lock'

/** The folder that a run writes its checkpoints to, and no other run meanwhile. */
export class OutputFolder {
  readonly #path: string
  #claim: Promise<FileLock> | undefined

  constructor(path: string) {
    this.#path = path
  }

  /**
   * Takes the folder of a run that will write checkpoints: what keeps them from being written is better known before hours of
   * work than after.
   * @throws as `claim`
   */
  static async open(args: Readonly<TrainingArguments>): Promise<OutputFolder> {
    const folder = new OutputFolder(args.outputDir)
    if (args.saveStrategy !== 'no' || args.handleSignals) await folder.claim()
    return folder
  }

  /**
   * Makes the folder and takes it for this run, if it is not taken yet.
   * @throws ERR_BUSY while another run has it; ERR_FILE_SYSTEM when it cannot be written
   */
  async claim(): Promise<void> {
    this.#claim ??= this.#take()
    await this.#claim
  }

  /** Gives the folder back. Never fails. */
  async release(): Promise<void> {
    const lock = await this.#claim?.catch(() => undefined)
    await lock?.release()
  }

  async #take(): Promise<FileLock> {
    const refused = failedTo(`write in the output folder ${this.#path}`, 'ERR_FILE_SYSTEM')
    await mkdir(this.#path, { recursive: true }).catch(refused)
    const taken = await takeLock(join(this.#path, LOCK_FILE)).catch(refused)
    if (taken instanceof FileLock) return taken
    throw new SentenceTorchError('ERR_BUSY', busy(this.#path, taken))
  }
}

function busy(path: string, { pid, host, since, isOwn }: LockHolder): string {
  const process = `process ${pid ?? 'of unknown number'} on ${host ?? 'an unknown host'}`
  const who = isOwn ? `another trainer of this process (${pid} on ${host})` : process
  return (
    `The output folder ${path} is in use: ${who} trains there${since === undefined ? '' : ` since ${since}`}. ` +
    `Choose another outputDir, or wait until it has ended; what ${LOCK_FILE} says there counts until its process is gone, ` +
    'or, where that cannot be seen from here, for two minutes after its last sign of life'
  )
}
