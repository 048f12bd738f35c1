import type { Dataset } from '../../data/dataset.js'
import { isMissing, parseNumber } from '../../data/readers/numbers.js'
import { labelNames } from '../../data/readers/table.js'
import { orderConflict } from './column-order.js'
import { percent } from './facts.js'
import type { TrainingWarning } from './warning.js'

/** How many texts of every column are checked, evenly spread. */
const SAMPLE = 512
/** Share of numbers from which on a column is taken for ids. Texts among ids are rare, numbers among texts are not. */
const NUMBERS_SHARE = 0.95
const EMPTY_SHARE = 0.01

/** `id`, `doc_id`, `docId`, `idx`, and the names that pandas gives its index. */
const idName = /^(?:id|idx|index|guid|uuid|uid|unnamed: \d+|__index_level_\d+__)$|[_ -](?:ids?|idx|guid|uuid)$/i
const camelId = /[a-z](?:Ids?|ID|Idx)$/

/** Checks whether the columns that a loss reads are probably the intended ones, in the intended order. */
export class ColumnChecks {
  /** By the sorted names of columns: the first dataset with these columns, and their order there. */
  readonly #orders = new Map<string, { which: string; names: readonly string[] }>()
  readonly #checksOrder: boolean

  constructor({ checksOrder = true } = {}) {
    this.#checksOrder = checksOrder
  }

  /**
   * @param which `trainDataset`, or `evalDataset.<name>`
   * @param dataset whole, or the first batch of a stream
   */
  check(which: string, dataset: Dataset): TrainingWarning[] {
    if (dataset.length === 0) return []
    const stride = Math.max(1, Math.floor(dataset.length / SAMPLE))
    const rows = Array.from({ length: Math.min(SAMPLE, dataset.length) }, (_, i) => i * stride)
    return [
      ...(this.#checksOrder ? this.#order(which, dataset.textColumns) : []),
      ...dataset.textColumns.flatMap((name) => {
        const values = dataset.column(name)
        const texts = rows.flatMap((row) => values[row]).filter((value) => typeof value === 'string')
        return [names(which, name, dataset), ids(which, name, texts), empty(which, name, texts)]
      }),
    ].filter((warning) => warning !== undefined)
  }

  #order(which: string, names: readonly string[]): TrainingWarning[] {
    const warnings: TrainingWarning[] = []
    const conflict = orderConflict(names)
    if (conflict !== undefined) {
      warnings.push({
        code: 'WARN_COLUMN_ORDER',
        message: `The columns of ${which} are ${names.join(', ')}: ${conflict}. A loss goes by their order, not by their names`,
        remedy: `If the names are right, put the columns in order: selectColumns(['…', '…']), with the label column, if any.`,
      })
    }
    const key = [...names].sort().join('\n')
    const first = this.#orders.get(key)
    if (first === undefined) this.#orders.set(key, { which, names })
    else if (first.names.join('\n') !== names.join('\n')) {
      warnings.push({
        code: 'WARN_COLUMN_ORDER',
        message:
          `The columns of ${which} are ${names.join(', ')}, those of ${first.which} ${first.names.join(', ')}: a loss goes ` +
          'by their order, so that they mean different things to it',
        remedy: `Put them in the same order: selectColumns([${first.names.map((name) => `'${name}'`).join(', ')}]).`,
      })
    }
    return warnings
  }
}

function names(which: string, name: string, dataset: Dataset): TrainingWarning | undefined {
  const label = labelNames.find((label) => label === name.trim().toLowerCase())
  const isLabel = label !== undefined && dataset.labelColumn === undefined
  if (name === name.trim() && !isLabel) return undefined
  return {
    code: 'WARN_COLUMN_NAME',
    message:
      `${JSON.stringify(name)} of ${which} is taken as a column of texts` +
      (isLabel ? `, since its name is not ${JSON.stringify(label)}` : ', with blanks around its name'),
    remedy: `renameColumns({ '${name}': '${isLabel ? label : name.trim()}' }) gives it the name that was meant.`,
  }
}

function ids(which: string, name: string, texts: readonly string[]): TrainingWarning | undefined {
  const filled = texts.filter((text) => !isMissing(text))
  const numbers = filled.filter((text) => parseNumber(text) !== undefined)
  const areNumbers = filled.length > 0 && numbers.length >= NUMBERS_SHARE * filled.length
  if (!areNumbers && !idName.test(name) && !camelId.test(name)) return undefined
  const seen = areNumbers
    ? `${percent(numbers.length / filled.length)} of its texts are numbers`
    : 'its name is that of ids'
  const example = JSON.stringify((areNumbers ? numbers : texts)[0]?.slice(0, 40) ?? '')
  return {
    code: 'WARN_ID_COLUMN',
    message: `Column ${JSON.stringify(name)} of ${which} is trained on as texts, but ${seen}, such as ${example}`,
    remedy: `If it holds ids, leave it out: removeColumns(['${name}']), or put the texts that they stand for in their place.`,
  }
}

function empty(which: string, name: string, texts: readonly string[]): TrainingWarning | undefined {
  const none = texts.filter((text) => text.trim() === '' || isMissing(text))
  if (none.length === 0 || none.length < EMPTY_SHARE * texts.length) return undefined
  return {
    code: 'WARN_EMPTY_TEXTS',
    message:
      `${percent(none.length / texts.length)} of the texts in column ${JSON.stringify(name)} of ${which} are empty or say that ` +
      `nothing is there, such as ${JSON.stringify(none[0])}`,
    remedy:
      'filter((row) => …) leaves such rows out. Python reads them from a CSV file as None, and training fails there.',
  }
}
