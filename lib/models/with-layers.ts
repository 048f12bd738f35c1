/** A model made of another one's layers: what a distillation starts from. */
import { fromNative, invalidArgument, SentenceTorchError } from '../errors.js'
import type { ConfigObject, ConfigValue, Description, NativeEncoder } from '../native/types.js'
import { filled, makeTokenizer, type Parts, startEngine } from './start-engine.js'
import { describeConfig } from './transformer-config.js'
import { guardOf } from './weight-guard.js'

/** Elements that cross from one engine's model to the other at once. */
const STRIDE = 1 << 22

/**
 * Which layers to keep.
 * @param kept numbers from 0 on, rising; or how many, evenly spread from the first on: 4 of 12 are 0, 3, 6 and 9
 * @throws ERR_INVALID_ARGUMENT
 */
export function keptLayers(kept: number | readonly number[], layers: number): number[] {
  const expected = `a number from 1 to ${layers}, or rising numbers of layers from 0 to ${layers - 1}`
  const isCount = typeof kept === 'number' && Number.isInteger(kept) && kept >= 1 && kept <= layers
  if (isCount) return Array.from({ length: kept }, (_, i) => Math.floor((i * layers) / kept))
  const isRising = (list: readonly number[]) =>
    list.every((layer, i) => Number.isInteger(layer) && layer < layers && layer > (list[i - 1] ?? -1))
  if (Array.isArray(kept) && kept.length > 0 && isRising(kept)) return [...kept]
  throw invalidArgument('layers', expected, kept)
}

/** A copy of a model with some of its layers: see `SentenceTransformer.withLayers`. */
export async function partsWithLayers(parts: Parts, given: number | readonly number[]): Promise<Parts> {
  const { folder, addon, tokenizer, encoder, adapters } = parts
  const { first, config, description } = folder
  if (first === 'StaticEmbedding') throw unsupported('a model of static embeddings has no layers')
  if (adapters?.active !== undefined) throw unsupported('an adapter is active; merge() adds it to the weights')
  if (folder.modules.some(({ type }) => type === 'WeightedLayerPooling'))
    throw unsupported('a WeightedLayerPooling has a weight for each layer')
  const layers = keptLayers(given, description.layers)
  const cut = configOf(config, description, layers)
  const own = {
    ...folder,
    ...{
      config: cut,
      description: describeConfig(() => addon, cut, 'config.json'),
      maxSeqLength: tokenizer.maxSeqLength,
    },
    ...{ path: undefined, transformerPath: undefined },
  }
  const hasPooler = encoder.tensors().some(({ name }) => description.names.pooler.includes(name.slice('0.'.length)))
  const engine = startEngine(addon, own, hasPooler, { device: parts.device, dtype: parts.dtype })
  return filled(engine.encoder, async () => {
    await guardOf(encoder).hold(() => copyTensors(encoder, engine.encoder, description.names.layer, layers))
    return { ...engine, tokenizer: makeTokenizer(own), folder: own, names: new Map(), id: parts.id }
  })
}

/** Kinds of layers that follow from their number, with what the key means when it is absent. */
const CYCLES: readonly { type: string; key: string; fallback: number }[] = [
  { type: 'modernbert', key: 'global_attn_every_n_layers', fallback: 3 },
  { type: 'gemma3_text', key: 'sliding_window_pattern', fallback: 6 },
]

/** config.json of fewer layers. @throws ERR_NOT_IMPLEMENTED where a layer would become one of another kind */
function configOf(config: ConfigObject, { layersKey }: Description, layers: readonly number[]): ConfigObject {
  const cut: ConfigObject = { ...config, [layersKey]: layers.length }
  const types = config.layer_types
  if (Array.isArray(types)) return { ...cut, layer_types: layers.map((layer) => types[layer] as ConfigValue) }
  const cycle = CYCLES.find(({ type }) => type === config.model_type)
  if (cycle !== undefined) {
    const { key, fallback } = cycle
    const length = typeof config[key] === 'number' ? config[key] : fallback
    const moved = layers.findIndex((layer, place) => layer % length !== place % length)
    if (moved !== -1) {
      const message = `Layer ${layers[moved]} cannot become layer ${moved}: ${key} ${length} of config.json decides what each layer attends to`
      throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
    }
  }
  if (config.use_sliding_window === true) throw unsupported('use_sliding_window without layer_types')
  return cut
}

/** Fills `to`, layer by layer, with what `from` has. @throws ERR_NOT_IMPLEMENTED where the tensors of a layer are not those of its new place */
async function copyTensors(
  from: NativeEncoder,
  to: NativeEncoder,
  layerPrefix: string,
  layers: readonly number[],
): Promise<void> {
  const prefix = `0.${layerPrefix}`
  // `encoder.layer.1.…` of the new model is, of layers 0, 3 and 6, `encoder.layer.3.…`.
  const sourceOf = (name: string) =>
    name.startsWith(prefix)
      ? name.slice(prefix.length).replace(/^\d+/, (place) => `${prefix}${layers[Number(place)]}`)
      : name
  const targets = to.tensors()
  const sources = new Map(from.tensors().map(({ name, shape }) => [name, shape.join()]))
  const lacking = targets.find(({ name, shape }) => sources.get(sourceOf(name)) !== shape.join())
  const used = new Set(targets.map(({ name }) => sourceOf(name)))
  const isKept = (name: string) =>
    !name.startsWith(prefix) || layers.includes(Number(/^\d+/.exec(name.slice(prefix.length))![0]))
  const odd = lacking ? sourceOf(lacking.name) : [...sources.keys()].find((name) => isKept(name) && !used.has(name))
  if (odd !== undefined) {
    const message = `Layers ${layers.join(', ')} cannot stand behind each other: ${odd} ${lacking ? 'is not there' : 'has no place'}`
    throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
  }
  for (const [i, { name, shape }] of targets.entries()) {
    const elements = shape.reduce((product, n) => product * n, 1)
    for (let start = 0; start < elements; start += STRIDE) {
      const data = new Uint8Array(4 * Math.min(STRIDE, elements - start))
      const isLast = i === targets.length - 1 && start + STRIDE >= elements
      try {
        await from.dump([{ name: sourceOf(name), start, dtype: 'F32', data }], true)
        await to.load([{ name, start, dtype: 'F32', data }], isLast)
      } catch (error) {
        throw fromNative(error, 'Encoder.load')
      }
    }
  }
}

function unsupported(why: string): SentenceTorchError {
  return new SentenceTorchError('ERR_UNSUPPORTED', `Layers cannot be left out: ${why}`)
}
