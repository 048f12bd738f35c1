import type { SentenceTorchError } from '../errors.js'
import { isAbsent, readWhole } from '../io/open-file.js'
import { object, parseJson, type Schema } from '../io/schema.js'
import { systemError } from '../io/system-error.js'
import type { ConfigObject } from '../native/types.js'
import { keepFloats, stringifyWithFloats } from './float-literals.js'

/** More than any tokenizer has, and few enough for one text of JavaScript. */
const MAX_BYTES = 256 * 1024 * 1024

/**
 * The bytes of `path`, or undefined when there is no such file.
 * @throws SentenceTorchError ERR_INVALID_MODEL for what is no file, has more than 256 MiB, or cannot be read
 */
export async function readIfPresent(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readWhole(path, MAX_BYTES, 'ERR_INVALID_MODEL')
  } catch (error) {
    if (isAbsent(error)) return undefined
    const { code, cause } = error as SentenceTorchError
    throw code === 'ERR_FILE_SYSTEM' ? systemError(cause, `read ${path}`, 'ERR_INVALID_MODEL') : error
  }
}

/** Any object, with all its members. */
export const jsonObject = object({}) as Schema<ConfigObject>

/**
 * The JSON value in `path`, or undefined when there is no such file.
 * @throws SentenceTorchError ERR_INVALID_MODEL that names the file, and the key of what does not fit
 */
export async function readJson<T>(path: string, schema: Schema<T>): Promise<T | undefined> {
  const bytes = await readIfPresent(path)
  return bytes && parseJson(bytes, path, schema, 'ERR_INVALID_MODEL')
}

/** A config.json, whose numbers are written back as they are: {@link toJson}. @throws as `readJson` */
export async function readConfig(path: string): Promise<ConfigObject | undefined> {
  const bytes = await readIfPresent(path)
  if (bytes === undefined) return undefined
  const config = parseJson(bytes, path, jsonObject, 'ERR_INVALID_MODEL')
  return keepFloats(config, new TextDecoder().decode(bytes))
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
  return `${stringifyWithFloats(value, indent)}\n`
}
