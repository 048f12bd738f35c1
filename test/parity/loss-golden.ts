// The golden files of the losses, and trainers over their cases.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { crc32, gunzipSync } from 'node:zlib'
import * as losses from '../../lib/losses/index.js'
import type { Loss } from '../../lib/losses/loss.js'
import type { ConfigObject, NativeTrainer, PackedBatch } from '../../lib/native/types.js'
import { addon, golden, goldenTensors, makeEncoder, type Tensors, trainerSpec } from './support.js'

const ROOT = new URL('../../../test/parity/golden/', import.meta.url)

/** What test/parity/make_losses.py writes of a case. */
export interface LossCase {
  options: Record<string, unknown>
  columns: number
  batch: number
  rows: string
  labels: LabelTable | null
  /** By column, numbers of texts. */
  texts: number[][]
  /** null: not finite. */
  loss: number | null
  components?: Record<string, number>
  /** Whether the gradients are finite in PyTorch; they are kept only then. */
  finite: boolean
  /** How far PyTorch's own float32 is off, value and worst gradient, as parts of what is allowed. */
  float32: [number, number]
  /** Its largest error beyond 1e-4 of a tensor's norm, as a part of the global norm. */
  noise?: number
  tensors?: string[]
  gradients: string
  full?: string
  /** By row, what a masked language model predicts; -100: nothing. */
  targets?: number[][]
  /** Of a frozen model for the same texts: [rows of all columns, guideDimension]. */
  guide?: number[][]
}
type LabelTable = (number | LabelTable)[]

export interface LossGolden {
  loss: string
  fixture: string
  order: 'free' | 'matters' | null
  tensors: string[]
  cases: LossCase[]
}

function read<T>(name: string): T {
  const plain = new URL(name, ROOT)
  const bytes = existsSync(plain) ? readFileSync(plain) : gunzipSync(readFileSync(new URL(`${name}.gz`, ROOT)))
  return JSON.parse(bytes.toString('utf8')) as T
}

const texts = read<number[][]>('losses-texts.json')

export const lossGoldens = new Map(
  readdirSync(new URL('losses/', ROOT)).map((file) => {
    const found = read<LossGolden>(`losses/${file.replace(/\.gz$/, '')}`)
    return [found.loss, found] as const
  }),
)

/** Losses that are no classes over embeddings: of the caller, and of an encoder-decoder model (seq2seq.test.ts). */
const NO_CLASSES = ['Custom', 'CustomLoss', 'TokenCrossEntropy']

/** Names in the native registry, as it tells them itself. */
export async function registered(): Promise<string[]> {
  const encoder = await makeEncoder(CONFIG, MODULES, goldenTensors(WEIGHTS))
  let message = ''
  try {
    await new addon.Trainer(encoder, trainerSpec({ type: 'NoLoss' })).dispose()
  } catch (error) {
    message = (error as Error).message
  }
  await encoder.dispose()
  const names = /Loss NoLoss is not built: expected (.*)$/m.exec(message)?.[1]
  if (names === undefined) throw new Error(`The registry did not tell its names: ${message}`)
  return names.split(', ').filter((name) => !NO_CLASSES.includes(name))
}

const MODULES = [{ type: 'Pooling', modes: ['mean'], includePrompt: true }]
const { config: CONFIG, weights: WEIGHTS } = golden.training['mnr-2']!

/** The description of a case's loss: `{ "$loss": [name, options] }` stands for another loss, `{ "$guide": width }` for a guide. */
export function lossOf(name: string, options: Record<string, unknown>): Loss {
  const make = (losses as unknown as Record<string, new (options?: unknown) => Loss>)[name]
  if (!make) throw new Error(`lib/losses has no ${name}`)
  return new make(Object.fromEntries(Object.entries(options).map(([key, value]) => [key, option(value)])))
}

function option(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  if ('$loss' in value) return lossOf(...(value.$loss as [string, Record<string, unknown>]))
  if ('$guide' in value)
    return { embeddingDimension: value.$guide, encode: () => Promise.reject(new Error('no guide')) }
  return value
}

function shapeOf(labels: LabelTable): number[] {
  const [first] = labels
  return [labels.length, ...(Array.isArray(first) ? shapeOf(first) : [])]
}

function tokens(rows: readonly number[][]): { ids: Int32Array; offsets: Int32Array } {
  const offsets = Int32Array.from({ length: rows.length + 1 }, (_, end) => rows.slice(0, end).flat().length)
  return { ids: Int32Array.from(rows.flat()), offsets }
}

