import type { Tokenizer } from '../../data/tokenizer.js'
import type { ModuleSpec } from '../../native/types.js'
import type { TrainingArguments } from '../arguments/arguments.js'
import { isByDataset, taskOf } from '../arguments/routes.js'

/** A model that may have a Router. */
interface RoutedModel {
  readonly tokenLimits: ReadonlyMap<Tokenizer, number>
  route(task?: string): { tokenizer: Tokenizer; modules: readonly { spec: ModuleSpec }[]; number?: number }
}

/** How the texts of a column are tokenised, and which route they take. */
export interface ColumnRoute {
  tokenizer: Tokenizer
  /** Most tokens of a text. */
  limit: number
  leavesPromptsOut: boolean
  number?: number | undefined
}

/** The routes of columns. Limits are read now: one that is set while this trains is meant for later. */
export function columnRoutes(
  model: RoutedModel,
  { routerMapping }: Readonly<TrainingArguments>,
  dataset: string,
): (column: string) => ColumnRoute {
  const { tokenLimits } = model
  return (column) => {
    const { tokenizer, modules, number } = model.route(taskOf(routerMapping, dataset, column))
    const leavesPromptsOut = modules.some(({ spec }) => spec.includePrompt === false)
    return { tokenizer, limit: tokenLimits.get(tokenizer)!, leavesPromptsOut, number }
  }
}

/** @throws ERR_INVALID_ARGUMENT for a task of `routerMapping` without route */
export function checkTasks(
  model: RoutedModel,
  { routerMapping }: Readonly<TrainingArguments>,
  datasets: readonly string[],
): void {
  const tasks = isByDataset(routerMapping)
    ? datasets.flatMap((name) => Object.values(routerMapping[name] ?? {}))
    : Object.values(routerMapping)
  for (const task of tasks) model.route(task)
}
