// Golden models of every architecture: what the files of make_architectures.py hold.
import { readdirSync, readFileSync } from 'node:fs'
import type { ConfigObject, PackedBatch } from '../../lib/native/types.js'
import { readSafetensors } from './support.js'

/** The architectures that the engine has: their tests cannot be skipped. Others are skipped until their name is here. */
export const BUILT: readonly string[] = [
  'bert',
  'camembert',
  'distilbert',
  'electra',
  'gte',
  'modernbert',
  'mpnet',
  'nomic_bert',
  'roberta',
  'xlm-roberta',
]

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
export interface Contents {
  architecture: string
  name: string
  tensors: Map<string, GoldenTensor>
  batch: PackedBatch
  /** By their names in a file. */
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
    return [tensor, { shape, data: inUnits(data) }] as const
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
