import { describe, SentenceTorchError } from '../../errors.js'
import type { ConfigObject } from '../../native/types.js'
import { checkInteger, checkOneOf, checkOptions, checkType } from '../../options.js'
import { positiveInteger } from '../folder-config.js'
import { isTrue } from '../json.js'
import { type ModelModule, type ModuleInput, type ModuleOrigin, notBuilt, type PlacedModule, warn } from './module.js'
import { EMBEDDING_INPUTS, type EmbeddingName, embeddingNames, readEmbeddingNames } from './sentence-embedding.js'

/** Activations of the engine, with the dotted path that Python writes. */
const ACTIVATIONS = {
  identity: 'torch.nn.modules.linear.Identity',
  tanh: 'torch.nn.modules.activation.Tanh',
  relu: 'torch.nn.modules.activation.ReLU',
  gelu: 'torch.nn.modules.activation.GELU',
  sigmoid: 'torch.nn.modules.activation.Sigmoid',
  silu: 'torch.nn.modules.activation.SiLU',
} as const

export type DenseActivation = keyof typeof ACTIVATIONS

export interface DenseOptions {
  /** Width of the embedding that it makes. */
  outFeatures: number
  /** Width of the embedding that it is given. Default: that of the module before. */
  inFeatures?: number
  /** Default true. */
  bias?: boolean
  /** Default `tanh`. */
  activationFunction?: DenseActivation
  /** `token_embeddings` for models with a vector for each token. Default `sentence_embedding`. */
  moduleInputName?: EmbeddingName
  /** Adds the input, through a matrix of its own where the widths differ. For token embeddings alone. Default false. */
  useResidual?: boolean
}

const NAMES = ['outFeatures', 'inFeatures', 'bias', 'activationFunction', 'moduleInputName', 'useResidual']
const NOT_BUILT = { initWeight: {}, initBias: {}, moduleOutputName: {} }

/**
 * A linear layer and an activation over the sentence embedding, or over each token's: activation(W x + b). New ones start as torch.nn.Linear does.
 *
 * ```ts
 * new Dense({ outFeatures: 256 })
 * ```
 * Source: sentence-transformers `Dense`.
 */
export class Dense implements ModelModule {
  static readonly hasWeights = true
  static readonly needsConfig = true
  readonly #options: Required<Omit<DenseOptions, 'inFeatures'>> & Pick<DenseOptions, 'inFeatures'>

  /** @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_NOT_IMPLEMENTED, ERR_UNKNOWN_OPTION */
  constructor(options: DenseOptions) {
    checkOptions('Dense', options, NAMES, NOT_BUILT)
    checkInteger('outFeatures', options.outFeatures ?? null, 1)
    checkInteger('inFeatures', options.inFeatures, 1)
    checkType('bias', options.bias, 'boolean')
    checkOneOf('activationFunction', options.activationFunction, Object.keys(ACTIVATIONS))
    checkOneOf('moduleInputName', options.moduleInputName, EMBEDDING_INPUTS)
    checkType('useResidual', options.useResidual, 'boolean')
    const { outFeatures, inFeatures, bias = true, activationFunction = 'tanh' } = options
    const { moduleInputName = 'sentence_embedding', useResidual = false } = options
    if (useResidual && moduleInputName === 'sentence_embedding') {
      const message = 'Dense: useResidual is built for moduleInputName token_embeddings alone'
      throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
    }
    const rest = { moduleInputName, useResidual, ...(inFeatures !== undefined && { inFeatures }) }
    this.#options = { outFeatures, bias, activationFunction, ...rest }
  }

  /** @internal */
  static read(config: ConfigObject, file: string): { module: Dense; extra: ConfigObject } {
    const { in_features, out_features, bias, activation_function, use_residual, ...rest } = config
    const { input, rest: extra } = readEmbeddingNames(rest, file)
    const outFeatures = positiveInteger(out_features, 'out_features', file)
    const inFeatures = positiveInteger(in_features, 'in_features', file)
    if (isTrue(use_residual) && input === 'sentence_embedding')
      throw notBuilt(file, `use_residual: ${describe(use_residual)}`)
    const module = new Dense({
      outFeatures,
      inFeatures,
      bias: bias === undefined || isTrue(bias),
      activationFunction: readActivation(activation_function, file),
      moduleInputName: input,
      useResidual: isTrue(use_residual),
    })
    return { module, extra }
  }

  /** @internal */
  place({ width }: ModuleInput, { name, code }: ModuleOrigin): PlacedModule {
    const { outFeatures, inFeatures = width, bias, activationFunction, moduleInputName, useResidual } = this.#options
    if (inFeatures !== width) {
      throw new SentenceTorchError(code, `${name} has in_features ${inFeatures}, but its input is ${width} wide`)
    }
    const activation = ACTIVATIONS[activationFunction]
    const config = { in_features: width, out_features: outFeatures, bias, activation_function: activation }
    const shown = { ...config, ...embeddingNames(moduleInputName), ...(useResidual && { use_residual: true }) }
    const isOfTokens = moduleInputName === 'token_embeddings'
    return {
      spec: {
        ...{ type: 'Dense', inFeatures: width, outFeatures, bias, activation: activationFunction },
        ...(isOfTokens && { input: moduleInputName, useResidual }),
      },
      outputDimension: outFeatures,
      // 2.x to 5.x know no names of inputs, and 6.x none of the embedding.
      config: isOfTokens ? shown : config,
      shown,
    }
  }
}

/** The class name decides: torch has had its activations in several modules (`torch.nn.Tanh` is one more path to Tanh). */
function readActivation(value: unknown, file: string): DenseActivation {
  if (value === undefined) return 'tanh' // as in Python
  const className = typeof value === 'string' && value.startsWith('torch.nn.') ? value.split('.').at(-1) : undefined
  const known = Object.entries(ACTIVATIONS).find(([, path]) => path.split('.').at(-1) === className)
  if (known) return known[0] as DenseActivation
  if (typeof value === 'string' && !value.startsWith('torch.')) {
    warn(`The activation function ${describe(value)} of ${file} is Python code; Tanh is used instead, as in Python`)
    return 'tanh'
  }
  throw new SentenceTorchError(
    'ERR_NOT_IMPLEMENTED',
    `${file} has activation_function ${describe(value)}; expected one of ${Object.values(ACTIVATIONS).join(', ')}`,
  )
}
