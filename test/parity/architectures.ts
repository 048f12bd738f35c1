// Golden models of every architecture (make_architectures.py): what the files hold, and engines over it.
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
import {
  addon,
  distance,
  globalNorm,
  gradients,
  load,
  norm,
  readSafetensors,
  type Tensors,
  trainerSpec,
} from './support.js'

/** The architectures that the engine has: their tests cannot be skipped. Others are skipped until their name is here. */
export const BUILT: readonly string[] = ['bert']

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

/** A model for a task: a head over an encoder. */
interface HeadGolden {
  covers: string
  config: ConfigObject
  /** What transformers puts before the names of the encoder's tensors in the checkpoint; here they are without. */
  prefix: string
  lengths: number[]
  python: { logits: number; gradients: number }
  /** Of a classifier. */
  numLabels: number
  /** Of a masked language model: mean cross-entropy of the tokens with a label. */
  loss: number
}

interface ArchitectureGolden {
  architecture: string
  setups: Record<string, SetupGolden>
  checkpoints: Record<string, CheckpointGolden>
  classifiers: Record<string, HeadGolden>
  masked: Record<string, HeadGolden>
}

export interface GoldenTensor {
  shape: number[]
  data: Float32Array | Int32Array
}

/** What a fixture's tensors hold. */
interface Contents {
  architecture: string
  name: string
  tensors: Map<string, GoldenTensor>
  batch: PackedBatch
  /** By the engine's names. */
  weights: Map<string, { shape: number[]; data: Float32Array }>
}

/** One configuration of one architecture. */
export type Fixture = SetupGolden & Contents
export type HeadFixture = HeadGolden & Contents

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

const goldens = new Map(ARCHITECTURES.map(({ architecture }) => [architecture, readGolden(architecture)]))

function contents(architecture: string, name: string, prefix: string, lengths: readonly number[]): Contents {
  const tensors = under(goldens.get(architecture)!, prefix)
  const weights = [...under(tensors, 'weights/')].map(([tensor, { shape, data }]) => {
    return [`0.${tensor}`, { shape, data: inUnits(data) }] as const
  })
  const offsets = [0]
  for (const length of lengths) offsets.push(offsets.at(-1)! + length)
  const batch: PackedBatch = {
    ids: Int32Array.from(tensors.get('ids')!.data),
    offsets: Int32Array.from(offsets),
    columns: 1,
  }
  const types = tensors.get('types')
  if (types) batch.tokenTypes = Int32Array.from(types.data)
  return { architecture, name, tensors, batch, weights: new Map(weights) }
}

export const FIXTURES: readonly Fixture[] = ARCHITECTURES.flatMap(({ architecture, setups }) =>
  Object.entries(setups).map(([name, setup]) => {
    return { ...setup, ...contents(architecture, name, `${name}/`, setup.lengths) }
  }),
)

/** Models for tasks: classifiers of rows, masked language models. */
export const heads = (kind: 'classifiers' | 'masked'): HeadFixture[] =>
  ARCHITECTURES.flatMap((all) =>
    Object.entries(all[kind]).map(([name, head]) => {
      return { ...head, ...contents(all.architecture, name, `${kind}/${name}/`, head.lengths) }
    }),
  )

/** Values of a float tensor of the files. */
export function values(fixture: Contents, name: string): Float32Array {
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

export const weightsOf = (fixture: Contents): Tensors =>
  new Map([...fixture.weights].map(([name, { data }]) => [name, data]))

/** An encoder with the fixture's weights. */
export async function open(fixture: Fixture, options: Partial<EncoderSpec> = {}): Promise<NativeEncoder> {
  const encoder = new addon.Encoder(encoderSpec(fixture, options))
  await load(encoder, weightsOf(fixture))
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
  const first = new Map(FIXTURES.map((fixture) => [fixture.architecture, fixture]))
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

/** The golden gradients, by the engine's names. */
export const expectedGradients = (fixture: Contents, prefix = ''): Map<string, Float32Array> =>
  new Map([...under(fixture.tensors, `${prefix}grad/`)].map(([name, { data }]) => [`0.${name}`, data as Float32Array]))

/** The embeddings of a training pass, and the gradient of every trained tensor where that of the embeddings is given. */
export async function backward(
  fixture: Fixture,
  d_embeddings: Float32Array,
  { dtype, modules, trainer, step }: Run = {},
) {
  const encoder = await open(fixture, { dtype: dtype ?? 'float32', modules: modules ?? [MEAN] })
  const found = await gradientsOf(encoder, fixture.batch, d_embeddings, { trainer, step })
  await encoder.dispose()
  return found
}

export async function gradientsOf(
  encoder: NativeEncoder,
  batch: PackedBatch,
  d_embeddings: Float32Array,
  { trainer, step }: Pick<Run, 'trainer' | 'step'> = {},
) {
  const engine = new addon.Trainer(encoder, trainerSpec({ type: 'Custom' }, trainer))
  const embeddings = new Float32Array(d_embeddings.length).fill(Number.NaN)
  const options: StepOptions = { lr: 0, update: false, ...step }
  await engine.embed(batch, embeddings, options)
  await engine.apply({ loss: 0, embeddings: d_embeddings }, options)
  const found = await gradients(engine)
  await engine.dispose()
  return { embeddings, gradients: found }
}

// ----------------------------------------------------------------------------------------------------------- comparisons

type Gradients = ReadonlyMap<string, ArrayLike<number>>

/** Half of the last place of a float32, as a part of its value. */
const ROUNDING = 2 ** -24

/** How far a float64 result is off, beside what both sides lose when they are stored as float32. */
export function exactDifference(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) throw new Error(`${found.length} numbers against ${expected.length}`)
  let worst = 0
  for (let i = 0; i < found.length; i++) {
    const difference = Math.abs(found[i]! - expected[i]!)
    worst = Math.max(worst, difference - 2 * ROUNDING * Math.abs(expected[i]!)) // NaN stays
  }
  return worst
}

/** `exactDifference` of the gradient that is off the most, as a part of the norm of all, and its name. */
export function exactGradients(found: Gradients, expected: Gradients): [off: number, tensor: string] {
  const total = globalNorm(expected.values())
  let worst: [number, string] = [0, '']
  for (const [tensor, gradient] of expected) {
    const off = exactDifference(found.get(tensor)!, gradient) / total
    if (!(off <= worst[0])) worst = [off, tensor] // NaN too
  }
  return worst
}

/** The gradient that is off the most, as a part of 1e-4 of its norm and 1e-7 of the norm of all. */
export function largestShare(found: Gradients, expected: Gradients): { part: number; tensor: string } {
  const total = globalNorm(expected.values())
  let worst = { part: 0, tensor: '' }
  for (const [tensor, gradient] of expected) {
    const part = distance(found.get(tensor)!, gradient) / (1e-4 * norm(gradient) + 1e-7 * total)
    if (!(part <= worst.part)) worst = { part, tensor } // NaN too
  }
  return worst
}
