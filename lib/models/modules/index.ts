import { describe, type ErrorCode, SentenceTorchError } from '../../errors.js'
import type { ConfigObject } from '../../native/types.js'
import type { TensorNames } from '../checkpoint-names.js'
import { wrongClass } from '../model-type.js'
import { Dense } from './dense.js'
import { Dropout } from './dropout.js'
import { HierarchicalTokenPooling } from './hierarchical-token-pooling.js'
import { LayerNorm } from './layer-norm.js'
import type { ModelModule, ModuleInput, ModuleOrigin, ModuleType, PlacedModule } from './module.js'
import { MultiVectorMask } from './multi-vector-mask.js'
import { Normalize } from './normalize.js'
import { Pooling } from './pooling.js'
import { SparseAutoEncoder } from './sparse-auto-encoder.js'
import { SpladePooling } from './splade-pooling.js'
import { WeightedLayerPooling } from './weighted-layer-pooling.js'

/** The modules after the first one, by the last component of their Python type. */
const MODULES = {
  ...{ Pooling, Dense, Normalize, LayerNorm, Dropout, WeightedLayerPooling },
  ...{ MultiVectorMask, HierarchicalTokenPooling },
  ...{ SpladePooling, SparseAutoEncoder },
} satisfies Record<string, ModuleType>
export type ModuleName = keyof typeof MODULES
const NAMES = Object.keys(MODULES) as ModuleName[]

/** What turns texts into embeddings of tokens, or of the whole text. */
const FIRST = ['Transformer', 'StaticEmbedding', 'SparseStaticEmbedding'] as const
export type FirstModuleName = (typeof FIRST)[number]

const NOT_BUILT = new Set('CNN LSTM WordEmbeddings WordWeights BoW CLIPModel LogitScore'.split(' '))

/** A module after the first one, as it lies in a model's folder. */
export interface FolderModule extends PlacedModule {
  type: ModuleName
  /** The folder's own name below the model folder, `1_Pooling`. */
  path: string
  /** Members of its config.json that this package does not know; written back on save. */
  extra: ConfigObject
}

export function hasWeights(type: ModuleName): boolean {
  return MODULES[type].hasWeights
}

/** What the file of a module calls its tensors; undefined: as the engine does. */
export function tensorNames(type: ModuleName): TensorNames | undefined {
  return (MODULES[type] as ModuleType).tensorNames
}

/** Which files of a module that modules.json names a folder must have; a module that is not known asks for none. */
export function filesOfType(type: string): { config: boolean; weights: boolean } {
  // Of cross-encoders.
  if (type.endsWith('.LogitScore')) return { config: true, weights: false }
  const known = NAMES.find((name) => type.endsWith(`.${name}`))
  return {
    config: known !== undefined && MODULES[known].needsConfig,
    weights: known !== undefined && hasWeights(known),
  }
}

/**
 * The short name of a module type of modules.json, matched on the last component so that the 2.x to 6.x paths are alike.
 * Throws for custom code (ERR_UNSUPPORTED) and for modules that are not built yet (ERR_NOT_IMPLEMENTED).
 */
export function moduleType(type: string, where: string): FirstModuleName | ModuleName {
  const name = type.slice(type.lastIndexOf('.') + 1)
  if (!type.startsWith('sentence_transformers.')) {
    throw new SentenceTorchError(
      'ERR_UNSUPPORTED',
      `${where} names the module ${describe(type)}, Python code that belongs to the model (trust_remote_code). ` +
        `It cannot run in Node; choose a model made of sentence-transformers' own modules`,
    )
  }
  const found = [...FIRST, ...NAMES].find((known) => known === name)
  if (found) return found
  // What 5.x calls a transformer with the head of a masked language model.
  if (name === 'MLMTransformer') return 'Transformer'
  const known = NOT_BUILT.has(name)
  throw new SentenceTorchError(
    known ? 'ERR_NOT_IMPLEMENTED' : 'ERR_INVALID_MODEL',
    `${where} names the module ${describe(type)}, which ${known ? 'is not built yet' : 'is unknown'}; ` +
      `modules that can be loaded: ${[...FIRST, ...NAMES].join(', ')}`,
  )
}

