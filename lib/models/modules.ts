import { describe, SentenceTorchError } from '../errors.js'
import type { ConfigObject, ModuleSpec } from '../native/types.js'
import { isTrue } from './json.js'

/** Pooling modes in the order in which sentence-transformers concatenates them, with their flags in older folders. */
const POOLING_FLAGS = {
  cls: 'pooling_mode_cls_token',
  max: 'pooling_mode_max_tokens',
  mean: 'pooling_mode_mean_tokens',
  mean_sqrt_len_tokens: 'pooling_mode_mean_sqrt_len_tokens',
  weightedmean: 'pooling_mode_weightedmean_tokens',
  lasttoken: 'pooling_mode_lasttoken',
} as const

export type PoolingMode = keyof typeof POOLING_FLAGS

/** Each of them makes the embedding wider. */
const MAX_MODES = 32
const POOLING_MODES = Object.keys(POOLING_FLAGS) as PoolingMode[]

/** Activations of the engine, with the dotted path that Python writes. */
const ACTIVATIONS: Record<string, string> = {
  identity: 'torch.nn.modules.linear.Identity',
  tanh: 'torch.nn.modules.activation.Tanh',
  relu: 'torch.nn.modules.activation.ReLU',
  gelu: 'torch.nn.modules.activation.GELU',
  sigmoid: 'torch.nn.modules.activation.Sigmoid',
  silu: 'torch.nn.modules.activation.SiLU',
}

const NOT_BUILT = new Set(
  (
    'StaticEmbedding LayerNorm Dropout Router Asym CNN LSTM WordEmbeddings WordWeights BoW WeightedLayerPooling ' +
    'CLIPModel SpladePooling SparseAutoEncoder SparseStaticEmbedding MLMTransformer MultiVectorMask LogitScore'
  ).split(' '),
)

/** A module after the transformer: what the engine needs (`spec`) and where and how it lies in the folder. */
export interface FolderModule {
  /** Last component of the Python type: `Pooling`, `Dense`, `Normalize`. */
  type: 'Pooling' | 'Dense' | 'Normalize'
  /** The folder's own name below the model folder, `1_Pooling`. */
  path: string
  spec: ModuleSpec
  /** Width of the embedding after this module. */
  outputDimension: number
  /** Members of its config.json that this package does not know; written back on save. */
  extra: ConfigObject
}

/**
 * The short name of a module type of modules.json, matched on the last component so that the 2.x to 6.x paths are alike.
 * Throws for custom code (ERR_UNSUPPORTED) and for modules that are not built yet (ERR_NOT_IMPLEMENTED).
 */
export function moduleType(type: string, where: string): 'Transformer' | FolderModule['type'] {
  const name = type.slice(type.lastIndexOf('.') + 1)
  if (!type.startsWith('sentence_transformers.')) {
    throw new SentenceTorchError(
      'ERR_UNSUPPORTED',
      `${where} names the module ${describe(type)}, Python code that belongs to the model (trust_remote_code). ` +
        `It cannot run in Node; choose a model made of sentence-transformers' own modules`,
    )
  }
  if (name === 'Transformer' || name === 'Pooling' || name === 'Dense' || name === 'Normalize') return name
  const known = NOT_BUILT.has(name)
  throw new SentenceTorchError(
    known ? 'ERR_NOT_IMPLEMENTED' : 'ERR_INVALID_MODEL',
    `${where} names the module ${describe(type)}, which ${known ? 'is not built yet' : 'is unknown'}; ` +
      `modules that can be loaded: Transformer, Pooling, Dense, Normalize`,
  )
}

/** Reads 1_Pooling/config.json, old flags or new `pooling_mode`. `input` is the width of a token embedding. */
export function readPooling(config: ConfigObject, input: number, path: string, where: string): FolderModule {
  const { embedding_dimension, word_embedding_dimension, pooling_mode, include_prompt, ...extra } = config
  const width = embedding_dimension ?? word_embedding_dimension ?? input
  // Python pools whatever comes, too.
  if (width !== input && width !== String(input)) {
    warn(`${where} says embedding dimension ${describe(width)}, but the transformer's is ${input}, which is taken`)
  }
  for (const flag of Object.values(POOLING_FLAGS)) delete extra[flag]
  const named = pooling_mode === undefined ? modesOfFlags(config) : [pooling_mode].flat()
  if (named.length > MAX_MODES) throw invalid(where, `has ${named.length} values of pooling_mode`)
  for (const mode of named) {
    if (!POOLING_MODES.includes(mode as PoolingMode)) {
      throw invalid(where, `has pooling mode ${describe(mode)}; expected one of ${POOLING_MODES.join(', ')}`)
    }
  }
  if (named.length === 0) throw invalid(where, 'has an empty pooling_mode')
  const includePrompt = include_prompt === undefined || isTrue(include_prompt)
  return poolingModule(named as PoolingMode[], input, includePrompt, path, extra)
}

/** A pooling module from scratch, for folders without modules.json. */
export function poolingModule(
  modes: PoolingMode[],
  input: number,
  includePrompt = true,
  path = '1_Pooling',
  extra: ConfigObject = {},
): FolderModule {
  const spec = { type: 'Pooling', modes, includePrompt }
  return { type: 'Pooling', path, spec, outputDimension: modes.length * input, extra }
}

