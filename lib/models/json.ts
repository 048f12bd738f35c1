import { readFile } from 'node:fs/promises'
import { SentenceTorchError } from '../errors.js'
import type { ConfigObject } from '../native/types.js'

/** The bytes of `path`, or undefined when there is no such file. Other failures (permissions, a folder) are thrown. */
export async function readIfPresent(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new SentenceTorchError('ERR_INVALID_MODEL', `Cannot read ${path}: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

/** The JSON value in `path`, or undefined when there is no such file. Throws ERR_INVALID_MODEL that names the file. */
export async function readJson(path: string): Promise<unknown> {
  const bytes = await readIfPresent(path)
  if (bytes === undefined) return undefined
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch (error) {
    throw new SentenceTorchError('ERR_INVALID_MODEL', `${path} is not valid JSON: ${(error as Error).message}`)
  }
}

/** Like `readJson`, for files that must hold an object. */
export async function readJsonObject(path: string): Promise<ConfigObject | undefined> {
  const value = await readJson(path)
  if (value === undefined || isObject(value)) return value
  throw new SentenceTorchError('ERR_INVALID_MODEL', `Expected a JSON object in ${path}`)
}

export function isObject(value: unknown): value is ConfigObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether Python takes a value of a JSON file for true: all but null, false, 0, '', [] and {}. */
export function isTrue(value: unknown): boolean {
  return typeof value === 'object' && value !== null ? Object.keys(value).length > 0 : Boolean(value)
}

/** JSON as Python's json.dump writes it, with a final newline. */
export function toJson(value: unknown, indent = 2): string {
  return `${JSON.stringify(value, null, indent)}\n`
}
