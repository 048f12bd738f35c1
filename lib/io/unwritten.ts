/** Files that only report on work. If they cannot be written, there is one warning, and the work continues. */
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

/** Files whose last write failed. */
const refused = new Set<string>()

/** Calls `write`. If the system refuses it, there is one warning until a write succeeds, and no error. */
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
