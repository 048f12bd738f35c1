// What the parity tests share: golden files, engines over them, comparisons.
import { existsSync, readFileSync } from 'node:fs'
import { loadAddon } from '../../lib/native/load.js'
import type {
  ConfigObject,
  DType,
  EncoderOutput,
  LossSpec,
  ModuleSpec,
  NativeEncoder,
  NativeTrainer,
  PackedBatch,
  TensorInfo,
  TrainerSpec,
} from '../../lib/native/types.js'

const GOLDEN = new URL('../../../test/parity/golden/', import.meta.url)
const MINILM = new URL('../../../../shared/models/all-MiniLM-L6-v2/', import.meta.url)

export const addon = loadAddon()

// ---------------------------------------------------------------------------------------------------------------- golden

export type Tensors = Map<string, Float32Array | Int32Array>

interface Digest {
  norm: number
  places: number[]
  values: number[]
}

export interface TrainingCase {
  config: ConfigObject
  weights: string
  modules: ModuleSpec[]
  loss: LossSpec
  columns: number
  batch: number
  weightDecay: number
  steps: number
  losses: number[]
  gradNorms: number[]
}

interface Golden {
  versions: Record<string, string>
  lr: number
  maxGradNorm: number
  /** Entries of a gradient below this part of its global norm count as zero. */
  noise: number
  encoding: Record<
    string,
    {
      config: ConfigObject
      weights: string
      tokenRows: number[]
      pipelines: Record<string, { modules: ModuleSpec[]; dimension: number; promptLength?: number; rows?: number[] }>
    }
  >
  training: Record<string, TrainingCase>
  minilm: {
    sentences: string[]
    modules: ModuleSpec[]
    devSpearman: number
    training: Omit<TrainingCase, 'config' | 'weights' | 'modules'> & {
      grads: Record<string, Digest>
      after10: Record<string, Digest>
    }
  }
}

export const golden = JSON.parse(readFileSync(new URL('golden.json', GOLDEN), 'utf8')) as Golden

/** The tensors of a safetensors file that Python wrote; not the reader of lib/io, which is tested too. */
export function readSafetensors(url: URL): Map<string, { dtype: string; shape: number[]; data: ArrayBuffer }> {
  const bytes = readFileSync(url)
  const start = 8 + Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.toString('utf8', 8, start)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >
  const tensors = Object.entries(header).filter(([name]) => name !== '__metadata__')
  return new Map(
    tensors.map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) => {
        return [name, { dtype, shape, data: new Uint8Array(bytes.subarray(start + from, start + to)).buffer }]
      },
    ),
  )
}

/** The float32 and int32 tensors of a safetensors file. */
function readTensors(url: URL): Tensors {
  const tensors: Tensors = new Map()
  for (const [name, { dtype, data }] of readSafetensors(url)) {
    if (dtype === 'F32') tensors.set(name, new Float32Array(data))
    if (dtype === 'I32') tensors.set(name, new Int32Array(data))
  }
  return tensors
}

export const goldenTensors = (name: string): Tensors => readTensors(new URL(`${name}.safetensors`, GOLDEN))

/** Whether ../shared has the real model; tests that need it are skipped with a message where it has not. */
export const hasMiniLM = existsSync(new URL('model.safetensors', MINILM))

export function miniLM(): { config: ConfigObject; weights: Tensors } {
  const config = JSON.parse(readFileSync(new URL('config.json', MINILM), 'utf8')) as ConfigObject
  const weights = new Map(
    [...readTensors(new URL('model.safetensors', MINILM))].map(([name, data]) => [`0.${name}`, data]),
  )
  return { config: { ...config, ...NO_DROPOUT }, weights }
}

export const NO_DROPOUT = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 }

export function floats(tensors: Tensors, name: string): Float32Array {
  const data = tensors.get(name)
  if (!(data instanceof Float32Array)) throw new Error(`No float tensor ${name} in the golden file`)
  return data
}

export function ints(tensors: Tensors, name: string): Int32Array {
  const data = tensors.get(name)
  if (!(data instanceof Int32Array)) throw new Error(`No integer tensor ${name} in the golden file`)
  return data
}

/** The tensors whose names start with `prefix`, without it. */
export function section(tensors: Tensors, prefix: string): Map<string, Float32Array> {
  const found = new Map<string, Float32Array>()
  for (const name of tensors.keys()) {
    if (name.startsWith(prefix)) found.set(name.slice(prefix.length), floats(tensors, name))
  }
  return found
}

// --------------------------------------------------------------------------------------------------------------- engines

export async function makeEncoder(
  config: ConfigObject,
  modules: ModuleSpec[],
  weights: Tensors,
  dtype: DType = 'float32',
): Promise<NativeEncoder> {
  const pooler = weights.has('0.pooler.dense.weight')
  const spec = { architecture: 'bert', config, modules, pooler, device: 'cpu', dtype }
  const encoder = new addon.Encoder(spec)
  await load(encoder, weights)
  return encoder
}

