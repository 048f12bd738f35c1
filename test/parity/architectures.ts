// Golden models of every architecture (make_architectures.py): what the files hold, and engines over it.
import { NamesOfFiles } from '../../lib/models/checkpoint-names.js'
import { placesOf } from '../../lib/models/weight-check.js'
import { readdirSync, readFileSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import type {
  ConfigObject,
  DType,
  EncoderSpec,
  ModuleSpec,
  NativeEncoder,
  PackedBatch,
  StepOptions,
  TrainerSpec,
} from '../../lib/native/types.js'
import { addon, gradients, load, readSafetensors, type Tensors, trainerSpec } from './support.js'

/** The architectures that the engine has: their tests cannot be skipped. Others are skipped until their name is here. */
export const BUILT: readonly string[] = ['bert', 'camembert', 'distilbert', 'electra', 'roberta', 'xlm-roberta', 'gte', 'nomic_bert', 'mpnet', 'modernbert']

const FOLDER = new URL('../../../test/parity/golden/architectures/', import.meta.url)

/** The unit of weights, and of gradients of losses, in the golden files. */
const UNIT = 64

interface SetupGolden {
  /** What of this configuration changes numbers. */
  covers: string
  /** config.json as transformers writes it. */
  config: ConfigObject
  /** The same configuration in other words. */
  variants: Record<string, ConfigObject>
  pooler: boolean
  /** No published model has it: the engine may refuse it by name. */
  optional: boolean
  /** Tokens of the longest row that the model takes. */
  positions: number
  lengths: number[]
  /** The rows whose token embeddings are kept. */
  tokenRows: number[]
  /** How far PyTorch's own float32 is off: embeddings, and gradients as a part of what is allowed. */
  python: { embeddings: number; gradients: number }
}

/** How a file on the hub names the encoder's tensors. */
export interface CheckpointGolden {
  /** Of every tensor that `renamed` does not have. */
  prefix: string
  /** Name in the file, name of the tensor here, first of its rows, number of rows. */
  renamed: [file: string, tensor: string, start: number, rows: number][]
  /** Tensors that no encoder needs. */
  extra: [name: string, shape: number[], dtype: string][]
}

interface ArchitectureGolden {
  architecture: string
  setups: Record<string, SetupGolden>
  checkpoints: Record<string, CheckpointGolden>
}

export interface GoldenTensor {
  shape: number[]
  data: Float32Array | Int32Array
}

/** One configuration of one architecture. */
export interface Fixture extends SetupGolden {
  architecture: string
  name: string
  tensors: Map<string, GoldenTensor>
  batch: PackedBatch
  /** By the engine's names. */
  weights: Map<string, { shape: number[]; data: Float32Array }>
}

export const ARCHITECTURES: readonly ArchitectureGolden[] = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.json'))
  .map((file) => JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as ArchitectureGolden)

/** Everything of `prefix`, without it. */
export function under<T>(tensors: ReadonlyMap<string, T>, prefix: string): Map<string, T> {
  const found = [...tensors].filter(([name]) => name.startsWith(prefix))
  return new Map(found.map(([name, tensor]) => [name.slice(prefix.length), tensor]))
}

function readGolden(architecture: string): Map<string, GoldenTensor> {
  const tensors = new Map<string, GoldenTensor>()
  for (const [name, { dtype, shape, data }] of readSafetensors(new URL(`${architecture}.safetensors`, FOLDER))) {
    if (dtype !== 'F32' && dtype !== 'I8') throw new Error(`${architecture}: ${name} is ${dtype}`)
    const small = () => Int32Array.from(new Int8Array(data))
    tensors.set(name, { shape, data: dtype === 'F32' ? new Float32Array(data) : small() })
  }
  return tensors
}

/** Whole numbers of the files in their unit. */
export const inUnits = (data: ArrayLike<number>): Float32Array => Float32Array.from(data, (value) => value / UNIT)

export function fixtures(): Fixture[] {
  return ARCHITECTURES.flatMap(({ architecture, setups }) => {
    const all = readGolden(architecture)
    return Object.entries(setups).map(([name, setup]): Fixture => {
      const tensors = under(all, `${name}/`)
      const weights = [...under(tensors, 'weights/')].map(([tensor, { shape, data }]) => {
        return [`0.${tensor}`, { shape, data: inUnits(data) }] as const
      })
      const offsets = [0]
      for (const length of setup.lengths) offsets.push(offsets.at(-1)! + length)
      const batch: PackedBatch = {
        ids: Int32Array.from(tensors.get('ids')!.data),
        offsets: Int32Array.from(offsets),
        columns: 1,
      }
      const types = tensors.get('types')
      if (types) batch.tokenTypes = Int32Array.from(types.data)
      return { ...setup, architecture, name, tensors, batch, weights: new Map(weights) }
    })
  })
}

/** Values of a float tensor of the files. */
export function values(fixture: Fixture, name: string): Float32Array {
  const data = fixture.tensors.get(name)?.data
  if (!(data instanceof Float32Array))
    throw new Error(`${fixture.architecture}, ${fixture.name}: no float tensor ${name}`)
  return data
}

// --------------------------------------------------------------------------------------------------------------- engines

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
 * Tensors of a file by the names of the engine, which may have the parts of what is one tensor there.
 * @param tensors by their names in the file
 */
export async function byEngineNames(
  fixture: Fixture,
  tensors: Iterable<readonly [string, GoldenTensor]>,
): Promise<Map<string, GoldenTensor>> {
  const spec = encoderSpec(fixture)
  const encoder = new addon.Encoder(spec)
  const infos = encoder.tensors()
  await encoder.dispose()
  const places = placesOf(infos)
  const shapes = new Map(infos.map(({ name, shape }) => [name, shape]))
  const naming = new NamesOfFiles(addon.describe(spec.architecture, spec.config).names)
  const found = new Map<string, GoldenTensor>()
  for (const [name, { shape, data }] of tensors) {
    const own = `0.${naming.engine(name)}`
    let start = 0
    for (const part of places.get(own)?.parts ?? [own]) {
      const partShape = shapes.get(part) ?? shape
      const end = start + partShape.reduce((a, b) => a * b, 1)
      found.set(part, { shape: partShape, data: data.slice(start, end) })
      start = end
    }
  }
  return found
}

/** An encoder with the fixture's weights. */
export async function open(fixture: Fixture, options: Partial<EncoderSpec> = {}): Promise<NativeEncoder> {
  const encoder = new addon.Encoder(encoderSpec(fixture, options))
  const stored = [...fixture.weights].map(([name, tensor]) => [name.slice('0.'.length), tensor] as const)
  const named = await byEngineNames(fixture, stored)
  const weights: Tensors = new Map([...named].map(([name, { data }]) => [name, data]))
  await load(encoder, weights)
  return encoder
}

/** Why the engine has no such encoder; undefined where it has, or where something else is wrong, which the tests tell. */
function refusalOf(spec: EncoderSpec): string | undefined {
  try {
    void new addon.Encoder(spec).dispose()
  } catch (error) {
    const { code, message } = error as Error & { code?: string }
    if (code === 'ERR_NOT_IMPLEMENTED') return message
  }
  return undefined
}

/** Whether the engine has an architecture at all. Options that it refuses are errors of their own. */
const hasArchitecture = (spec: EncoderSpec) =>
  !refusalOf(spec)?.startsWith(`Architecture ${spec.architecture} is not built`)

/** The architectures of the golden files that the engine does not refuse. */
export function found(): string[] {
  const first = new Map(fixtures().map((fixture) => [fixture.architecture, fixture]))
  return [...first].flatMap(([name, fixture]) => (hasArchitecture(encoderSpec(fixture)) ? [name] : []))
}

type TestBody = (t: ExecutionContext) => Promise<void>

/**
 * A test, or, for an architecture that is not built, a skipped one with a title that says so. Serial: some set the threads of the
 * engine, which all share.
 */
export function testOf(architecture: string, title: string, run: TestBody): void {
  if (BUILT.includes(architecture)) test.serial(`${architecture}, ${title}`, run)
  else test.serial.skip(`${architecture} is not built: ${title}`, run)
}

/** `testOf` for the tests of a fixture. What the engine may refuse, and does, has a test of the refusal in their place. */
export function testsOf(fixture: Fixture): (title: string, run: TestBody) => void {
  const { architecture, name, covers } = fixture
  const refusal = fixture.optional && BUILT.includes(architecture) ? refusalOf(encoderSpec(fixture)) : undefined
  if (refusal === undefined) return (title, run) => testOf(architecture, `${name}: ${title}`, run)
  testOf(architecture, `${name}: ${covers}, is refused by name`, async (t) => {
    t.throws(() => new addon.Encoder(encoderSpec(fixture)), { code: 'ERR_NOT_IMPLEMENTED' })
    t.false(refusal.startsWith('Architecture '), refusal)
  })
  return () => {}
}

// ------------------------------------------------------------------------------------------------------------- gradients

export interface Run {
  dtype?: DType
  modules?: ModuleSpec[]
  trainer?: Partial<TrainerSpec>
  step?: Partial<StepOptions>
}

/** The embeddings of a training pass, and the gradient of every trained tensor where that of the embeddings is given. */
export async function backward(
  fixture: Fixture,
  d_embeddings: Float32Array,
  { dtype, modules, trainer, step }: Run = {},
) {
  const encoder = await open(fixture, { dtype: dtype ?? 'float32', modules: modules ?? [MEAN] })
  const engine = new addon.Trainer(encoder, trainerSpec({ type: 'Custom' }, trainer))
  const embeddings = new Float32Array(d_embeddings.length).fill(Number.NaN)
  const options: StepOptions = { lr: 0, update: false, ...step }
  await engine.embed(fixture.batch, embeddings, options)
  await engine.apply({ loss: 0, embeddings: d_embeddings }, options)
  const found = await gradients(engine)
  await engine.dispose()
  await encoder.dispose()
  return { embeddings, gradients: found }
}
