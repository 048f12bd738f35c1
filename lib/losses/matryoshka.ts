import { invalidArgument, SentenceTorchError } from '../errors.js'
import type { ConfigObject, LossSpec } from '../native/types.js'
import { integer, needed, nullable, type OptionTable, option } from '../options/kinds.js'
import { checkInteger } from '../options.js'
import { lossOptions, type WrapperArguments } from './arguments.js'
import type { Caching, Loss, LossRequirements } from './loss.js'
import { checkWrapped, innerLoss, WRAPPING } from './wrapped.js'

/** Where embeddings are cut. */
export interface MatryoshkaDimsOptions {
  /** Widths, at most that of the model's embeddings, which should be one of them. */
  matryoshkaDims: readonly number[]
  /** Factor of the loss at each width. Default `null`: 1 for all. */
  matryoshkaWeights?: readonly number[] | null
}

export interface MatryoshkaLossOptions extends MatryoshkaDimsOptions {
  /** The loss that is computed at every width. A `Cached…` loss keeps its mini-batches. */
  loss: Loss
  /** How many widths, chosen at random, each batch takes. Below 1: all. Default -1. */
  nDimsPerStep?: number
}

export const MATRYOSHKA_DIMS = {
  matryoshkaDims: needed(
    option<readonly number[], undefined>({
      type: 'readonly number[]',
      default: undefined,
      expected: 'an array of at least one width',
      check: checkDims,
    }),
  ),
  matryoshkaWeights: nullable(
    option<readonly number[], undefined>({
      type: 'readonly number[]',
      default: undefined,
      expected: 'an array of numbers, one for each width',
      // Their number is checked with that of the widths.
      fits: () => true,
    }),
  ),
} satisfies OptionTable<MatryoshkaDimsOptions>

export const OPTIONS = {
  loss: innerLoss,
  ...MATRYOSHKA_DIMS,
  nDimsPerStep: integer(-1, { least: -1 }),
} satisfies OptionTable<MatryoshkaLossOptions>

/**
 * Trains embeddings that can be cut. The inner loss is computed on the first numbers of every embedding, at several widths,
 * each time normalised to length 1.
 *
 * - **Data**: That of the inner loss. Labels that are embeddings (those of a teacher) are cut too.
 * - **Formula**: Σ_d weight_d · loss(normalize(embeddings[: d])). The model runs once.
 * - **Use**: `encode` with `truncateDim` cuts the embeddings of the trained model.
 * - **Logged**: The inner loss's components, whose names end in `_dim_<d>`.
 * - **Relations**: {@link Matryoshka2dLoss} trains layers that can be left out too.
 *
 * Paper: Kusupati et al. 2022, https://arxiv.org/abs/2205.13147. Source: sentence-transformers `losses/MatryoshkaLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([{ anchor: 'capital of France', positive: 'Paris is the capital.' }])
 * const loss = new losses.MatryoshkaLoss({
 *   loss: new losses.MultipleNegativesRankingLoss(),
 *   matryoshkaDims: [384, 128, 32],
 * })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION; when the trainer is made, ERR_INVALID_ARGUMENT for a width above the
 *   model's, and for a loss with parameters of one width ({@link SoftmaxLoss})
 */
export class MatryoshkaLoss implements Loss {
  readonly type: string = 'MatryoshkaLoss'
  readonly requirements: LossRequirements
  readonly loss: Loss
  /** From the widest to the narrowest. */
  readonly matryoshkaDims: readonly number[]
  readonly matryoshkaWeights: readonly number[]
  readonly nDimsPerStep: number
  readonly caching: Caching | undefined
  #warned = false

  constructor(...args: WrapperArguments<MatryoshkaLossOptions, 'loss'>) {
    const where = new.target.name
    const options = lossOptions(this, args, OPTIONS, { signature: WRAPPING })
    const { loss, matryoshkaDims: dims } = options
    checkWrapped(where, loss)
    const weights = options.matryoshkaWeights ?? dims.map(() => 1)
    if (!Array.isArray(weights) || weights.length !== dims.length || !weights.every(Number.isFinite)) {
      throw invalidArgument(`${where} matryoshkaWeights`, `${dims.length} numbers, one for each width`, weights)
    }
    const order = dims.map((_, i) => i).sort((a, b) => dims[b]! - dims[a]!)
    this.loss = loss
    this.matryoshkaDims = order.map((i) => dims[i]!)
    this.matryoshkaWeights = order.map((i) => weights[i]! as number)
    this.nDimsPerStep = options.nDimsPerStep
    this.requirements = loss.requirements
    this.caching = loss.caching
  }

  spec(embeddingDimension: number, config: ConfigObject): LossSpec {
    const dims = this.matryoshkaDims
    if (dims[0]! > embeddingDimension) {
      throw new SentenceTorchError(
        'ERR_INVALID_ARGUMENT',
        `matryoshkaDims cannot exceed the width of the model's embeddings, ${embeddingDimension}: found ${dims[0]}`,
      )
    }
    if (dims[0] !== embeddingDimension && !this.#warned) {
      this.#warned = true
      process.emitWarning(
        `${this.type}: the model's own width ${embeddingDimension} is not among matryoshkaDims (${dims.join(', ')}), so it is ` +
          'not trained, and embeddings that are not cut may be worse',
        'SentenceTorchWarning',
      )
    }
    return {
      type: 'MatryoshkaLoss',
      loss: this.loss.spec(embeddingDimension, config),
      matryoshkaDims: [...dims],
      matryoshkaWeights: [...this.matryoshkaWeights],
      nDimsPerStep: this.nDimsPerStep,
    }
  }
}

function checkDims(name: string, dims: unknown): void {
  if (!Array.isArray(dims) || dims.length === 0) throw invalidArgument(name, 'an array of at least one width', dims)
  for (const dim of dims) checkInteger(`a width of ${name}`, dim ?? null, 1)
}
