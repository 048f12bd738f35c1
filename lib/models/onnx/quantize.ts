/**
 * A graph with weights of 8 bits, as onnxruntime's `quantize_dynamic` makes it with `per_channel` and `reduce_range`, which is how the
 * models of transformers.js are made: matrices are int8 by output channel and multiply inputs that are quantised when the graph runs
 * (DynamicQuantizeLinear, MatMulInteger); rows of tables are int8 and become floats when they are read. Weights take 7 bits of a matrix,
 * so that sums of two products fit into the 16 bits of processors without VNNI.
 * Source: onnxruntime `quantization/operators/{matmul,gather}.py`, `quant_utils.py`.
 */
import type { LaterBytes } from '../../io/protobuf.js'
import type { NativeEncoder, OnnxGraph, OnnxNode, OnnxWeight } from '../../native/types.js'
import { dumpTensor } from '../dump.js'
import { bytesOf, elementsOf, floats, transpose } from './weights.js'

/** Weights with fewer numbers stay float32: they take no room, and a bias by position or a classifier would lose most. */
const LEAST_ELEMENTS = 65_536
/** Of quantised values, on both sides of 0. */
const MATRIX_LIMIT = 64
const TABLE_LIMIT = 127
const FLOAT = 1

/** Names of what takes the place of a weight. */
export const quantizedName = (name: string) => `${name}_quantized`
export const scaleName = (name: string) => `${name}_scale`

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
      if (!inputs.has(first)) nodes.push(quantizeInput(first))
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

function quantizeInput(x: string): OnnxNode {
  const outputs = ['quantized', 'scale', 'zero_point'].map((part) => `${x}_${part}`)
  return { op: 'DynamicQuantizeLinear', inputs: [x], outputs, attributes: [] }
}

function product({ outputs }: OnnxNode, x: string, weight: string): OnnxNode[] {
  const [out] = outputs as [string]
  const [sums, numbers, factor] = [`${out}_sums`, `${out}_numbers`, `${out}_factor`]
  const both = { op: 'Mul', attributes: [] }
  const inputs = [`${x}_quantized`, quantizedName(weight), `${x}_zero_point`]
  return [
    { op: 'MatMulInteger', inputs, outputs: [sums], attributes: [] },
    { op: 'Cast', inputs: [sums], outputs: [numbers], attributes: [{ name: 'to', integer: FLOAT }] },
    { ...both, inputs: [`${x}_scale`, scaleName(weight)], outputs: [factor] },
    { ...both, inputs: [numbers, factor], outputs: [out] },
  ]
}

function gather({ inputs, outputs, attributes }: OnnxNode, table: string): OnnxNode[] {
  const rows = `${outputs[0]}_rows`
  return [
    { op: 'Gather', inputs: [quantizedName(table), ...inputs.slice(1)], outputs: [rows], attributes },
    { op: 'DequantizeLinear', inputs: [rows, scaleName(table)], outputs, attributes: [] },
  ]
}

/** A weight's values in 8 bits, and their scales: one for each row of a matrix as the engine has it, one for a whole table. */
export class QuantizedWeight {
  /** Of `scales`. */
  readonly scaleShape: number[]
  readonly #groups: number
  readonly #limit: number
  #scales: Promise<Float32Array> | undefined

  constructor(
    private readonly encoder: NativeEncoder,
    private readonly weight: OnnxWeight,
  ) {
    this.#groups = weight.transposed ? weight.shape[1]! : 1
    this.#limit = weight.transposed ? MATRIX_LIMIT : TABLE_LIMIT
    this.scaleShape = weight.transposed ? [this.#groups] : []
  }

  get scales(): LaterBytes {
    const self = this
    return {
      byteLength: this.#groups * 4,
      async *data() {
        yield bytesOf(await self.#measured())
      },
    }
  }

  get values(): LaterBytes {
    return { byteLength: elementsOf(this.weight.shape), data: () => this.#quantized() }
  }

  #measured(): Promise<Float32Array> {
    this.#scales ??= this.#measure()
    return this.#scales
  }

  async #measure(): Promise<Float32Array> {
    const highest = new Float32Array(this.#groups)
    for await (const { piece, start, inGroup } of this.#pieces()) {
      for (let i = 0; i < piece.length; i++) {
        const group = Math.floor((start + i) / inGroup)
        const size = Math.abs(piece[i]!)
        if (size > highest[group]!) highest[group] = size
      }
    }
    // Of zeros alone any scale is right.
    return highest.map((size) => (size > 0 ? size / this.#limit : 1))
  }

  async *#quantized(): AsyncGenerator<Uint8Array> {
    const scales = await this.#measured()
    const { shape, transposed } = this.weight
    const whole = transposed ? new Int8Array(elementsOf(shape)) : undefined
    for await (const { piece, start, inGroup } of this.#pieces()) {
      const part = whole ? whole.subarray(start, start + piece.length) : new Int8Array(piece.length)
      for (let i = 0; i < piece.length; i++) {
        part[i] = quantize(piece[i]!, scales[Math.floor((start + i) / inGroup)]!, this.#limit)
      }
      if (!whole) yield bytesOf(part)
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

/** In float32, and halves to the even number, as numpy rounds. */
function quantize(value: number, scale: number, limit: number): number {
  const ratio = Math.fround(value / scale)
  let rounded = Math.round(ratio)
  if (rounded - ratio === 0.5 && rounded % 2 !== 0) rounded--
  return Math.max(-limit, Math.min(limit, rounded))
}
