import { describe, SentenceTorchError } from '../../errors.js'
import type { ConfigObject } from '../../native/types.js'
import { checkInteger, checkOptions, checkType } from '../../options.js'
import type { TensorNames } from '../checkpoint-names.js'
import { isTrue } from '../json.js'
import type { ModelModule, ModuleInput, ModuleOrigin, PlacedModule } from './module.js'

export interface SparseAutoEncoderOptions {
  /** Width of the embedding that it is given. Default: that of the module before. */
  inputDim?: number
  /** Latents, of which an embedding has `k`: its width. Four times `inputDim` in the paper. Default 512. */
  hiddenDim?: number
  /** Values of an embedding at most, from 1 to `hiddenDim`; to a quarter of it for training. Default 8. */
  k?: number
  /** Latents at rest that CSRLoss trains to make what `k` of them leave; 0: none. Default 512. */
  kAux?: number
  /** Whether its input is normalised: without its mean, in units of its standard deviation. Default false. */
  normalize?: boolean
  /** Passes in training without a value after which a latent counts as at rest. Default 30. */
  deadThreshold?: number
}

const NAMES = ['inputDim', 'hiddenDim', 'k', 'kAux', 'normalize', 'deadThreshold'] as const

/** Python has one matrix under two names, and writes the first of them. */
const MATRIX = 'encoder.weight'
const TIED = 'decoder.linear.weight'

/**
 * Makes a dense sentence embedding wide and sparse: of `hiddenDim` latents, a linear layer over the embedding, the `k` highest. It stands
 * behind the modules of a SentenceTransformer, as the last one of a `SparseEncoder`, and is trained with `CSRLoss`. A new one starts as in
 * Python: its matrix as that of torch.nn.Linear, all else with 0.
 *
 * ```ts
 * new SparseAutoEncoder({ hiddenDim: 4 * 384, k: 96, kAux: 192 })
 * ```
 * Paper: Wen et al. 2025, https://arxiv.org/abs/2503.01776. Source: sentence-transformers `SparseAutoEncoder`.
 */
export class SparseAutoEncoder implements ModelModule {
  static readonly hasWeights = true
  static readonly needsConfig = true
  static readonly tensorNames: TensorNames = {
    bare: (name) => name,
    engine: (bare) => (bare === TIED ? MATRIX : bare),
    isPreferred: (bare) => bare !== TIED,
  }
  readonly hiddenDim: number
  readonly k: number
  readonly kAux: number
  readonly normalize: boolean
  readonly deadThreshold: number
  readonly #inputDim: number | undefined

  /** @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION */
  constructor(options: SparseAutoEncoderOptions = {}) {
    checkOptions('SparseAutoEncoder', options, NAMES)
    checkInteger('inputDim', options.inputDim, 1)
    checkInteger('hiddenDim', options.hiddenDim, 1)
    const { inputDim, hiddenDim = 512, k = 8, kAux = 512, normalize = false, deadThreshold = 30 } = options
    checkInteger('k', k, 1, hiddenDim)
    checkInteger('kAux', kAux, 0)
    checkInteger('deadThreshold', deadThreshold, 0)
    checkType('normalize', normalize, 'boolean')
    this.#inputDim = inputDim
    this.hiddenDim = hiddenDim
    this.k = k
    this.kAux = kAux
    this.normalize = normalize
    this.deadThreshold = deadThreshold
  }

  /** @internal */
  static read(config: ConfigObject, file: string): { module: SparseAutoEncoder; extra: ConfigObject } {
    const { input_dim, hidden_dim, k, k_aux, normalize, dead_threshold, ...extra } = config
    const whole = (
      key: string,
      value: unknown,
      usual: number | undefined,
      least: number,
      most = 2 ** 31 - 1,
    ): number => {
      const found = value === undefined ? usual : value
      if (Number.isInteger(found) && (found as number) >= least && (found as number) <= most) return found as number
      const expected = most < 2 ** 31 - 1 ? `from ${least} to ${most}, the hidden_dim` : `of at least ${least}`
      const message = `${file} has ${key} ${describe(value)}; expected a whole number ${expected}`
      throw new SentenceTorchError('ERR_INVALID_MODEL', message)
    }
    const hiddenDim = whole('hidden_dim', hidden_dim, 512, 1)
    const module = new SparseAutoEncoder({
      inputDim: whole('input_dim', input_dim, undefined, 1),
      hiddenDim,
      k: whole('k', k, 8, 1, hiddenDim),
      kAux: k_aux === null ? 0 : whole('k_aux', k_aux, 512, 0),
      normalize: isTrue(normalize),
      deadThreshold: whole('dead_threshold', dead_threshold, 30, 0),
    })
    return { module, extra }
  }

  /** @internal */
  place({ width }: ModuleInput, { name, code }: ModuleOrigin): PlacedModule {
    const { hiddenDim, k, kAux, normalize, deadThreshold } = this
    const inputDim = this.#inputDim ?? width
    if (inputDim !== width) {
      throw new SentenceTorchError(code, `${name} has input_dim ${inputDim}, but its input is ${width} wide`)
    }
    const config = {
      input_dim: inputDim,
      hidden_dim: hiddenDim,
      k,
      k_aux: kAux,
      normalize,
      dead_threshold: deadThreshold,
    }
    return {
      spec: { type: 'SparseAutoEncoder', inputDim, hiddenDim, k, kAux, normalize, deadThreshold },
      outputDimension: hiddenDim,
      config,
      shown: config,
    }
  }
}
