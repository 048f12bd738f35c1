// Golden models of every architecture, with the tensors that the files of make_architectures.py hold.
import type { PackedBatch } from '../../lib/native/types.js'
import { ARCHITECTURES, FOLDER, type HeadGolden, type SetupGolden } from './architecture-goldens.js'
import { readSafetensors } from './support.js'

export {
  ARCHITECTURES,
  BUILT,
  type CheckpointGolden,
  WITHOUT_CLASSIFIER,
  WITHOUT_MASKED,
} from './architecture-goldens.js'

/** The unit of weights, and of gradients of losses, in the golden files. */
const UNIT = 64

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
