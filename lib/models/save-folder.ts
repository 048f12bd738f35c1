import { mkdir, writeFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import type { FloatDType } from '../io/floats.js'
import { saveFolder } from '../io/rescue.js'
import { type TensorSource, writeSafetensors } from '../io/safetensors.js'
import type { ConfigObject, NativeEncoder } from '../native/types.js'
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS, type SavedAdapter } from './adapters/config.js'
import { isCount } from './checkpoint-names.js'
import { dumpTensor } from './dump.js'
import type { FirstModule } from './first-module.js'
import { SENTENCE_CONFIG_FILES } from './folder-config.js'
import { toJson } from './json.js'
import { fullModelCard, type ModelCard, modelCard } from './model-card.js'
import type { ModelFolder } from './model-folder.js'
import { type FolderModule, hasWeights, savedConfig } from './modules/index.js'
import { type FolderLayout, routerLayout } from './router/layout.js'
import { namesOfNetwork, networkOf } from './router/networks.js'
import { ROUTER_FILES } from './router/read.js'
import type { StoredNames } from './stored-names.js'
import { TOKENIZER_FILES } from './tokenizer-files.js'
import { placesOf } from './weight-check.js'

/**
 * Saves a model in the layout of `writeModelFolder`. At `target` there is always a whole folder; files of an older one that are
 * not a model's own stay.
 * @throws NotSavedError; what the engine reports. The old folder is then as it was.
 */
export async function saveModelFolder(
  target: string,
  write: (folder: string) => Promise<void>,
  keepUnknown: (path: string) => boolean = isForeign,
): Promise<void> {
  await saveFolder(target, write, { keepUnknown })
}

/**
 * Writes a model's files into an empty folder, in the layout that sentence-transformers 2.x to 6.x and
 * text-embeddings-inference read.
 * @param model settings as they are to be saved
 */
export async function writeModelFolder(
  folder: string,
  model: ModelFolder,
  weights: SavedWeights,
  card: ModelCard,
  adapter?: SavedAdapter,
): Promise<void> {
  const { list, files, router } = layoutOf(model)
  await json(folder, 'modules.json', list)
  await json(folder, 'config_sentence_transformers.json', modelConfig(model, card.version))
  await writeFile(join(folder, 'README.md'), card.full ? await fullModelCard(card.full) : modelCard(card))
  if (router) {
    await mkdir(join(folder, router.path), { recursive: true })
    await json(folder, join(router.path, ROUTER_FILES[0]), router.content, 4)
  }
  for (const { path, network, module } of files) {
    const own = join(folder, path)
    await mkdir(own, { recursive: true })
    const first = model.router?.networks[network] ?? model
    const part = model.router ? networkWeights(weights, network) : weights
    if (module === -1) await writeFirstModule(own, first, part, adapter)
    else await writeModule(own, first.modules[module]!, part, module + 1)
  }
}

export function networkWeights(weights: SavedWeights, network: number): SavedWeights {
  return {
    ...weights,
    encoder: networkOf(weights.encoder as NativeEncoder, network),
    names: namesOfNetwork(weights.names, network),
  }
}

function json(folder: string, path: string, value: unknown, indent?: number): Promise<void> {
  return writeFile(join(folder, path), toJson(value, indent))
}

/** A transformer or a table, and its tokenizer. */
export async function writeFirstModule(
  folder: string,
  model: FirstModule,
  weights: SavedWeights,
  adapter: SavedAdapter | undefined,
): Promise<void> {
  for (const [name, bytes] of model.tokenizerFiles) await writeFile(join(folder, name), bytes)
  if (model.first === 'Transformer') {
    await json(folder, 'sentence_bert_config.json', {
      max_seq_length: model.maxSeqLength,
      do_lower_case: model.doLowerCase,
      ...model.extraSentenceConfig,
    })
    if (adapter === undefined) await json(folder, 'config.json', configWithDType(model.config, weights.dtype))
    await json(folder, 'tokenizer_config.json', tokenizerConfig(model))
  }
  if (adapter !== undefined) await writeAdapter(folder, adapter, weights.encoder)
  else await writeSafetensors(join(folder, 'model.safetensors'), tensors(weights, 0), { format: 'pt' })
}

export async function writeModule(
  folder: string,
  module: FolderModule,
  weights: SavedWeights,
  number: number,
): Promise<void> {
  const config = savedConfig(module)
  if (config) await json(folder, 'config.json', config, 4)
  if (hasWeights(module.type)) await writeSafetensors(join(folder, 'model.safetensors'), tensors(weights, number))
}

/** Writes an adapter as PEFT does. */
export async function writeAdapter(
  folder: string,
  { config, tensors }: SavedAdapter,
  encoder: Pick<NativeEncoder, 'dump'>,
): Promise<void> {
  const sorted = Object.fromEntries(Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1)))
  await writeFile(join(folder, ADAPTER_CONFIG), toJson(sorted))
  const sources = tensors.map(({ name, tensor, shape }): TensorSource => {
    return { name, dtype: 'F32', shape, data: () => dumpTensor(encoder, tensor, elementsOf(shape)) }
  })
  await writeSafetensors(join(folder, ADAPTER_WEIGHTS[0]), sources, { format: 'pt' })
}

function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1)
}

