/** Paths that come from a server, an archive or a model's file. */
import { describe, type ErrorCode, SentenceTorchError } from '../errors.js'

const MAX_PATH = 1024
const MAX_NAME = 255

/**
 * Refuses a path that could leave the folder to which it is relative, or that some system reads as another path: empty,
 * absolute, with `.`, `..` or empty parts, backslashes, control characters, a drive letter, parts above 255 bytes, paths
 * above 1,024. It does not check symbolic links in the folder.
 *
 * @param path with '/' between its parts
 * @param where the source of the path, for the message: `the listing of org/name`
 * @returns `path`
 * @throws SentenceTorchError of `code`
 */
export function checkRelativePath(path: unknown, where: string, code: ErrorCode): string {
  const reason = fault(path)
  if (reason === undefined) return path as string
  throw new SentenceTorchError(code, `${where} names the path ${describe(path)}: ${reason}`)
}

function fault(path: unknown): string | undefined {
  if (typeof path !== 'string' || path === '') return 'expected a relative path'
  if (Buffer.byteLength(path) > MAX_PATH) return `it is longer than ${MAX_PATH} bytes`
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(path)) return 'it holds control characters'
  if (path.includes('\\')) return 'it holds a backslash'
  if (path.startsWith('/') || /^[a-z]:/i.test(path)) return 'it is absolute'
  for (const part of path.split('/')) {
    if (part === '' || part === '.' || part === '..') return `it has the part ${JSON.stringify(part)}`
    if (Buffer.byteLength(part) > MAX_NAME) return `it has a part longer than ${MAX_NAME} bytes`
  }
  return undefined
}
