import type { ModuleSpec, NativeAddon } from '../../native/types.js'
import { type CrossEncoderFolder, headModule, readCrossEncoderFolder } from '../cross-encoder-folder.js'
import { type ModelFolder, readModelFolder } from '../model-folder.js'
import { hasWeights } from '../modules/index.js'
import { type MultiVectorFolder, readMultiVectorFolder } from '../multi-vector/folder.js'
import { writeMultiVectorFolder } from '../multi-vector/save.js'
import { writeCrossEncoderFolder } from '../save-cross-encoder.js'
import { type SavedWeights, writeModelFolder } from '../save-folder.js'
import type { ModelFiles } from '../weights.js'

/** What folders of all classes have. */
export type KindFolder = Pick<
  ModelFolder,
  'architecture' | 'config' | 'description' | 'tokenizerFiles' | 'doLowerCase' | 'maxSeqLength'
> & { transformerPath: string | undefined; first?: ModelFolder['first'] }

/** What merging needs to know of a class of models. */
export interface ModelKind<F extends KindFolder> {
  name: string
  /** Of a bare name on the hub. */
  organization: string
  /** Whether the engine has the transformer's pooler beside the modules, where the files bring it. */
  keepsPooler: boolean
  read(path: string, getAddon: () => NativeAddon): Promise<F>
  /** What of a model cannot be merged, for a message; undefined: nothing. */
  obstacle(folder: F): string | undefined
  /** Behind the transformer. */
  modules(folder: F): { spec: ModuleSpec }[]
  /** Those of them that have files. */
  files(folder: F): ModelFiles['modules']
  /** Settings that are to be equal, by what a message calls them. */
  settings(folder: F): Record<string, unknown>
  write(folder: string, model: F, weights: SavedWeights, target: string, version: string): Promise<void>
}

export const sentenceTransformers: ModelKind<ModelFolder> = {
  name: 'SentenceTransformer',
  organization: 'sentence-transformers',
  keepsPooler: true,
  read: (path, getAddon) => readModelFolder(path, getAddon),
  obstacle: ({ router }) => router && 'a Router',
  modules: ({ modules }) => modules,
  files: ({ modules }) => modules,
  settings: ({ first, modules }) => ({
    modules: [first, ...modules.map(({ type }) => type)],
    ...Object.fromEntries(modules.map(({ type, spec }, i) => [`the module ${i + 1} (${type})`, spec])),
  }),
  write: (folder, model, weights, target, version) => {
    const { modules, description, truncateDim, maxSeqLength, similarityFnName } = model
    const width = modules.at(-1)?.outputDimension ?? description.width
    const card = {
      ...{ target, maxSeqLength, similarityFnName, version },
      embeddingDimension: Math.min(width, truncateDim ?? width),
      modules: [model.first, ...modules.map(({ type }) => type)],
    }
    return writeModelFolder(folder, model, weights, card)
  },
}

export const crossEncoders: ModelKind<CrossEncoderFolder> = {
  name: 'CrossEncoder',
  organization: 'cross-encoder',
  keepsPooler: false,
  read: (path, getAddon) => readCrossEncoderFolder(path, getAddon),
  obstacle: ({ causal }) => (causal ? 'it scores by the logits of a language model (LogitScore)' : undefined),
  modules: (folder) => [headModule(folder)],
  files: () => [],
  settings: ({ numLabels, activationFn }) => ({ 'the number of labels': numLabels, 'the activation': activationFn }),
  write: (folder, model, weights, target, version) =>
    writeCrossEncoderFolder(folder, model, weights, { target, version }),
}

export const multiVectorEncoders: ModelKind<MultiVectorFolder> = {
  name: 'MultiVectorEncoder',
  organization: '',
  keepsPooler: true,
  read: (path, getAddon) => readMultiVectorFolder(path, getAddon),
  obstacle: ({ projectionInRoot, added, modules }) => {
    if (projectionInRoot)
      return "its projection lies beside the transformer, as Stanford's: save it with MultiVectorEncoder first"
    return modules.some(({ type }, i) => added.has(i + 1) && hasWeights(type)) ? 'it has no projection yet' : undefined
  },
  modules: ({ modules }) => modules,
  // Those that no file has are passed by as those without weights are.
  files: ({ modules, added }) =>
    modules.map((module, i) => (added.has(i + 1) ? { ...module, type: 'Normalize' as const } : module)),
  settings: ({ first, modules }) => ({
    modules: [first, ...modules.map(({ type }) => type)],
    ...Object.fromEntries(modules.map(({ type, config }, i) => [`the module ${i + 1} (${type})`, config])),
  }),
  write: (folder, model, weights, target, version) => {
    const { modules, description } = model
    const card = { target, version, dimension: modules.at(-1)?.outputDimension ?? description.width }
    return writeMultiVectorFolder(folder, model, weights, card)
  },
}
