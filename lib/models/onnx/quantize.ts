/**
 * A graph with weights of 8 bits, which are those of onnxruntime's `quantize_dynamic` with `per_channel` and `reduce_range`, as the
 * models of transformers.js have them: matrices are int8 by output channel and multiply inputs that are quantised when the graph runs
 * (DynamicQuantizeLinear, MatMulInteger); tables are uint8, with one scale and zero point, and their rows become floats when they are read.
 * A matrix has 7 bits, so that sums of two products fit into the 16 bits of processors without VNNI.
 *
 * Other than there, an input is quantised twice: first its numbers, then what 8 bits have left of them. In transformers a few numbers of
 * an input are many times larger than the others, of which one scale for all leaves little.
 * Source: onnxruntime `quantization/operators/{matmul,gather}.py`, `quant_utils.py`.
 */
import type { OnnxTensor } from '../../io/onnx-file.js'
import type { LaterBytes } from '../../io/protobuf.js'
import type { NativeEncoder, OnnxGraph, OnnxNode, OnnxWeight } from '../../native/types.js'
import { dumpTensor } from '../dump.js'
import { bytesOf, elementsOf, floats, transpose } from './weights.js'

/** Weights with fewer numbers stay float32: they take no room, and a bias by position or a classifier would lose most. */
const LEAST_ELEMENTS = 65_536
/** Of the values of a matrix, on both sides of 0. */
const MATRIX_LIMIT = 64
/** The highest value of a table. */
const TABLE_LIMIT = 255
const FLOAT = 1

/** Names of what takes the place of a weight. */
export const quantizedName = (name: string) => `${name}_quantized`
export const scaleName = (name: string) => `${name}_scale`
export const zeroName = (name: string) => `${name}_zero_point`

/** The nodes of a graph whose large weights have 8 bits, and these weights. */
export function quantizeNodes(graph: OnnxGraph): { nodes: OnnxNode[]; weights: Set<string> } {
  const weights = new Set(graph.weights.filter(isLarge).map(({ name }) => name))
  // What is also read in another way stays as it is.
  for (const node of graph.nodes) {
    for (const [i, input] of node.inputs.entries()) if (!isProduct(node, i) && !isRead(node, i)) weights.delete(input)
  }
  const nodes: OnnxNode[] = []
  const inputs = new Set<string>()
  for (const node of graph.nodes) {
    const [first, second] = node.inputs as [string, string]
    if (node.op === 'MatMul' && weights.has(second)) {
      if (!inputs.has(first)) nodes.push(...quantizeInput(first))
      inputs.add(first)
      nodes.push(...product(node, first, second))
    } else if (node.op === 'Gather' && weights.has(first)) nodes.push(...gather(node, first))
    else nodes.push(node)
  }
  return { nodes, weights }
}

const isLarge = ({ shape }: OnnxWeight) => elementsOf(shape) >= LEAST_ELEMENTS
const isProduct = ({ op }: OnnxNode, input: number) => op === 'MatMul' && input === 1
const isRead = ({ op }: OnnxNode, input: number) => op === 'Gather' && input === 0

/** What the names of an input's 8 bits begin with, and those of its rest. */
const partsOf = (x: string) => [x, `${x}_rest`] as const

const EIGHT_BITS = ['quantized', 'scale', 'zero_point']

function quantizeInput(x: string): OnnxNode[] {
  const [, rest] = partsOf(x)
  const quantize = (from: string): OnnxNode => {
    const outputs = EIGHT_BITS.map((part) => `${from}_${part}`)
    return { op: 'DynamicQuantizeLinear', inputs: [from], outputs, attributes: [] }
  }
  const first = quantize(x)
  const numbers = `${x}_numbers`
  return [
    first,
    { op: 'DequantizeLinear', inputs: first.outputs, outputs: [numbers], attributes: [] },
    { op: 'Sub', inputs: [x, numbers], outputs: [rest], attributes: [] },
    quantize(rest),
  ]
}

function product({ outputs }: OnnxNode, x: string, weight: string): OnnxNode[] {
  const [out] = outputs as [string]
  const ofPart = (part: string, name: string): OnnxNode[] => {
    const [sums, numbers, factor] = [`${name}_sums`, `${name}_numbers`, `${name}_factor`]
    const both = { op: 'Mul', attributes: [] }
    const inputs = [`${part}_quantized`, quantizedName(weight), `${part}_zero_point`]
    return [
      { op: 'MatMulInteger', inputs, outputs: [sums], attributes: [] },
      { op: 'Cast', inputs: [sums], outputs: [numbers], attributes: [{ name: 'to', integer: FLOAT }] },
      { ...both, inputs: [`${part}_scale`, scaleName(weight)], outputs: [factor] },
      { ...both, inputs: [numbers, factor], outputs: [name] },
    ]
  }
  const names = [`${out}_first`, `${out}_second`]
  const products = partsOf(x).flatMap((part, i) => ofPart(part, names[i]!))
  return [...products, { op: 'Add', inputs: names, outputs: [out], attributes: [] }]
}

