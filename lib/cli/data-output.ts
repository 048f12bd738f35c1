/** Files of rows that commands write. */
import { resolve } from 'node:path'
import { UsageError } from './command.js'

/**
 * Checks the name of a file of rows before anything is computed.
 * @throws UsageError
 */
export function checkDataOutput(path: string | undefined, command: string): string {
  if (path === undefined) throw new UsageError('ERR_INVALID_ARGUMENT', `${command} needs --output <file>`, command)
  if (/\.(jsonl|csv|tsv)(\.gz)?$|\.parquet$/i.test(path)) return path
  const message = `--output needs a file ending in .jsonl, .csv, .tsv (also with .gz) or .parquet, not ${path}`
  throw new UsageError('ERR_INVALID_ARGUMENT', message, command)
}

/**
 * Refuses to write a file over one that the command reads or writes besides, such as labels made by hand.
 * @param written paths by what they are called
 * @throws UsageError
 */
export function checkApart(
  read: readonly (string | undefined)[],
  written: Readonly<Record<string, string | undefined>>,
  command: string,
): void {
  const given = (path: string | undefined) => path !== undefined && path !== '' && path !== '-'
  const taken = new Set(read.filter(given).map((path) => resolve(path!)))
  for (const [name, path] of Object.entries(written)) {
    if (!given(path)) continue
    if (taken.has(resolve(path!))) {
      const message = `${name} needs a file of its own: ${command} also uses ${path} for something else`
      throw new UsageError('ERR_INVALID_ARGUMENT', message, command)
    }
    taken.add(resolve(path!))
  }
}
