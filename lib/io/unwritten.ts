/** Files that only tell about work: that they cannot be written is said once, and the work goes on. */
import { SentenceTorchError } from '../errors.js'
import { systemError } from './system-error.js'

/** Warns that a file cannot be written. */
export function warnUnwritten(path: string, error: unknown): void {
  const reason = (systemError(error, `write ${path}`) as Error).message
  process.emitWarning(`${reason}. The work goes on without it`, {
    type: 'SentenceTorchWarning',
    code: 'WARN_NOT_WRITTEN',
  })
}

/** Files that could not be written last time. */
const refused = new Set<string>()

/** Does `write`. Where the system refuses it, that is a warning, once until it goes well again, and no error. */
export async function unlessRefused(path: string, write: () => Promise<void>): Promise<void> {
  try {
    await write()
    refused.delete(path)
  } catch (error) {
    const known = systemError(error, `write ${path}`)
    const isRefusal = known instanceof SentenceTorchError && /^ERR_(FILE_SYSTEM|NOT_FOUND)$/.test(known.code)
    if (!isRefusal) throw error
    if (!refused.has(path)) warnUnwritten(path, error)
    refused.add(path)
  }
}
