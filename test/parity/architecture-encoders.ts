// Engines with the weights of the golden models of architectures.
import { NamesOfFiles } from '../../lib/models/checkpoint-names.js'
import { placesOf } from '../../lib/models/weight-check.js'
import type { ConfigObject, EncoderSpec, ModuleSpec, NativeEncoder } from '../../lib/native/types.js'
import type { Fixture, GoldenTensor } from './architectures.js'
import { addon, load, type Tensors } from './support.js'

export const MEAN: ModuleSpec = { type: 'Pooling', modes: ['mean'], includePrompt: true }
/** Every token of a row gets a gradient of its own. */
export const SPREAD: ModuleSpec = { type: 'Pooling', modes: ['cls', 'lasttoken', 'weightedmean'], includePrompt: true }

export function encoderSpec(fixture: Fixture, options: Partial<EncoderSpec> = {}): EncoderSpec {
  const { config, pooler } = fixture
  // Files of the hub may have another model_type for the same architecture.
  const architecture = (options.config ?? config).model_type as string
  return { architecture, config, modules: [MEAN], pooler, device: 'cpu', dtype: 'float32', ...options }
}

/**
 * Tensors of a file by the names of the engine, which may have the parts of what is one tensor there. What no encoder has is a loss's.
 * @param tensors by their names in the file
 */
export function byEngineNames(
  encoder: NativeEncoder,
  config: ConfigObject,
  tensors: Iterable<readonly [string, GoldenTensor]>,
): Map<string, GoldenTensor> {
  const infos = encoder.tensors()
  const places = placesOf(infos)
  const shapes = new Map(infos.map(({ name, shape }) => [name, shape]))
  const naming = new NamesOfFiles(addon.describe(config.model_type as string, config).names)
  const found = new Map<string, GoldenTensor>()
  for (const [name, { shape, data }] of tensors) {
    const own = naming.engine(name)
    const parts = places.get(`0.${own}`)?.parts ?? [`loss.${name}`]
    let start = 0
    for (const part of parts) {
      const partShape = shapes.get(part) ?? shape
      const end = start + partShape.reduce((a, b) => a * b, 1)
      found.set(part, { shape: partShape, data: data.slice(start, end) })
      start = end
    }
  }
  return found
}

export const dataOf = (tensors: ReadonlyMap<string, GoldenTensor>): Tensors =>
  new Map([...tensors].map(([name, { data }]) => [name, data]))

/** An encoder with the fixture's weights. */
export async function open(fixture: Fixture, options: Partial<EncoderSpec> = {}): Promise<NativeEncoder> {
  const encoder = new addon.Encoder(encoderSpec(fixture, options))
  await load(encoder, dataOf(byEngineNames(encoder, fixture.config, fixture.weights)))
  return encoder
}