/** Fills every tensor of `engine` from `weights`; fails when one is missing. */
export async function load(engine: NativeEncoder | NativeTrainer, weights: Tensors): Promise<void> {
  const names = owned(engine).map((tensor) => tensor.name)
  await engine.load(
    names.map((name) => {
      const data = floats(weights, name)
      return { name, start: 0, dtype: 'F32', data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) }
    }),
  )
}

const STATE = /^(grad|exp_avg|exp_avg_sq)\./

/** An engine's parameters: of a trainer, those that its loss owns. */
function owned(engine: NativeEncoder | NativeTrainer): TensorInfo[] {
  return engine.tensors().filter((tensor) => !STATE.test(tensor.name))
}

export async function dump(
  engine: NativeEncoder | NativeTrainer,
  wanted: (name: string) => boolean = (name) => !STATE.test(name),
): Promise<Map<string, Float64Array>> {
  const tensors = engine.tensors().filter((tensor) => wanted(tensor.name))
  const result = new Map(tensors.map(({ name, shape }) => [name, new Float64Array(shape.reduce((a, b) => a * b, 1))]))
  await engine.dump(
    [...result].map(([name, data]) => ({ name, start: 0, dtype: 'F64', data: new Uint8Array(data.buffer) })),
  )
  return result
}

export async function gradients(trainer: NativeTrainer): Promise<Map<string, Float64Array>> {
  const found = await dump(trainer, (name) => name.startsWith('grad.'))
  return new Map([...found].map(([name, data]) => [name.slice('grad.'.length), data]))
}

/** Parameters of the encoder that are trained, and of the loss. */
export async function parameters(encoder: NativeEncoder, trainer: NativeTrainer): Promise<Map<string, Float64Array>> {
  const frozen = new Set(encoder.tensors().flatMap((tensor) => (tensor.group === 'frozen' ? [tensor.name] : [])))
  const model = await dump(encoder, (name) => !frozen.has(name))
  return new Map([...model, ...(await dump(trainer))])
}

export function trainerSpec(loss: LossSpec, options: Partial<TrainerSpec> = {}): TrainerSpec {
  return {
    losses: [{ name: '', spec: loss }],
    optimizer: { type: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    weightDecay: 0,
    maxGradNorm: golden.maxGradNorm,
    seed: 1,
    ...options,
  }
}

export async function makeTrainer(
  encoder: NativeEncoder,
  spec: TrainerSpec,
  lossWeights: Tensors = new Map(),
): Promise<NativeTrainer> {
  const trainer = new addon.Trainer(encoder, spec)
  await load(trainer, lossWeights)
  return trainer
}

export async function encode(
  encoder: NativeEncoder,
  batch: PackedBatch,
  output: Exclude<EncoderOutput, 'hidden_states'> = 'sentence_embedding',
): Promise<Float32Array> {
  const rows = batch.offsets.length - 1
  const size = {
    sentence_embedding: rows * encoder.embeddingDimension,
    token_embeddings: batch.ids.length * encoder.tokenDimension,
    pooler_output: rows * encoder.tokenDimension,
  }[output]
  const out = new Float32Array(size).fill(Number.NaN)
  await encoder.encode(batch, out, output)
  return out
}

// ------------------------------------------------------------------------------------------------------- batches, numbers

/** The batch of some rows of `batch`, in the order given. */
export function pick(batch: PackedBatch, rows: number[]): PackedBatch {
  const ids: number[] = []
  const types: number[] = []
  const offsets = [0]
  for (const row of rows) {
    const range = [batch.offsets[row], batch.offsets[row + 1]] as const
    ids.push(...batch.ids.subarray(...range))
    if (batch.tokenTypes) types.push(...batch.tokenTypes.subarray(...range))
    offsets.push(ids.length)
  }
  const picked: PackedBatch = { ids: Int32Array.from(ids), offsets: Int32Array.from(offsets), columns: 1 }
  if (batch.tokenTypes) picked.tokenTypes = Int32Array.from(types)
  return picked
}

export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} numbers against ${b.length}`)
  let worst = 0
  for (let i = 0; i < a.length; i++) worst = Math.max(worst, Math.abs(a[i]! - b[i]!)) // NaN stays
  return worst
}

export const norm = (values: ArrayLike<number>): number => {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]! * values[i]!
  return Math.sqrt(sum)
}

export const globalNorm = (tensors: Iterable<ArrayLike<number>>): number => norm([...tensors].map(norm))

export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} numbers against ${b.length}`)
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2
  return Math.sqrt(sum)
}

/** The smallest cosine between rows of `width` numbers. */
export function worstCosine(a: ArrayLike<number>, b: ArrayLike<number>, width: number): number {
  let worst = 1
  for (let start = 0; start < a.length; start += width) {
    let [dot, x, y] = [0, 0, 0]
    for (let i = start; i < start + width; i++) {
      dot += a[i]! * b[i]!
      x += a[i]! ** 2
      y += b[i]! ** 2
    }
    worst = Math.min(worst, dot / Math.sqrt(x * y)) // NaN stays
  }
  return worst
}
