import { fromNative, invalidArgument, SentenceTorchError } from '../errors.js'
import type { ConfigObject, NativeAddon, NativeEncoder } from '../native/types.js'
import { checkInteger, checkOptions } from '../options.js'
import { checkModelOptions } from './load-options.js'
import { filled, makeTokenizer, type Parts, startEngine, withOptions } from './load-parts.js'
import type { ModelFolder } from './model-folder.js'
import { checkOrder, type FolderModule, type ModuleName, nameOf, placeModule } from './modules/index.js'
import type { ModelModule, ModuleOrigin } from './modules/module.js'
import { StaticEmbedding } from './modules/static-embedding.js'
import { Transformer } from './modules/transformer.js'
import { MODEL_OPTIONS, type ModelOptions } from './types.js'
import { type StoredNames, WeightFiles } from './weights.js'

export interface FromModulesOptions extends ModelOptions {
  /** Of the values of new Dense modules. Default 0. */
  seed?: number
}

/** A first module and those behind it. */
export type ModelModules = readonly [Transformer | StaticEmbedding, ...ModelModule[]]

/** Puts a model together: see `SentenceTransformer.fromModules`. */
export async function partsOfModules(
  getAddon: () => NativeAddon,
  modules: ModelModules,
  options: FromModulesOptions,
): Promise<Parts> {
  checkOptions('SentenceTransformer.fromModules', options, [...MODEL_OPTIONS, 'seed'])
  checkModelOptions(options)
  checkInteger('seed', options.seed, 0)
  const { first, others } = checkModules(modules)
  const folder = withOptions(
    {
      ...first.first,
      ...(others.some((module) => nameOf(module) === 'WeightedLayerPooling') && {
        config: withLayers(first.first.config),
      }),
      path: undefined,
      ...{ prompts: { query: '', document: '' }, defaultPromptName: null, similarityFnName: 'cosine' as const },
      ...{ truncateDim: null, extraModelConfig: {}, modules: placed(first, others) },
    },
    options,
  )
  const tokenizer = makeTokenizer(folder)
  const { weights } = first
  const files = weights.kind === 'folder' ? await openFiles(weights.path, folder) : undefined
  try {
    const hasPooler = files?.hasPooler ?? folder.description.names.pooler.length > 0
    const engine = startEngine(getAddon(), folder, hasPooler, options)
    const { encoder } = engine
    return await filled(encoder, async () => {
      const names = encoder.tensors().map(({ name }) => name)
      const ofFirst = names.filter((name) => name.startsWith('0.'))
      const ofOthers = names.filter((name) => !name.startsWith('0.'))
      let stored: StoredNames = new Map()
      if (files) stored = (await files.load(encoder, ofOthers)).names
      if (weights.kind === 'new') await initialize(encoder, ofFirst, weights.seed)
      if (weights.kind === 'table') await loadTable(encoder, ofFirst[0]!, weights.table.data)
      await initialize(encoder, ofOthers, options.seed ?? 0)
      const id = weights.kind === 'folder' ? weights.id : undefined
      return { ...engine, tokenizer, folder, names: stored, id }
    })
  } finally {
    await files?.close()
  }
}

/** Without it Python leaves a WeightedLayerPooling out. */
function withLayers(config: ConfigObject): ConfigObject {
  return { ...config, output_hidden_states: true }
}

function checkModules(modules: unknown): { first: Transformer | StaticEmbedding; others: ModelModule[] } {
  if (!Array.isArray(modules)) throw invalidArgument('modules', 'an array of modules', modules)
  const [first, ...others] = modules as unknown[]
  if (!(first instanceof Transformer || first instanceof StaticEmbedding)) {
    throw invalidArgument('modules[0]', 'a Transformer or a StaticEmbedding, after await', first)
  }
  others.forEach((module, i) => {
    if (nameOf(module) !== undefined) return
    throw invalidArgument(
      `modules[${i + 1}]`,
      'a Pooling, Dense, Normalize, LayerNorm, Dropout or WeightedLayerPooling',
      module,
    )
  })
  const types: ModuleName[] = others.map((module) => nameOf(module)!)
  checkOrder([first.first.first, ...types], 'fromModules', 'ERR_INVALID_ARGUMENT')
  return { first, others: others as ModelModule[] }
}

function placed({ first }: Transformer | StaticEmbedding, others: readonly ModelModule[]): FolderModule[] {
  const { layers } = first.description
  let { width } = first.description
  return others.map((module, i) => {
    const origin: ModuleOrigin = { name: `modules[${i + 1}]`, code: 'ERR_INVALID_ARGUMENT' }
    const found = placeModule(module, i + 1, { width, layers }, origin)
    width = found.outputDimension
    return found
  })
}

function openFiles(path: string, { first, description }: ModelFolder): Promise<WeightFiles> {
  return WeightFiles.open({ first, description, path, transformerPath: path, modules: [] })
}

async function initialize(encoder: NativeEncoder, names: string[], seed: number): Promise<void> {
  try {
    if (names.length > 0) await encoder.initialize(names, seed)
  } catch (error) {
    throw fromNative(error, 'Encoder.initialize')
  }
}

async function loadTable(encoder: NativeEncoder, name: string, values: Float32Array): Promise<void> {
  const place = values.findIndex((value) => !Number.isFinite(value))
  if (place !== -1) {
    const message = `Expected finite numbers as embeddingWeights but received ${values[place]} at ${place}`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  await encoder.load([{ name, start: 0, dtype: 'F32', data }])
}
