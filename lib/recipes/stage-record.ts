/** The files `inputs.json` and `done.json` of a stage. */
import { readFile } from 'node:fs/promises'
import { absent } from '../io/files.js'
import { integer, object, oneOf, optional, parseJson, recordOf, type TypeOf, text } from '../io/schema.js'
import { systemError } from '../io/system-error.js'

const RECORD = object({
  format: oneOf(1),
  /** SHA-256 of every input, by name. */
  inputs: recordOf(text(64)),
  /** What `work` left, and the bytes of each; absent while it runs. */
  files: optional(recordOf(integer(0))),
})

export type StageRecord = TypeOf<typeof RECORD>

/** @returns undefined if there is no such file @throws ERR_INVALID_FILE, ERR_FILE_SYSTEM */
export async function readRecord(path: string): Promise<StageRecord | undefined> {
  const text = await readFile(path)
    .catch(absent(undefined))
    .catch((error) => {
      throw systemError(error, `read ${path}`)
    })
  return text === undefined ? undefined : parseJson(text, path, RECORD)
}
