import type { Dataset, Label } from '../../data/dataset.js'
import { concatTokenized, pack, type Tokenized } from '../../data/pack.js'
import type { TokenCache } from '../../data/token-cache.js'
import type { LossRequirements } from '../../losses/loss.js'
import type { PackedBatch } from '../../native/types.js'
import type { AnyBatchMaker, BatchPosition, Rows } from './batch.js'
import { GuideEmbeddings } from './guide.js'
import { batchLabels } from './labels.js'
import type { TokenCaches } from './token-caches.js'

/** How the texts of one column are read. */
export interface ColumnOptions {
  /** Put in front of every text. */
  prompt: string
  /** Most tokens per text; default: the model's limit. */
  maxSeqLength?: number | undefined
  /** The engine's route, in a model with a Router. */
  route?: number | undefined
}

/** Turns texts into token ids: the model's tokenizer. */
export type Tokenize = (texts: readonly string[], maxSeqLength?: number, column?: string) => Promise<Tokenized>

/** Chooses the tokens that masked language modelling predicts: other ids, and a target for each (-100: not predicted). */
export type MaskTokens = (
  tokens: Tokenized,
  numbers: ArrayLike<number>,
  epoch: number,
) => { ids: Int32Array; targets: Int32Array }

export interface BatchMakerOptions {
  requirements: LossRequirements
  tokenize: Tokenize
  /** Options of a column by its name and its place among the text columns. Default: no prompt, the model's limit. */
  column?: (name: string, position: number) => ColumnOptions
  /** Joins the columns of a batch. Default: as they are. */
  pack?: (columns: readonly Tokenized[]) => PackedBatch
  /** How many leading tokens pooling leaves out of a text of a column with this prompt. Absent when pooling reads prompts too. */
  promptLength?: ((prompt: string, column: string) => number) | undefined
  /** For `targets: 'masked'`. */
  mask?: MaskTokens | undefined
  /** Token ids on disk. */
  tokenCaches?: TokenCaches | undefined
  /** With `tokenCaches`: the model's limit, for columns without one of their own. */
  maxSeqLength?: ((column: string) => number) | undefined
}

/** Every batch maker keeps at most this many token ids for later epochs: 256 MiB. */
const CACHE_TOKENS = 64 * 1024 * 1024

/** By text column: the token ids of every row that was tokenised. */
type KeptTokens = Map<string, (Int32Array | undefined)[]>

/** Makes packed batches for one loss. A text is tokenised when it is first needed, and its tokens are kept for later epochs. */
export class BatchMaker implements AnyBatchMaker {
  readonly #options: Required<Pick<BatchMakerOptions, 'requirements' | 'tokenize' | 'column'>> & BatchMakerOptions
  readonly #guide: GuideEmbeddings | undefined
  readonly #kept = new WeakMap<Dataset, KeptTokens>()
  #freeTokens = CACHE_TOKENS

  constructor(options: BatchMakerOptions) {
    this.#options = { column: () => ({ prompt: '' }), ...options }
    const { guide } = options.requirements
    this.#guide = guide && new GuideEmbeddings(guide)
  }

