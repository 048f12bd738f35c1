import { contextCells } from './common.js'
import { appendCsv, pythonFloat } from './csv.js'
import type { EvaluationContext } from './evaluator.js'

/** Columns at the end of the rows of evaluations with this context: the numbers of a sparse model. */
const columns = new WeakMap<EvaluationContext, () => Readonly<Record<string, number>>>()

/** A context with which rows end in further columns, which are asked for when a row is written. */
export function withColumns(
  context: EvaluationContext,
  added: () => Readonly<Record<string, number>>,
): EvaluationContext {
  const own = { ...context }
  columns.set(own, added)
  return own
}

/** A row of an evaluation in `context.outputPath`, if there is one. The columns `epoch` and `steps` come first. */
export async function appendRow(
  context: EvaluationContext,
  file: string,
  headers: readonly string[],
  cells: readonly string[],
  lineEnd?: string,
): Promise<void> {
  if (context.outputPath === undefined) return
  const added = columns.get(context)?.() ?? {}
  await appendCsv(
    context.outputPath,
    file,
    ['epoch', 'steps', ...headers, ...Object.keys(added)],
    [...contextCells(context), ...cells, ...Object.values(added).map(pythonFloat)],
    // Python writes such a file anew, with the usual ends.
    Object.keys(added).length > 0 ? undefined : lineEnd,
  )
}