export function batchOf(entry: LossCase, loss: Loss): PackedBatch {
  const { copies = 1 } = loss.requirements
  // The last column of a denoising autoencoder is not embedded but predicted.
  const predicted = loss.requirements.targets === 'column' ? entry.texts.at(-1)! : []
  const columns = entry.columns - (predicted.length > 0 ? 1 : 0)
  const numbers = new Array(copies).fill(entry.texts.slice(0, columns)).flat(2) as number[]
  const batch: PackedBatch = { ...tokens(numbers.map((number) => texts[number]!)), columns: columns * copies }
  if (predicted.length > 0) batch.targets = tokens(predicted.map((number) => texts[number]!))
  if (entry.targets) batch.targets = tokens(entry.targets)
  if (entry.labels !== null && loss.requirements.labels !== 'none') {
    const shape = shapeOf(entry.labels)
    const flat = entry.labels.flat(2) as number[]
    const classes = loss.requirements.labels === 'int' && shape.length === 1
    batch.labels = classes ? Int32Array.from(flat) : Float32Array.from(flat)
    if (shape.length > 1) batch.labelShape = shape
  }
  const more: Record<string, unknown> = {}
  if (loss.requirements.textIds) more.textIds = Int32Array.from(numbers)
  if (entry.guide) {
    more.guide = Float32Array.from(entry.guide.flat())
    more.guideDimension = entry.guide[0]!.length
  }
  return Object.assign(batch, more)
}

/** The trainer of a case, with the parameters that Python gave the loss. */
export async function open(
  name: string,
  entry: LossCase,
  changes: ConfigObject = {},
  dtype: 'float32' | 'float64' = 'float32',
) {
  const loss = lossOf(name, entry.options)
  const encoder = await makeEncoder({ ...CONFIG, ...changes }, MODULES, goldenTensors(WEIGHTS), dtype)
  const trainer = new addon.Trainer(
    encoder,
    trainerSpec(loss.spec(encoder.embeddingDimension, { ...CONFIG, ...changes })),
  )
  await loadOwned(trainer)
  const close = async () => {
    await trainer.dispose()
    await encoder.dispose()
  }
  return { loss, encoder, trainer, close, batch: batchOf(entry, loss) }
}

/** 32 bits of a number and a seed (lowbias32). */
function mix(index: number, seed: number): number {
  let x = (index + Math.imul(seed, 0x9e3779b9)) | 0
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d)
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b)
  return (x ^ (x >>> 16)) >>> 0
}

async function loadOwned(trainer: NativeTrainer): Promise<void> {
  const owned: Tensors = new Map()
  for (const { name, shape } of trainer.tensors()) {
    if (!name.startsWith('loss.')) continue
    const seed = crc32(name)
    const length = shape.reduce((a, b) => a * b, 1)
    owned.set(
      name,
      Float32Array.from({ length }, (_, i) => ((mix(i, seed) & 0xffff) - 32768) / 131072),
    )
  }
  await trainer.load(
    [...owned].map(([name, data]) => ({ name, start: 0, dtype: 'F32', data: new Uint8Array(data.buffer) })),
  )
}

const PROJECTIONS = 3

export const floatsOf = (text: string): Float32Array =>
  new Float32Array(new Uint8Array(Buffer.from(text, 'base64')).buffer)

/** Norm and projections of a gradient. */
export function digest(gradient: Float64Array): number[] {
  const sums = new Array<number>(PROJECTIONS).fill(0)
  for (let p = 0; p < PROJECTIONS; p++) {
    for (let i = 0; i < gradient.length; i++) sums[p]! += mix(i, p + 1) & 1 ? -gradient[i]! : gradient[i]!
  }
  return [Math.sqrt(gradient.reduce((sum, x) => sum + x * x, 0)), ...sums]
}

/** Norm and projections of every tensor of a case. */
export function digestsOf({ tensors }: LossGolden, entry: LossCase): Map<string, number[]> {
  const found = floatsOf(entry.gradients)
  const width = 1 + PROJECTIONS
  const names = entry.tensors ?? tensors
  if (found.length !== names.length * width) throw new Error(`${found.length} numbers for ${names.length} tensors`)
  return new Map(names.map((name, i) => [name, [...found.subarray(i * width, (i + 1) * width)]]))
}
