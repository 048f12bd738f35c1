import { SentenceTorchError } from '../../errors.js'
import type { Ranks } from './ranks.js'
import { joinRows, packRows, type RowsHead, type SharedRows, unpackRows } from './shared-rows.js'

/** The methods of models whose inputs are divided among processes. */
const METHODS = ['encode', 'encodeQuery', 'encodeDocument', 'predict'] as const
type Method = (typeof METHODS)[number]

/** With these options each text is computed for itself. Their values are plain. */
const SHARED_OPTIONS: readonly string[] = [
  ...['batchSize', 'normalizeEmbeddings', 'truncateDim', 'prompt', 'promptName', 'task', 'maxBatchTokens'],
  ...['maxActiveDims', 'activationFn', 'activation', 'applySoftmax'],
]
/** These concern the process that asks. */
const OWN_OPTIONS: readonly string[] = ['showProgressBar', 'signal', 'priority']

/** For fewer texts each, the others are not asked. */
const LEAST_TEXTS = 16

/** A text or a pair of texts. */
type Input = string | readonly string[]
type Options = Readonly<Record<string, unknown>>
type Encode = (inputs: readonly Input[], options: Options) => Promise<SharedRows>

/** Inputs that all processes encode. */
interface Task {
  method: Method
  inputs: readonly Input[]
  options: Options
}
/** What rank 0 tells the others to do with it. */
type Order<T> = { encode: Task } | { work: number } | { end: T | null }

/** What a process has computed, or why it could not. */
type Answer = { head: RowsHead } | { error: string }

/**
 * A model while rank 0 evaluates it: all processes encode the texts of a call, each its share. The evaluator runs on rank 0 alone and
 * may be any, as nothing is expected of when and how often it encodes: the others do what they are told until it is done.
 */
export class SharedModel<M extends object> {
  /** What an evaluator on rank 0 gets. */
  readonly model: M
  readonly #own: M & Record<Method, Encode>
  readonly #ranks: Ranks
  /** Whether the others wait for tasks. */
  #isOpen = false
  /** Tasks follow each other. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(model: M, ranks: Ranks) {
    this.#own = model as M & Record<Method, Encode>
    this.#ranks = ranks
    this.model = new Proxy(model, {
      // Members see the model itself, because a proxy has no private fields.
      get: (own, name) => {
        const member: unknown = Reflect.get(own, name, own)
        if (typeof member !== 'function' || name === 'constructor') return member
        const method = METHODS.find((known) => known === name)
        if (method === undefined) return member.bind(own) as unknown
        return (inputs: unknown, options?: Options) => this.#encode(method, inputs, options)
      },
      set: (own, name, value) => Reflect.set(own, name, value, own),
    })
  }

  /**
   * What rank 0 makes, on all ranks: plain data, or null for nothing. Until then the others encode for it.
   * @param work what all do where rank 0 asks for it by {@link together}
   */
  async fromMain<T>(make: () => Promise<T>, work?: (number: number) => Promise<unknown>): Promise<T> {
    if (this.#ranks.isMain) return this.#lead(make)
    for (;;) {
      const order = await this.#ranks.fromMain<Order<T>>(() => Promise.reject(new Error('Only rank 0 gives orders')))
      if ('encode' in order) await this.#compute(order.encode)
      else if ('work' in order) await work!(order.work)
      else return order.end as T
    }
  }

  /** On rank 0: `work` with all ranks, each of which gets the same number. */
  together<T>(number: number, work: () => Promise<T>): Promise<T> {
    return this.#order({ work: number }, work)
  }

  /** The values of all processes, by rank. */
  exchange<T>(value: T): Promise<T[]> {
    return this.#ranks.exchange(value)
  }

  /** Which part of the work is this process's. */
  get place(): Pick<Ranks, 'rank' | 'size'> {
    return this.#ranks
  }

  /** Gives an order and does it, after those before it. */
  #order<T>(order: Order<never>, work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(async () => {
      await this.#ranks.fromMain(async () => order)
      return work()
    })
    this.#last = turn.catch(() => {})
    return turn
  }

  async #lead<T>(make: () => Promise<T>): Promise<T> {
    this.#isOpen = true
    let end: T
    try {
      end = await make()
    } finally {
      this.#isOpen = false
      await this.#last
    }
    await this.#ranks.fromMain<Order<T>>(async () => ({ end: end ?? null }))
    return end
  }

  #encode(method: Method, inputs: unknown, options: Options = {}): Promise<SharedRows> {
    const shared = sharedOf(options)
    if (!this.#isOpen || shared === undefined || !isList(inputs) || inputs.length < LEAST_TEXTS * this.#ranks.size) {
      return this.#own[method](inputs as readonly Input[], options)
    }
    const task: Task = { method, inputs: [...inputs], options: shared }
    return this.#order({ encode: task }, async () => (await this.#compute(task, options))!)
  }

  /**
   * One task, on all ranks.
   * @param options on rank 0 those of the call
   * @returns on rank 0 the rows of all inputs
   * @throws on rank 0, if one of them failed
   */
  async #compute({ method, inputs, options: shared }: Task, options = shared): Promise<SharedRows | undefined> {
    const { rank, size, isMain } = this.#ranks
    // Long and short texts are dealt out equally.
    const order = inputs.map((_, i) => i).sort((a, b) => lengthOf(inputs[b]!) - lengthOf(inputs[a]!))
    const share = order.filter((_, i) => i % size === rank).map((i) => inputs[i]!)
    let answer: Answer
    let bytes: Uint8Array = new Uint8Array()
    let failure: unknown
    try {
      const [head, packed] = packRows(await this.#own[method](share, options))
      answer = { head }
      bytes = packed
    } catch (error) {
      failure = error
      answer = { error: error instanceof Error ? error.message : String(error) }
    }
    const heads: RowsHead[] = []
    for (const [other, found] of (await this.#ranks.exchange(answer)).entries()) {
      if ('head' in found) heads.push(found.head)
      else if (!isMain) return undefined
      else if (other === rank) throw failure
      else throw new SentenceTorchError('ERR_DISTRIBUTED', `Rank ${other} cannot ${method} its share: ${found.error}`)
    }
    const all = await this.#ranks.gather(bytes, heads.map(bytesOf))
    if (!isMain) return undefined
    const parts = heads.map((head, i) => unpackRows(head, all[i]!))
    const places = new Array<[number, number]>(inputs.length)
    for (const [i, input] of order.entries()) places[input] = [i % size, Math.floor(i / size)]
    return joinRows(parts, places)
  }
}

/** The options that all processes use; undefined for options with which a call cannot be divided. */
function sharedOf(options: Options): Options | undefined {
  const given = Object.entries(options).filter(([name, value]) => value !== undefined && !OWN_OPTIONS.includes(name))
  const isShared = ([name, value]: [string, unknown]) =>
    name === 'outputValue' ? value === 'sentence_embedding' : SHARED_OPTIONS.includes(name) && isPlain(value)
  return given.every(isShared) ? Object.fromEntries(given) : undefined
}

function isPlain(value: unknown): boolean {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value)
}

function isList(inputs: unknown): inputs is readonly Input[] {
  const isText = (value: unknown) => typeof value === 'string'
  return (
    Array.isArray(inputs) && inputs.every((input) => isText(input) || (Array.isArray(input) && input.every(isText)))
  )
}

function lengthOf(input: Input): number {
  return typeof input === 'string' ? input.length : input.reduce((sum, text) => sum + text.length, 0)
}

function bytesOf({ lengths }: RowsHead): number {
  return 4 * lengths.reduce((sum, length) => sum + length, 0)
}
