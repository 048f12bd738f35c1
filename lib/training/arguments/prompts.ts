import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { isPlainObject } from '../../options.js'

/** One prompt for all texts, or prompts by column, by dataset, or by dataset and column. */
export type TrainingPrompts =
  | string
  | Readonly<Record<string, string>>
  | Readonly<Record<string, string | Readonly<Record<string, string>>>>

/** @throws ERR_INVALID_ARGUMENT */
export function checkPrompts(prompts: unknown): asserts prompts is TrainingPrompts | null {
  if (prompts === null || typeof prompts === 'string') return
  if (!isPlainObject(prompts)) throw invalidArgument('prompts', 'a text, or texts by column or dataset', prompts)
  for (const [name, value] of Object.entries(prompts)) {
    if (typeof value === 'string') continue
    if (!isPlainObject(value)) throw invalidArgument(`prompts.${name}`, 'a text, or texts by column', value)
    for (const [column, text] of Object.entries(value)) {
      if (typeof text !== 'string') throw invalidArgument(`prompts.${name}.${column}`, 'a text', text)
    }
  }
}

/**
 * The prompt of a column; '' for none. An entry with the dataset's name is used first. Otherwise the names are names of columns,
 * unless the first entry is an object: then they are names of other datasets.
 *
 * Source: sentence-transformers `BaseDataCollator._resolve_prompts` and `_get_prompt_for_column`.
 * @param dataset '' for a single one
 * @throws ERR_INVALID_ARGUMENT for prompts by dataset and column with a single dataset
 */
export function promptOf(prompts: TrainingPrompts | null, dataset: string, column: string): string {
  if (prompts === null || typeof prompts === 'string') return prompts ?? ''
  const own = dataset !== '' && Object.hasOwn(prompts, dataset) ? prompts[dataset]! : undefined
  if (typeof own === 'string') return own
  if (own !== undefined) return Object.hasOwn(own, column) ? own[column]! : ''
  if (typeof Object.values(prompts)[0] === 'object') {
    if (dataset !== '') return ''
    throw noDatasetNames(prompts)
  }
  const found = Object.hasOwn(prompts, column) ? prompts[column]! : ''
  return typeof found === 'string' ? found : ''
}

/** The error for prompts by dataset and column when there is a single dataset. */
export function noDatasetNames(prompts: object): SentenceTorchError {
  return new SentenceTorchError(
    'ERR_INVALID_ARGUMENT',
    `prompts gives prompts by dataset (${Object.keys(prompts).join(', ')}) and column, but there is a single dataset ` +
      'without a name: give them by column',
  )
}