function gather({ inputs, outputs, attributes }: OnnxNode, table: string): OnnxNode[] {
  const rows = `${outputs[0]}_rows`
  return [
    { op: 'Gather', inputs: [quantizedName(table), ...inputs.slice(1)], outputs: [rows], attributes },
    { op: 'DequantizeLinear', inputs: [rows, scaleName(table), zeroName(table)], outputs, attributes: [] },
  ]
}

/** How numbers become 8 bits: one range for each row of a matrix as the engine has it, one for a whole table. */
interface Ranges {
  scales: Float32Array
  /** What 0 becomes. */
  zero: number
}

/** A weight in 8 bits. */
export class QuantizedWeight {
  readonly isTable: boolean
  readonly #groups: number
  #ranges: Promise<Ranges> | undefined

  constructor(
    private readonly encoder: NativeEncoder,
    private readonly weight: OnnxWeight,
  ) {
    this.isTable = !weight.transposed
    this.#groups = weight.transposed ? weight.shape[1]! : 1
  }

  /** What takes the place of the weight in a file. */
  get tensors(): OnnxTensor[] {
    const { name, shape } = this.weight
    const later = (byteLength: number, bytes: (ranges: Ranges) => Uint8Array): LaterBytes => {
      const measured = () => this.#measured()
      return {
        byteLength,
        async *data() {
          yield bytes(await measured())
        },
      }
    }
    const values = { byteLength: elementsOf(shape), data: () => this.#quantized() }
    const scales = later(this.#groups * 4, (ranges) => bytesOf(ranges.scales))
    const scaleShape = this.isTable ? [] : [this.#groups]
    return [
      { name: quantizedName(name), type: this.isTable ? 'uint8' : 'int8', shape, data: values },
      { name: scaleName(name), type: 'float32', shape: scaleShape, data: scales },
      ...(this.isTable
        ? [
            {
              name: zeroName(name),
              type: 'uint8' as const,
              shape: [],
              data: later(1, ({ zero }) => Uint8Array.of(zero)),
            },
          ]
        : []),
    ]
  }

  #measured(): Promise<Ranges> {
    this.#ranges ??= this.#measure()
    return this.#ranges
  }

  async #measure(): Promise<Ranges> {
    const [lowest, highest] = [new Float32Array(this.#groups), new Float32Array(this.#groups)]
    for await (const { piece, start, inGroup } of this.#pieces()) {
      for (let i = 0; i < piece.length; i++) {
        const group = Math.floor((start + i) / inGroup)
        const value = piece[i]!
        if (value > highest[group]!) highest[group] = value
        else if (value < lowest[group]!) lowest[group] = value
      }
    }
    // Of zeros alone any scale is right.
    const scaleOf = (size: number) => (size > 0 ? size : 1)
    if (!this.isTable) {
      const scales = highest.map((high, i) => scaleOf(Math.max(high, -lowest[i]!) / MATRIX_LIMIT))
      return { scales, zero: 0 }
    }
    const scale = scaleOf((highest[0]! - lowest[0]!) / TABLE_LIMIT)
    return { scales: Float32Array.of(scale), zero: roundToEven(-lowest[0]! / scale) }
  }

  async *#quantized(): AsyncGenerator<Uint8Array> {
    const { scales, zero } = await this.#measured()
    const { shape } = this.weight
    const [least, most] = this.isTable ? [0, TABLE_LIMIT] : [-MATRIX_LIMIT, MATRIX_LIMIT]
    const whole = this.isTable ? undefined : new Int8Array(elementsOf(shape))
    for await (const { piece, start, inGroup } of this.#pieces()) {
      const part = whole?.subarray(start, start + piece.length) ?? new Uint8Array(piece.length)
      for (let i = 0; i < piece.length; i++) {
        const scale = scales[Math.floor((start + i) / inGroup)]!
        part[i] = Math.max(least, Math.min(most, roundToEven(Math.fround(piece[i]! / scale)) + zero))
      }
      if (part instanceof Uint8Array) yield part
    }
    if (!whole) return
    const [rows, columns] = shape as [number, number]
    for (const block of transpose(whole, rows, columns, (n) => new Int8Array(n))) yield bytesOf(block)
  }

  /** Numbers as the engine has them, from `start` on; `inGroup` of them share a scale. */
  async *#pieces() {
    const { tensor, shape } = this.weight
    const elements = elementsOf(shape)
    let start = 0
    for await (const piece of floats(dumpTensor(this.encoder, tensor, elements))) {
      yield { piece, start, inGroup: elements / this.#groups }
      start += piece.length
    }
  }
}

/** Halves go to the even number, as numpy rounds. */
function roundToEven(value: number): number {
  const rounded = Math.round(value)
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded
}