/**
 * Whether a text without tokens is a row of zeros: these poolings give 0 in Python when another text of the batch has some
 * (cls gives what the padding is by chance, max gives minus infinity).
 */
export function zerosWhenEmpty(modules: readonly FolderModule[]): boolean {
  const zero = ['mean', 'mean_sqrt_len_tokens', 'weightedmean', 'lasttoken']
  return modules.every(
    ({ spec }) =>
      spec.type === 'Normalize' ||
      (spec.type === 'Pooling' && (spec.modes as string[]).every((mode) => zero.includes(mode))),
  )
}

function modesOfFlags(config: ConfigObject): PoolingMode[] {
  const modes = POOLING_MODES.filter((mode) => isTrue(config[POOLING_FLAGS[mode]]))
  return modes.length > 0 ? modes : ['mean']
}

/** Reads N_Dense/config.json. `input` is the width of the embedding before it. */
export function readDense(config: ConfigObject, input: number, path: string, where: string): FolderModule {
  const { in_features, out_features, bias, activation_function, module_input_name, module_output_name, ...rest } =
    config
  const { use_residual, ...extra } = rest
  if (in_features !== input) {
    throw invalid(where, `has in_features ${describe(in_features)}, but its input is ${input} wide`)
  }
  if (typeof out_features !== 'number' || !Number.isInteger(out_features) || out_features < 1) {
    throw invalid(where, `has out_features ${describe(out_features)}; expected a positive integer`)
  }
  if (isTrue(use_residual)) throw notBuilt(where, `use_residual: ${describe(use_residual)}`)
  checkEmbeddingName(module_input_name, 'module_input_name', where)
  checkEmbeddingName(module_output_name, 'module_output_name', where)
  const spec = {
    type: 'Dense',
    inFeatures: input,
    outFeatures: out_features,
    bias: bias === undefined || isTrue(bias),
    activation: readActivation(activation_function, where),
  }
  return { type: 'Dense', path, spec, outputDimension: out_features, extra }
}

/** Reads N_Normalize; its config (6.x) is absent in older folders. */
export function readNormalize(config: ConfigObject, input: number, path: string, where: string): FolderModule {
  const { module_input_name, module_output_name, ...extra } = config
  checkEmbeddingName(module_input_name, 'module_input_name', where)
  checkEmbeddingName(module_output_name, 'module_output_name', where)
  return { type: 'Normalize', path, spec: { type: 'Normalize' }, outputDimension: input, extra }
}

/** The class name decides: torch has had its activations in several modules (`torch.nn.Tanh` is one more path to Tanh). */
function readActivation(value: unknown, where: string): string {
  if (value === undefined) return 'tanh' // as in Python
  const className = typeof value === 'string' && value.startsWith('torch.nn.') ? value.split('.').at(-1) : undefined
  const known = Object.entries(ACTIVATIONS).find(([, path]) => path.split('.').at(-1) === className)
  if (known) return known[0]
  if (typeof value === 'string' && !value.startsWith('torch.')) {
    warn(`The activation function ${describe(value)} of ${where} is Python code; Tanh is used instead, as in Python`)
    return 'tanh'
  }
  throw new SentenceTorchError(
    'ERR_NOT_IMPLEMENTED',
    `${where} has activation_function ${describe(value)}; ` +
      `expected one of ${Object.values(ACTIVATIONS).join(', ')}`,
  )
}

function checkEmbeddingName(value: unknown, key: string, where: string): void {
  if (value === undefined || value === null || value === 'sentence_embedding') return
  throw notBuilt(where, `${key}: ${describe(value)} (only "sentence_embedding" is built)`)
}

/** config.json of a module in the layout that sentence-transformers 2.x to 6.x and TEI read; undefined for none. */
export function legacyModuleConfig(module: FolderModule, input: number): ConfigObject | undefined {
  const { spec, extra } = module
  if (module.type === 'Pooling') {
    const modes = spec.modes as string[]
    const order: PoolingMode[] = ['cls', 'mean', 'max', 'mean_sqrt_len_tokens', 'weightedmean', 'lasttoken']
    const flags = Object.fromEntries(order.map((mode) => [POOLING_FLAGS[mode], modes.includes(mode)]))
    const config = { word_embedding_dimension: input, ...flags, include_prompt: spec.includePrompt!, ...extra }
    // Flags mean a fixed order. Another one can only be said in the 6.x way, which takes precedence where it is known.
    const canonical = POOLING_MODES.filter((mode) => modes.includes(mode))
    return canonical.join() === modes.join() ? config : { ...config, pooling_mode: modes }
  }
  if (module.type === 'Dense') {
    return {
      in_features: spec.inFeatures!,
      out_features: spec.outFeatures!,
      bias: spec.bias!,
      activation_function: ACTIVATIONS[spec.activation as string]!,
      ...extra,
    }
  }
  return Object.keys(extra).length > 0 ? extra : undefined
}

function warn(message: string): void {
  process.emitWarning(message, 'SentenceTorchWarning')
}

function invalid(where: string, what: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_MODEL', `${where} ${what}`)
}

function notBuilt(where: string, what: string): SentenceTorchError {
  return new SentenceTorchError('ERR_NOT_IMPLEMENTED', `${where} has ${what}, which is not built yet`)
}
