import type { Dataset } from '../../data/dataset.js'
import { type DataSource, isDataset, sourcesOf } from '../../data/feed.js'
import { checkNames } from '../../options.js'
import type { TrainingArguments } from './arguments.js'
import { noDatasetNames } from './prompts.js'

type NamingArguments = Pick<TrainingArguments, 'prompts' | 'maxSeqLength' | 'datasetWeights' | 'batchSampler'>

/** The sources of a trainer; names may be those of either. */
export interface NamedSources {
  trainDataset: DataSource
  evalDataset?: DataSource | undefined
}

/**
 * Holds the names of datasets and columns that arguments give against those that there are, so that none is ignored. The
 * columns of a stream are known from its first batch on.
 */
export class NamesOfArguments {
  readonly #args: Readonly<NamingArguments>
  readonly #byColumn: boolean
  /** Text columns by dataset; the one without a name is ''. */
  readonly #columns = new Map<string, Set<string>>()
  /** Streams whose columns are not known. */
  readonly #waiting = new Set<string>()

  /**
   * @param byColumn whether columns have prompts and lengths of their own
   * @throws ERR_INVALID_ARGUMENT with the closest name there is
   */
  constructor(args: Readonly<NamingArguments>, sources: NamedSources, byColumn: boolean) {
    this.#args = args
    this.#byColumn = byColumn
    for (const which of ['trainDataset', 'evalDataset'] as const) {
      const source = sources[which]
      for (const [name, data] of source === undefined ? [] : sourcesOf(source)) {
        this.#add(name, isDataset(data) ? data.textColumns : [])
        if (!isDataset(data)) this.#waiting.add(`${which} ${name}`)
      }
    }
    this.#checkDatasets()
    this.#checkColumns()
  }

  /** Tells the columns of a stream, by any of its batches. @throws ERR_INVALID_ARGUMENT */
  learn(which: keyof NamedSources, name: string, { textColumns }: Pick<Dataset, 'textColumns'>): void {
    if (!this.#waiting.delete(`${which} ${name}`)) return
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
    const { datasetWeights, batchSampler, prompts } = this.#args
    checkNames('datasetWeights', Object.keys(datasetWeights ?? {}), 'dataset', this.#datasets)
    if (typeof batchSampler === 'object') {
      checkNames('batchSampler', Object.keys(batchSampler), 'dataset', this.#datasets)
    }
    if (prompts === null || typeof prompts === 'string') return
    const nested = Object.keys(prompts).filter((name) => typeof prompts[name] === 'object')
    if (nested.length > 0 && this.#datasets.length === 0) throw noDatasetNames(prompts)
    checkNames('prompts', nested, 'dataset', this.#datasets)
    // Where the first entry is that of a dataset, all are: the collator reads none by column then.
    if (typeof Object.values(prompts)[0] === 'object') {
      checkNames('prompts', Object.keys(prompts), 'dataset', this.#datasets)
    }
  }

  #checkColumns(): void {
    const { maxSeqLength, prompts } = this.#args
    const known = this.#waiting.size === 0
    if (known && typeof maxSeqLength === 'object' && maxSeqLength !== null) {
      checkNames('maxSeqLength', Object.keys(maxSeqLength), 'column', this.#all())
    }
    if (prompts === null || typeof prompts === 'string') return
    for (const [name, value] of Object.entries(prompts)) {
      const columns = this.#columns.get(name)
      if (typeof value === 'string' && known && (name === '' || columns === undefined)) {
        // Prompts by column are those of the datasets that have no entry of their own.
        const columns = this.#all((dataset) => dataset === '' || !Object.hasOwn(prompts, dataset))
        const datasets = this.#datasets
        checkNames('prompts', [name], datasets.length === 0 ? 'column' : 'column or dataset', [...columns, ...datasets])
      } else if (typeof value === 'object' && columns !== undefined && !this.#waits(name)) {
        checkNames(`prompts.${name}`, Object.keys(value), 'column', [...columns])
      }
    }
  }

  #waits(name: string): boolean {
    return this.#waiting.has(`trainDataset ${name}`) || this.#waiting.has(`evalDataset ${name}`)
  }

  #all(takes: (dataset: string) => boolean = () => true): string[] {
    return [...new Set([...this.#columns].flatMap(([name, columns]) => (takes(name) ? [...columns] : [])))]
  }
}
