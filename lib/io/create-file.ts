import * as fs from 'node:fs/promises'
import { hasCode, syncFile } from './files.js'
import { systemError } from './system-error.js'
import { temporaryBeside } from './temporary.js'

/** Errors of file systems without hard links. */
const NO_LINKS = ['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV']

/**
 * Writes a file unless there is one, whoever else does the same. It appears with its whole content.
 * @returns whether this call wrote it
 * @throws ERR_FILE_SYSTEM, ERR_NOT_FOUND
 */
export async function createFile(path: string, content: string): Promise<boolean> {
  const temporary = temporaryBeside(path, 'tmp')
  try {
    const file = await fs.open(temporary, 'wx')
    try {
      await file.writeFile(content)
      await syncFile(file)
    } finally {
      await file.close()
    }
    await fs.link(temporary, path).catch(async (error: unknown) => {
      if (!hasCode(error, ...NO_LINKS)) throw error
      await fs.writeFile(path, content, { flag: 'wx' })
    })
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw systemError(error, `write ${path}`)
  } finally {
    await fs.rm(temporary, { force: true }).catch(() => {})
  }
}
