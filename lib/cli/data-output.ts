/** Files of rows that commands write. */
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
