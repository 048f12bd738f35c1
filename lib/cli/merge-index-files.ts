/** `sentence-torch merge-index`. */
import { type MergeIndexesOptions, mergeIndexes } from '../corpus/index.js'
import { given, textOf, UsageError, type Values } from './command.js'
import { checkApart } from './data-output.js'
import type { Io } from './io.js'
import { Counter } from './progress.js'

export async function mergeIndexFiles(values: Values, io: Io): Promise<number> {
  const output = textOf(values, 'output')
  if (output === undefined)
    throw new UsageError('ERR_INVALID_ARGUMENT', 'merge-index needs --output with a file', 'merge-index')
  checkApart(values.words, { '--output': output }, 'merge-index')
  const counter = new Counter(io.err, 'rows')
  const options = given(values, { precision: 'precision', 'score-function': 'scoreFunction' }) as MergeIndexesOptions
  const onProgress = (rows: number) => counter.add(rows - counter.count)
  const merged = await mergeIndexes(output, values.words, { ...options, onProgress, signal: io.signal })
  const { rows, dimension, precision, scoreFunction } = merged
  if (values.options.json) {
    const report = { rows, dimensions: dimension, precision, scoreFunction, output, seconds: counter.seconds }
    io.out(`${JSON.stringify(report)}\n`)
  } else counter.end(`${dimension} dimensions, ${precision} → ${output}`)
  return 0
}
