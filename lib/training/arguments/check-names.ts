import type { Dataset } from '../../data/dataset.js'
import { type DataSource, isDataset, sourcesOf } from '../../data/feed.js'
import { checkNames } from '../../options.js'
import type { TrainingArguments } from './arguments.js'
import { noDatasetNames } from './prompts.js'
import { isByDataset } from './routes.js'

type NamingArguments = Pick<
  TrainingArguments,
  'prompts' | 'maxSeqLength' | 'datasetWeights' | 'batchSampler' | 'routerMapping'
>

/** The data of a trainer. Arguments may name datasets and columns of both. */
export interface NamedSources {
  trainDataset: DataSource
  evalDataset?: DataSource | undefined
}

/**
 * Checks that every dataset and column that arguments name exists, so that none is ignored. The columns of a stream are known
 * from its first batch on.
 */
export class NamesOfArguments {
  readonly #args: Readonly<NamingArguments>
  readonly #byColumn: boolean
  readonly #tasks: readonly string[]
  /** Text columns by the name of their dataset; '' for a single dataset. */
  readonly #columns = new Map<string, Set<string>>()
  /** Streams whose columns are not known yet. */
  readonly #unread = new Set<string>()

  /**
   * @param byColumn whether columns have prompts and lengths of their own
   * @param tasks of texts, which have lengths of their own
   * @throws ERR_INVALID_ARGUMENT with the closest name that exists
   */
  constructor(
    args: Readonly<NamingArguments>,
    sources: NamedSources,
    byColumn: boolean,
    tasks: readonly string[] = [],
  ) {
    this.#args = args
    this.#tasks = tasks
    this.#byColumn = byColumn
    for (const which of ['trainDataset', 'evalDataset'] as const) {
      const source = sources[which]
      for (const [name, data] of source === undefined ? [] : sourcesOf(source)) {
        this.#add(name, isDataset(data) ? data.textColumns : [])
        if (!isDataset(data)) this.#unread.add(`${which} ${name}`)
      }
    }
    this.#checkDatasets()
    this.#checkColumns()
  }

  /** Learns the columns of a stream from one of its batches. @throws ERR_INVALID_ARGUMENT */
  learn(which: keyof NamedSources, name: string, { textColumns }: Pick<Dataset, 'textColumns'>): void {
    if (!this.#unread.delete(`${which} ${name}`)) return
    this.#add(name, textColumns)
    this.#checkColumns()
  }

  get #datasets(): string[] {
    return [...this.#columns.keys()].filter((name) => name !== '')
  }

  #add(name: string, columns: readonly string[]): void {
    this.#columns.set(name, new Set([...(this.#columns.get(name) ?? []), ...(this.#byColumn ? columns : [])]))
  }

  #checkDatasets(): void {
    const { datasetWeights, batchSampler, prompts, routerMapping } = this.#args
    if (isByDataset(routerMapping)) {
      checkNames('routerMapping', Object.keys(routerMapping), 'dataset', this.#datasets)
    }
    checkNames('datasetWeights', Object.keys(datasetWeights ?? {}), 'dataset', this.#datasets)
    if (typeof batchSampler === 'object') {
      checkNames('batchSampler', Object.keys(batchSampler), 'dataset', this.#datasets)
    }
    if (prompts === null || typeof prompts === 'string') return
    const nested = Object.keys(prompts).filter((name) => typeof prompts[name] === 'object')
    if (nested.length > 0 && this.#datasets.length === 0) throw noDatasetNames(prompts)
    checkNames('prompts', nested, 'dataset', this.#datasets)
    // If the first entry is a dataset's, all have to be: the collator of sentence-transformers then reads no prompts by column.
    if (typeof Object.values(prompts)[0] === 'object') {
      checkNames('prompts', Object.keys(prompts), 'dataset', this.#datasets)
    }
  }

  #checkColumns(): void {
    const { maxSeqLength, prompts, routerMapping } = this.#args
    for (const [name, columns] of this.#columns) {
      if (!isByDataset(routerMapping) || !Object.hasOwn(routerMapping, name) || this.#isUnread(name)) continue
      checkNames(`routerMapping.${name}`, Object.keys(routerMapping[name]!), 'column', [...columns])
    }
    if (!isByDataset(routerMapping) && this.#unread.size === 0) {
      checkNames('routerMapping', Object.keys(routerMapping), 'column', this.#columnsOfAll())
    }
    const known = this.#unread.size === 0
    if (known && typeof maxSeqLength === 'object' && maxSeqLength !== null) {
      const what = this.#tasks.length === 0 ? 'column' : 'column or task'
      checkNames('maxSeqLength', Object.keys(maxSeqLength), what, [...this.#columnsOfAll(), ...this.#tasks])
    }
    if (prompts === null || typeof prompts === 'string') return
    for (const [name, value] of Object.entries(prompts)) {
      const columns = this.#columns.get(name)
      if (typeof value === 'string' && known && (name === '' || columns === undefined)) {
        // Prompts by column are for the datasets that have no entry of their own.
        const columns = this.#columnsOfAll((dataset) => dataset === '' || !Object.hasOwn(prompts, dataset))
        const datasets = this.#datasets
        checkNames('prompts', [name], datasets.length === 0 ? 'column' : 'column or dataset', [...columns, ...datasets])
      } else if (typeof value === 'object' && columns !== undefined && !this.#isUnread(name)) {
        checkNames(`prompts.${name}`, Object.keys(value), 'column', [...columns])
      }
    }
  }

  #isUnread(name: string): boolean {
    return this.#unread.has(`trainDataset ${name}`) || this.#unread.has(`evalDataset ${name}`)
  }

  /** The columns of all datasets that `takes` accepts. */
  #columnsOfAll(takes: (dataset: string) => boolean = () => true): string[] {
    return [...new Set([...this.#columns].flatMap(([name, columns]) => (takes(name) ? [...columns] : [])))]
  }
}
