import { PairTokenizer } from '../data/pairs.js'
import { Random } from '../data/random.js'
import type { Tokenizer } from '../data/tokenizer.js'
import { fromNative, invalidArgument } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import type { NativeAddon, NativeEncoder } from '../native/types.js'
import { checkInteger } from '../options.js'
import { type CrossEncoderFolder, classificationModule, readCrossEncoderFolder } from './cross-encoder-folder.js'
import { type CrossEncoderLoadOptions, checkCrossEncoderLoadOptions } from './cross-encoder-options.js'
import { resolveModel } from './hub.js'
import { chooseDevice, chooseDType } from './load-options.js'
import { makeTokenizer, noSuchPrompt } from './load-parts.js'
import { WeightFiles } from './weights.js'

/** What a loaded cross-encoder is made of. */
export interface CrossEncoderParts {
  addon: NativeAddon
  encoder: NativeEncoder
  tokenizer: Tokenizer
  pairs: PairTokenizer
  folder: CrossEncoderFolder
  /** Hub id it came from. */
  id: string | undefined
  device: string
  dtype: 'float32' | 'bfloat16' | 'int8'
}

/** Tensors that a bare transformer does not bring. */
const HEAD = ['0.pooler.dense.weight', '0.pooler.dense.bias', '0.classifier.weight', '0.classifier.bias']

/**
 * Finds, reads and checks a model and hands its weights to the engine; what a bare transformer lacks gets random values.
 * @param getAddon brings the engine, once the folder is known to be readable.
 */
export async function loadCrossEncoderParts(
  getAddon: () => NativeAddon,
  idOrPath: string,
  options: CrossEncoderLoadOptions,
): Promise<CrossEncoderParts> {
  if (typeof idOrPath !== 'string' || idOrPath === '')
    throw invalidArgument('idOrPath', 'a folder or a hub id', idOrPath)
  checkCrossEncoderLoadOptions(options)
  const { signal } = options
  const what = `Loading ${idOrPath}`
  throwIfAborted(signal, what)
  const { path, id } = await resolveModel(idOrPath, { ...options, organization: 'cross-encoder' })
  const folder = await readCrossEncoderFolder(path, options)
  checkInteger('maxLength', options.maxLength, 1, folder.config.max_position_embeddings as number)
  Object.assign(folder.prompts, options.prompts)
  folder.defaultPromptName = options.defaultPromptName ?? folder.defaultPromptName
  if (folder.defaultPromptName !== null && !Object.hasOwn(folder.prompts, folder.defaultPromptName)) {
    throw noSuchPrompt('defaultPromptName', folder.defaultPromptName, folder.prompts)
  }
  const tokenizer = makeTokenizer(folder)
  const pairs = new PairTokenizer(tokenizer)
  throwIfAborted(signal, what)
  const weights = await WeightFiles.open({ ...folder, modules: [] }, options.ignoreTensors)
  try {
    throwIfAborted(signal, what)
    const { isClassifier, numLabels } = folder
    weights.checkSizes({ ...folder, modules: [] }, isClassifier && !options.numLabels ? numLabels : undefined)
    const addon = getAddon()
    if (options.threads !== undefined) addon.setThreads(options.threads)
    const device = chooseDevice(options.device, addon.runtime())
    const dtype = chooseDType(options.dtype, addon.runtime(), device)
    const encoder = makeEncoder(addon, folder, device, dtype)
    try {
      const fresh = await weights.load(encoder, folder.isClassifier ? [] : HEAD, signal)
      await initialize(encoder, fresh, folder, options.seed ?? 0)
    } catch (error) {
      await encoder.dispose()
      throw error
    }
    return { addon, encoder, tokenizer, pairs, folder, id, device, dtype }
  } finally {
    await weights.close()
  }
}

function makeEncoder(
  addon: NativeAddon,
  folder: CrossEncoderFolder,
  device: string,
  dtype: 'float32' | 'bfloat16' | 'int8',
): NativeEncoder {
  const { architecture, config } = folder
  try {
    // The pooler belongs to the classification module here, which trains it.
    return new addon.Encoder({
      architecture,
      config,
      modules: [classificationModule(folder)],
      pooler: false,
      device,
      dtype,
    })
  } catch (error) {
    throw fromNative(error, 'Encoder')
  }
}

/** Weights from a normal distribution with the config's `initializer_range`, biases 0, as transformers makes a new head. */
async function initialize(
  encoder: NativeEncoder,
  names: readonly string[],
  { config, path }: CrossEncoderFolder,
  seed: number,
): Promise<void> {
  if (names.length === 0) return
  const std = typeof config.initializer_range === 'number' ? config.initializer_range : 0.02
  const random = new Random(seed)
  const sizes = new Map(encoder.tensors().map(({ name, shape }) => [name, shape.reduce((a, b) => a * b, 1)]))
  for (const name of names) {
    const data = new Float32Array(sizes.get(name)!)
    if (name.endsWith('.weight')) for (let i = 0; i < data.length; i++) data[i] = std * normal(random)
    await encoder.load([{ name, start: 0, dtype: 'F32', data: new Uint8Array(data.buffer) }])
  }
  const list = names.map((name) => name.slice('0.'.length)).join(', ')
  process.emitWarning(
    `Some weights of the cross-encoder were not in ${path} and are newly initialised: ${list}. ` +
      'Train the model before you use its predictions',
    'SentenceTorchWarning',
  )
}

/** Box and Muller 1958. */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.float())) * Math.cos(2 * Math.PI * random.float())
}