/** modules.json, and the folder of every module after the first; of a model without Router. */
export function moduleList(model: Pick<ModelFolder, 'first' | 'modules'>): { paths: string[]; list: object[] } {
  const types = [model.first, ...model.modules.map((module) => module.type)]
  const paths = types.map((type, idx) => (idx === 0 ? '' : `${idx}_${type}`))
  return { paths: paths.slice(1), list: types.map((type, idx) => listed(type, idx, paths[idx]!)) }
}

function listed(type: string, idx: number, path: string): object {
  return { idx, name: String(idx), path, type: typeName(type) }
}

function typeName(type: string): string {
  return `sentence_transformers.models.${type}`
}

function layoutOf(model: ModelFolder): FolderLayout {
  if (model.router) return routerLayout(model.router, typeName)
  const { paths, list } = moduleList(model)
  return { list, files: ['', ...paths].map((path, i) => ({ path, network: 0, module: i - 1 })) }
}

function modelConfig(model: ModelFolder, version: string): ConfigObject {
  return {
    // Without the version of a newer Python package: an older one would warn, though it reads this layout.
    __version__: { sentence_torch: version },
    model_type: 'SentenceTransformer',
    prompts: model.prompts,
    default_prompt_name: model.defaultPromptName,
    similarity_fn_name: model.similarityFnName,
    ...(model.truncateDim === null ? {} : { truncate_dim: model.truncateDim }),
    ...model.extraModelConfig,
  }
}

const DTYPE_NAMES = { F64: 'float64', F32: 'float32', F16: 'float16', BF16: 'bfloat16' } as const

/** config.json with the dtype of the weights as they are saved: transformers believes what it says. */
export function configWithDType(config: ConfigObject, dtype: FloatDType = 'F32'): ConfigObject {
  const changed = { ...config }
  const keys = ['dtype', 'torch_dtype'].filter((key) => key in changed)
  // Without it transformers takes float32.
  if (keys.length === 0 && dtype !== 'F32') keys.push('torch_dtype')
  for (const key of keys) changed[key] = DTYPE_NAMES[dtype]
  return changed
}

/** tokenizer_config.json with the length to which texts are cut. */
export function tokenizerConfig(model: Pick<ModelFolder, 'tokenizerFiles' | 'maxSeqLength'>): ConfigObject {
  const bytes = model.tokenizerFiles.get('tokenizer_config.json')
  const config = bytes ? (JSON.parse(new TextDecoder().decode(bytes)) as ConfigObject) : {}
  return { ...config, model_max_length: model.maxSeqLength }
}

/** A model's weights, and what its files called them. */
export interface SavedWeights {
  encoder: Pick<NativeEncoder, 'tensors' | 'dump'>
  names: StoredNames
  /** Of the file. Default F32. */
  dtype?: FloatDType
  /** The bytes of a tensor by the engine's name, where they are not those of the encoder. */
  data?: (name: string) => AsyncIterable<Uint8Array>
}

/** A tensor to be saved, with the engine's name beside that of the file; both without the number of the module. */
export interface SavedTensor extends TensorSource {
  own: string
}

/**
 * The encoder's tensors of one module, under the names that they were read by, else under the engine's; read from the engine as
 * they are written, with what an adapter adds to them.
 */
export function tensors({ encoder, names, dtype = 'F32', data }: SavedWeights, module: number): SavedTensor[] {
  const prefix = `${module}.`
  const infos = encoder.tensors()
  const blocks = new Set(infos.flatMap(({ block }) => (block !== undefined && names.has(block) ? [block] : [])))
  const inBlock = new Set(infos.flatMap(({ name, block }) => (block !== undefined && blocks.has(block) ? [name] : [])))
  return [...placesOf(infos)]
    .filter(([name, { parts }]) => {
      if (!name.startsWith(prefix)) return false
      return parts[0] === name ? !inBlock.has(name) : blocks.has(name)
    })
    .map(([name, { shape }]) => ({
      name: names.get(name) ?? name.slice(prefix.length),
      own: name.slice(prefix.length),
      ...(isCount(name)
        ? { dtype: 'I64', shape, data: () => dumpTensor(encoder, name, elementsOf(shape), 'I64') }
        : { dtype, shape, data: () => data?.(name) ?? dumpTensor(encoder, name, elementsOf(shape)) }),
    }))
}

/** A model's weights in one file or in shards, as this package or Python saves them, and those of adapters. */
const WEIGHTS =
  /^(model(-\d+-of-\d+)?\.safetensors|pytorch_model(-\d+-of-\d+)?\.bin)(\.index\.json)?$|^adapter_model\.(safetensors|bin)$/

/**
 * Whether a file or folder of an older save is none of ours, so that it is kept.
 * @param path below the model's folder: in a module's folder, weights alone are ours
 */
export function isForeign(path: string): boolean {
  const name = posix.basename(path)
  if (WEIGHTS.test(name)) return false
  // A config.json beside an adapter would mean that its base model lies there, too.
  const own = [...TOKENIZER_FILES, ...SENTENCE_CONFIG_FILES, 'config.json', ADAPTER_CONFIG, ROUTER_FILES[0]]
  return path !== name || (!own.includes(name) && !/^(.+_)?\d+_[A-Z]\w*$/.test(name))
}
