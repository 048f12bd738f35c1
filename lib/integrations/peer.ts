import { SentenceTorchError } from '../errors.js'

/**
 * A package that the user installs, for what this package alone does not need.
 * @param load imports it: `() => import('@scope/name/part')`
 * @param name of the package, as it is installed
 * @throws SentenceTorchError ERR_NOT_FOUND with the command that installs it; what the package itself throws when it is loaded
 */
export async function importPeer<T>(load: () => Promise<T>, name: string, neededBy: string): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    // Of a package that lacks one of its own the message names that one.
    const isAbsent = (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') && message.includes(`'${name}'`)
    if (!isAbsent) throw cause
    throw new SentenceTorchError('ERR_NOT_FOUND', `${neededBy} needs ${name}: npm install ${name}`, { cause })
  }
}