/** What is of sparse encoders alone. */
const SPARSE = ['SpladePooling', 'SparseAutoEncoder', 'SparseStaticEmbedding']

/** @throws SentenceTorchError `code` unless the modules of a SentenceTransformer can stand behind each other */
export function checkOrder(types: readonly (FirstModuleName | ModuleName)[], where: string, code: ErrorCode): void {
  const sparse = types.find((type) => SPARSE.some((one) => one === type))
  if (sparse) {
    const ofCaller = code === 'ERR_INVALID_ARGUMENT' ? code : undefined
    throw wrongClass(`${where} lists ${sparse}`, 'SparseEncoder', ofCaller)
  }
  if (types.some((type) => type === 'MultiVectorMask' || type === 'HierarchicalTokenPooling')) {
    throw wrongClass(`${where} lists ${types.join(', ')}`, 'MultiVectorEncoder')
  }
  const order = types.map((type) => (type === 'WeightedLayerPooling' || type === 'Pooling' ? type : 'Other')).join(' ')
  const isStatic = types[0] === 'StaticEmbedding'
  const first = isStatic || types[0] === 'Transformer'
  const expected = isStatic ? /^Other( Other)*$/ : /^Other( WeightedLayerPooling)? Pooling( Other)*$/
  if (first && expected.test(order) && !types.slice(1).some((type) => FIRST.some((name) => name === type))) return
  throw new SentenceTorchError(
    code,
    `${where} lists the modules ${types.join(', ')}; built are Transformer, at most one WeightedLayerPooling, Pooling, ` +
      `or StaticEmbedding alone; then any of Dense, Normalize, LayerNorm and Dropout`,
  )
}

/** The same for a SparseEncoder. */
export function checkSparseOrder(
  types: readonly (FirstModuleName | ModuleName)[],
  where: string,
  code: ErrorCode,
): void {
  if (['Transformer SpladePooling', 'SparseStaticEmbedding'].includes(types.join(' '))) return
  // A SparseAutoEncoder stands behind the modules of a SentenceTransformer.
  const others = types.slice(0, -1)
  if (types.at(-1) === 'SparseAutoEncoder' && !others.some((type) => SPARSE.includes(type))) {
    checkOrder(others, where, code)
    return
  }
  if (!types.some((type) => SPARSE.includes(type))) {
    throw wrongClass(`${where} lists the modules ${types.join(', ')}`, 'SentenceTransformer', code)
  }
  const message = `${where} lists the modules ${types.join(', ')}; of a SparseEncoder Transformer and SpladePooling, SparseAutoEncoder behind the modules of a SentenceTransformer, and SparseStaticEmbedding alone are built`
  throw new SentenceTorchError(code, message)
}

/**
 * A module of its folder's config.json.
 * @param config undefined where the folder has none
 */
export function readModule(
  type: ModuleName,
  config: ConfigObject | undefined,
  input: ModuleInput,
  path: string,
  file: string,
): FolderModule {
  const kind: ModuleType = MODULES[type]
  if (config === undefined && kind.needsConfig) {
    throw new SentenceTorchError('ERR_INVALID_MODEL', `The model folder has no ${file}, which modules.json calls for`)
  }
  const { module, extra } = kind.read(config ?? {}, file)
  return { ...module.place(input, { name: file, code: 'ERR_INVALID_MODEL' }), type, path, extra }
}

/** A module that the caller made, as the one with number `index` of a model. */
export function placeModule(
  module: ModelModule,
  index: number,
  input: ModuleInput,
  origin: ModuleOrigin,
): FolderModule {
  const type = nameOf(module)!
  return { ...module.place(input, origin), type, path: `${index}_${type}`, extra: {} }
}

/** Of a module that the caller made; undefined for what is none. */
export function nameOf(module: unknown): ModuleName | undefined {
  return NAMES.find((name) => module instanceof MODULES[name])
}

/** config.json of a module as it is saved; undefined for none. */
export function savedConfig({ config, extra }: FolderModule): ConfigObject | undefined {
  const all = { ...config, ...extra }
  return Object.keys(all).length > 0 ? all : undefined
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
      spec.type === 'Dropout' ||
      (spec.type === 'Pooling' && (spec.modes as string[]).every((mode) => zero.includes(mode))),
  )
}