  /** The batch of `rows` of a checked dataset. Texts without kept tokens cost one call of the tokenizer per column. */
  async make({ dataset, rows, numbers = rows }: Rows, { epoch }: BatchPosition): Promise<PackedBatch> {
    const { requirements, mask } = this.#options
    const names = new Array<readonly string[]>(requirements.copies ?? 1).fill(dataset.textColumns).flat()
    const target = requirements.targets === 'column' ? names.pop() : undefined
    const columns: Tokenized[] = []
    for (const name of names) columns.push(await this.#tokens(dataset, name, rows))
    const batch = (this.#options.pack ?? pack)(columns)
    Object.assign(batch, this.#promptLengths(dataset, names, rows.length), this.#routes(dataset, names))
    const labels = requirements.labels === 'none' ? undefined : dataset.labels()
    if (labels !== undefined) {
      const chosen = Array.from(rows, (row) => labels[row]! as Label)
      Object.assign(batch, batchLabels(chosen, requirements))
    }
    if (requirements.textIds) batch.textIds = textIds(batch)
    if (target !== undefined) batch.targets = await this.#tokens(dataset, target, rows)
    if (requirements.targets === 'masked') {
      const { ids, targets } = mask!(batch, numbers, epoch)
      batch.ids = ids
      batch.targets = { ids: targets, offsets: batch.offsets }
    }
    if (this.#guide !== undefined) {
      batch.guide = await this.#guide.of(names.flatMap((name) => this.#texts(dataset, name, rows)))
      batch.guideDimension = this.#guide.dimension
    }
    return batch
  }

  async close(): Promise<void> {
    await this.#options.tokenCaches?.close()
  }

  #texts(dataset: Dataset, name: string, rows: Int32Array): string[] {
    const texts = dataset.texts(name)
    const { prompt } = this.#column(dataset, name)
    return Array.from(rows, (row) => prompt + texts[row]!)
  }

  async #tokens(dataset: Dataset, name: string, rows: Int32Array): Promise<Tokenized> {
    const kept = this.#keptOf(dataset, name)
    const found = new Map<number, Int32Array>()
    const keep = (row: number, ids: Int32Array) => {
      found.set(row, ids)
      if (ids.length > this.#freeTokens) return
      kept[row] = ids
      this.#freeTokens -= ids.length
    }
    let missing = [...new Set(rows)].filter((row) => kept[row] === undefined)
    // When all rows are missing the dataset may be a batch of a stream, which does not come again.
    const cache = missing.length < dataset.length ? await this.#cacheOf(dataset, name, missing) : undefined
    if (cache !== undefined) {
      const read = await cache.read(missing)
      for (const [i, row] of missing.entries()) if (read[i] !== undefined) keep(row, read[i])
      missing = missing.filter((row) => !found.has(row))
    }
    if (missing.length > 0) {
      const texts = this.#texts(dataset, name, Int32Array.from(missing))
      const { ids, offsets } = await this.#options.tokenize(texts, this.#column(dataset, name).maxSeqLength, name)
      for (const [i, row] of missing.entries()) {
        const own = ids.slice(offsets[i]!, offsets[i + 1]!)
        keep(row, own)
        await cache?.put(row, own)
      }
      // Finished as soon as it is complete, so that a run that is killed later leaves a whole cache.
      if (cache?.isComplete) await cache.finish()
    }
    return concatTokenized(
      Array.from(rows, (row) => {
        const ids = kept[row] ?? found.get(row)!
        return { ids, offsets: Int32Array.of(0, ids.length) }
      }),
    )
  }

  /** The cache on disk; undefined without one, or when nothing is missing. */
  async #cacheOf(dataset: Dataset, name: string, missing: readonly number[]): Promise<TokenCache | undefined> {
    const { tokenCaches, maxSeqLength: limit } = this.#options
    if (tokenCaches === undefined || missing.length === 0) return undefined
    const { prompt, maxSeqLength = limit!(name) } = this.#column(dataset, name)
    return tokenCaches.of(dataset, name, prompt, maxSeqLength)
  }

  #keptOf(dataset: Dataset, name: string): (Int32Array | undefined)[] {
    const columns: KeptTokens = this.#kept.get(dataset) ?? new Map()
    this.#kept.set(dataset, columns)
    const kept = columns.get(name) ?? new Array<Int32Array | undefined>(dataset.length)
    columns.set(name, kept)
    return kept
  }

  #column(dataset: Dataset, name: string): ColumnOptions {
    return this.#options.column(name, dataset.textColumns.indexOf(name))
  }

  #routes(dataset: Dataset, names: readonly string[]): Pick<PackedBatch, 'routes'> | undefined {
    const routes = names.map((name) => this.#column(dataset, name).route)
    return routes.every((route) => route === undefined)
      ? undefined
      : { routes: Int32Array.from(routes, (route) => route!) }
  }

  #promptLengths(
    dataset: Dataset,
    names: readonly string[],
    rows: number,
  ): Pick<PackedBatch, 'promptLengths'> | undefined {
    const { promptLength } = this.#options
    const prompts = names.map((name) => this.#column(dataset, name).prompt)
    if (promptLength === undefined || prompts.every((prompt) => prompt === '')) return undefined
    const promptLengths = new Int32Array(names.length * rows)
    prompts.forEach((prompt, c) => {
      if (prompt !== '') promptLengths.fill(promptLength(prompt, names[c]!), c * rows, (c + 1) * rows)
    })
    return { promptLengths }
  }
}

/**
 * One number per text. Texts with equal tokens have the same number, because they are the same text for the model; on routes with
 * tokenizers of their own, only texts of one route.
 */
function textIds({ ids, offsets, columns, routes }: PackedBatch): Int32Array {
  const numbers = new Map<string, number>()
  const rows = (offsets.length - 1) / columns
  return Int32Array.from({ length: offsets.length - 1 }, (_, row) => {
    const route = routes ? `${routes[Math.floor(row / rows)]} ` : ''
    const key = route + ids.subarray(offsets[row]!, offsets[row + 1]!).join()
    const number = numbers.get(key) ?? numbers.size
    numbers.set(key, number)
    return number
  })
}
