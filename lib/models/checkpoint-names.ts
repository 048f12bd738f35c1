import type { CheckpointNames, ClassifierDescription } from '../native/types.js'

/** What a tensor that the model does not have belongs to, where that is no part of any encoder; undefined where it may be. */
export type Surplus = 'head' | 'layer' | undefined

interface Replacement {
  pattern: RegExp
  signs: string
  to: string
}

/** The name of a tensor in a classifier's checkpoint, where the transformer lies under a prefix beside the classifier. */
export function pythonPath(own: string, name: string, { prefix, tensors }: ClassifierDescription): string {
  return tensors.some((tensor) => tensor.outside && tensor.name === own) ? name : prefix + name
}

/** Whether a tensor has whole numbers, which files have as I64: how long the latents of a SparseAutoEncoder have been at rest. */
export function isCount(name: string): boolean {
  return name.endsWith('.stats_last_nonzero')
}

/** What files call the engine's tensors. */
export interface TensorNames {
  /** A file's name without the prefix under which it keeps the transformer. */
  bare(name: string): string
  /** The engine's name of a bare one, without the number of the module; undefined for what an encoder does not need. */
  engine(bare: string): string | undefined
  /** Whether a tensor with this bare name counts where a file also has another one for the same. */
  isPreferred(bare: string): boolean
}

/** Names in the files of an architecture, as it describes them. */
export class NamesOfFiles implements TensorNames {
  readonly #names: CheckpointNames
  readonly #renames: readonly Replacement[]
  readonly #leftOut: readonly RegExp[]
  readonly #heads: ReadonlySet<string>

  constructor(names: CheckpointNames) {
    this.#names = names
    this.#renames = names.renames.map(({ from, to }) => ({ pattern: patternOf(from), signs: signsOf(from), to }))
    this.#leftOut = names.leftOut.map(patternOf)
    this.#heads = new Set(names.heads)
  }

  bare(name: string): string {
    const prefix = this.#names.prefixes.find((candidate) => name.startsWith(candidate)) ?? ''
    return name.slice(prefix.length)
  }

  engine(bare: string): string | undefined {
    const name = this.renamed(bare)
    return this.#leftOut.some((pattern) => pattern.test(name)) ? undefined : name
  }

  /** A bare name as the engine writes such names, whether an encoder needs it or not. */
  renamed(bare: string): string {
    return this.#renames.reduce(renamed, bare)
  }

  isPreferred(bare: string): boolean {
    return this.#names.preferred.includes(bare)
  }

  /** @param name of the engine @param layers of the model */
  surplus(name: string, layers: number): Surplus {
    if (this.#heads.has(name.split('.', 1)[0]!)) return 'head'
    const layer = this.layer(name)
    return layer !== undefined && layer >= layers ? 'layer' : undefined
  }

  /** The number of the layer that a tensor of the engine lies in. */
  layer(name: string): number | undefined {
    const { layer } = this.#names
    if (!name.startsWith(layer)) return undefined
    const number = /^\d+(?=\.)/.exec(name.slice(layer.length))?.[0]
    return number === undefined ? undefined : Number(number)
  }
}

function signsOf(pattern: string): string {
  return pattern.replace(/[^#*]/g, '')
}

function patternOf(text: string): RegExp {
  const escaped = text.replace(/[.\\+?^${}()|[\]]/g, '\\$&')
  return new RegExp(`^${escaped.replace(/[#*]/g, (sign) => (sign === '#' ? '(\\d+)' : '(.*)'))}$`)
}

function renamed(name: string, { pattern, signs, to }: Replacement): string {
  const found = pattern.exec(name)
  if (found === null) return name
  const next = { '#': 0, '*': 0 }
  return to.replace(/[#*]/g, (sign) => {
    const places = [...signs].flatMap((one, i) => (one === sign ? [i + 1] : []))
    return found[places[next[sign as '#' | '*']++]!] ?? ''
  })
}
