/** `sentence-torch report`. */
import { writeComparison } from '../report/write-comparison.js'
import { writeReport } from '../report/write-report.js'
import { textOf, UsageError, type Values } from './command.js'
import type { Io } from './io.js'

export async function makeReport(values: Values, io: Io): Promise<number> {
  const output = textOf(values, 'output')
  const { words: folders } = values
  if (folders.length === 1 && output !== undefined) {
    throw new UsageError(
      'ERR_INVALID_ARGUMENT',
      '--output is for several runs: a single one has its report.html',
      'report',
    )
  }
  const file =
    folders.length === 1 ? await writeReport(folders[0]!) : await writeComparison(folders, output ?? 'comparison.html')
  io.out(values.options.json ? `${JSON.stringify({ file })}\n` : `${file}\n`)
  return 0
}
