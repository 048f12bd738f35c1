import { describe, SentenceTorchError } from '../../errors.js'
import type { ConfigObject } from '../../native/types.js'
import { checkOneOf, checkOptions, checkType } from '../../options.js'
import { isTrue } from '../json.js'
import { type ModelModule, type ModuleInput, type ModuleOrigin, type PlacedModule, warn } from './module.js'

/** Pooling modes in the order in which sentence-transformers concatenates them, with their flags in older folders. */
const FLAGS = {
  cls: 'pooling_mode_cls_token',
  max: 'pooling_mode_max_tokens',
  mean: 'pooling_mode_mean_tokens',
  mean_sqrt_len_tokens: 'pooling_mode_mean_sqrt_len_tokens',
  weightedmean: 'pooling_mode_weightedmean_tokens',
  lasttoken: 'pooling_mode_lasttoken',
} as const

/** How token embeddings become one sentence embedding. */
export type PoolingMode = keyof typeof FLAGS

const MODES = Object.keys(FLAGS) as PoolingMode[]
/** The order in which Python has always written the flags. */
const WRITTEN: readonly PoolingMode[] = ['cls', 'mean', 'max', 'mean_sqrt_len_tokens', 'weightedmean', 'lasttoken']
/** Each of them makes the embedding wider. */
const MAX_MODES = 32

export interface PoolingOptions {
  /** Whether the tokens of a prompt count. Default true. */
  includePrompt?: boolean
}

/**
 * One embedding of all tokens: that of the first (`cls`) or last (`lasttoken`), the largest value of each dimension (`max`), the
 * mean (`mean`), the sum by the root of the number of tokens (`mean_sqrt_len_tokens`), or the mean weighted by position
 * (`weightedmean`). Several modes lie side by side.
 *
 * ```ts
 * new Pooling('cls')
 * new Pooling(['mean', 'max'])
 * ```
 * Source: sentence-transformers `Pooling`.
 */
export class Pooling implements ModelModule {
  static readonly hasWeights = false
  static readonly needsConfig = true
  readonly modes: readonly PoolingMode[]
  readonly includePrompt: boolean

  /** @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION */
  constructor(modes: PoolingMode | readonly PoolingMode[] = 'mean', options: PoolingOptions = {}) {
    checkOptions('Pooling', options, ['includePrompt'])
    checkType('includePrompt', options.includePrompt, 'boolean')
    const given: readonly unknown[] = Array.isArray(modes) ? modes : [modes]
    if (given.length === 0 || given.length > MAX_MODES) {
      const message = `Expected 1 to ${MAX_MODES} pooling modes but received ${given.length}`
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
    for (const mode of given) checkOneOf('modes', mode ?? null, MODES)
    this.modes = [...given] as PoolingMode[]
    this.includePrompt = options.includePrompt ?? true
  }

  /** @internal */
  static read(config: ConfigObject, file: string): { module: Pooling; extra: ConfigObject } {
    const { embedding_dimension, word_embedding_dimension, pooling_mode, include_prompt, ...extra } = config
    for (const flag of Object.values(FLAGS)) delete extra[flag]
    const named = pooling_mode === undefined ? modesOfFlags(config) : [pooling_mode].flat()
    const invalid = (what: string) => new SentenceTorchError('ERR_INVALID_MODEL', `${file} ${what}`)
    if (named.length > MAX_MODES) throw invalid(`has ${named.length} values of pooling_mode`)
    for (const mode of named) {
      if (MODES.includes(mode as PoolingMode)) continue
      throw invalid(`has pooling mode ${describe(mode)}; expected one of ${MODES.join(', ')}`)
    }
    if (named.length === 0) throw invalid('has an empty pooling_mode')
    const includePrompt = include_prompt === undefined || isTrue(include_prompt)
    const module = new Pooling(named as PoolingMode[], { includePrompt })
    module.#width = embedding_dimension ?? word_embedding_dimension
    return { module, extra }
  }

  /** What a config.json says of the width of a token embedding. */
  #width: unknown

  /** @internal */
  place({ width }: ModuleInput, { name }: ModuleOrigin): PlacedModule {
    // Python pools whatever comes, too.
    const said = this.#width ?? width
    if (said !== width && said !== String(width)) {
      warn(`${name} says embedding dimension ${describe(said)}, but the transformer's is ${width}, which is taken`)
    }
    const modes = [...this.modes]
    const { includePrompt } = this
    return {
      spec: { type: 'Pooling', modes, includePrompt },
      outputDimension: modes.length * width,
      config: legacyConfig(modes, width, includePrompt),
      shown: {
        embedding_dimension: width,
        pooling_mode: modes.length === 1 ? modes[0]! : modes,
        include_prompt: includePrompt,
      },
    }
  }
}

function modesOfFlags(config: ConfigObject): PoolingMode[] {
  const modes = MODES.filter((mode) => isTrue(config[FLAGS[mode]]))
  return modes.length > 0 ? modes : ['mean']
}

function legacyConfig(modes: PoolingMode[], width: number, includePrompt: boolean): ConfigObject {
  const flags = Object.fromEntries(WRITTEN.map((mode) => [FLAGS[mode], modes.includes(mode)]))
  const config = { word_embedding_dimension: width, ...flags, include_prompt: includePrompt }
  // Flags mean a fixed order. Another one can only be said in the 6.x way, which takes precedence where it is known.
  const canonical = MODES.filter((mode) => modes.includes(mode))
  return canonical.join() === modes.join() ? config : { ...config, pooling_mode: modes }
}
