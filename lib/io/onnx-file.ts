/**
 * Files of ONNX. Source of all numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, of the data file:
 * https://onnx.ai/onnx/repo-docs/ExternalData.html
 */
import { rm } from 'node:fs/promises'
import { basename } from 'node:path'
import { writeFileAtomic } from './atomic.js'
import { exactly, type LaterBytes, ProtoMessage } from './protobuf.js'

/** TensorProto.DataType. */
const DATA_TYPES = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7 } as const
const ATTRIBUTE_FLOAT = 1
const ATTRIBUTE_INT = 2
const ATTRIBUTE_INTS = 7
/** Of the format: the one of opset 17. */
const IR_VERSION = 8
const EXTERNAL = 1
/** A message of Protocol Buffers is smaller than 2 GiB. */
const MOST_BYTES = 2 ** 31 - 1
/** Where a tensor may begin in the data file, so that it can be mapped into memory. */
const PAGE = 4096
/** Tensors below this many bytes stay in the file. */
const SMALL = 1024

export type OnnxType = keyof typeof DATA_TYPES

/** One of `integer`, `number` and `integers`. */
export interface OnnxAttribute {
  name: string
  integer?: number
  number?: number
  integers?: readonly number[]
}

export interface OnnxFileNode {
  op: string
  inputs: readonly string[]
  outputs: readonly string[]
  attributes: readonly OnnxAttribute[]
}

/** An input or output: sizes, or names of those that are known later. */
export interface OnnxFilePort {
  name: string
  integer: boolean
  shape: readonly (string | number)[]
}

export interface OnnxTensor {
  name: string
  type: OnnxType
  shape: readonly number[]
  /** Little-endian, in the order of the file. */
  data: Uint8Array | LaterBytes
}

export interface OnnxFile {
  opset: number
  /** Of what made it. */
  producer: { name: string; version: string }
  inputs: readonly OnnxFilePort[]
  outputs: readonly OnnxFilePort[]
  nodes: readonly OnnxFileNode[]
  tensors: readonly OnnxTensor[]
}

/**
 * Writes a model. Where its file would reach 2 GiB, large tensors lie in `<path>_data` beside it. Neither is synced.
 * @param most bytes that the file may have
 * @returns whether there is a data file
 */
export async function writeOnnx(path: string, file: OnnxFile, most = MOST_BYTES): Promise<boolean> {
  const dataPath = `${path}_data`
  const whole = model(file, file.tensors.map(tensor))
  const isExternal = whole.byteLength > most
  if (!isExternal) {
    await rm(dataPath, { force: true })
    await write(path, whole.encode())
    return false
  }
  const { inside, outside } = moveOut(file.tensors, basename(dataPath))
  await write(dataPath, dataBytes(outside))
  await write(path, model(file, inside).encode())
  return true
}

interface Outside {
  data: LaterBytes | Uint8Array
  offset: number
}

/** The messages of all tensors, and what of them is in the data file. */
function moveOut(tensors: readonly OnnxTensor[], location: string): { inside: ProtoMessage[]; outside: Outside[] } {
  const outside: Outside[] = []
  let end = 0
  const inside = tensors.map((one) => {
    const { byteLength } = one.data
    if (byteLength < SMALL) return tensor(one)
    const offset = Math.ceil(end / PAGE) * PAGE
    end = offset + byteLength
    outside.push({ data: one.data, offset })
    const message = tensorHead(one)
    for (const [key, value] of Object.entries({ location, offset, length: byteLength })) {
      message.message(13, new ProtoMessage().text(1, key).text(2, String(value)))
    }
    return message.integer(14, EXTERNAL)
  })
  return { inside, outside }
}

async function* dataBytes(outside: readonly Outside[]): AsyncGenerator<Uint8Array> {
  let end = 0
  for (const { data, offset } of outside) {
    if (offset > end) yield new Uint8Array(offset - end)
    if (data instanceof Uint8Array) yield data
    else yield* exactly(data)
    end = offset + data.byteLength
  }
}

async function write(path: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  await writeFileAtomic(
    path,
    async (file) => {
      for await (const piece of bytes) await file.writeFile(piece)
    },
    { sync: false },
  )
}

function model(file: OnnxFile, tensors: readonly ProtoMessage[]): ProtoMessage {
  const graph = new ProtoMessage()
  for (const one of file.nodes) graph.message(1, node(one))
  graph.text(2, 'model')
  for (const one of tensors) graph.message(5, one)
  for (const port of file.inputs) graph.message(11, valueInfo(port))
  for (const port of file.outputs) graph.message(12, valueInfo(port))
  return new ProtoMessage()
    .integer(1, IR_VERSION)
    .text(2, file.producer.name)
    .text(3, file.producer.version)
    .message(7, graph)
    .message(8, new ProtoMessage().text(1, '').integer(2, file.opset))
}

function node({ op, inputs, outputs, attributes }: OnnxFileNode): ProtoMessage {
  const message = new ProtoMessage()
  for (const input of inputs) message.text(1, input)
  for (const output of outputs) message.text(2, output)
  message.text(3, outputs[0]!).text(4, op)
  for (const one of attributes) message.message(5, attribute(one))
  return message
}

function attribute({ name, integer, number, integers }: OnnxAttribute): ProtoMessage {
  const message = new ProtoMessage().text(1, name)
  if (integer !== undefined) return message.integer(3, integer).integer(20, ATTRIBUTE_INT)
  if (number !== undefined) return message.number(2, number).integer(20, ATTRIBUTE_FLOAT)
  for (const value of integers ?? []) message.integer(8, value)
  return message.integer(20, ATTRIBUTE_INTS)
}

function tensorHead({ name, type, shape }: OnnxTensor): ProtoMessage {
  const message = new ProtoMessage()
  for (const size of shape) message.integer(1, size)
  return message.integer(2, DATA_TYPES[type]).text(8, name)
}

function tensor(one: OnnxTensor): ProtoMessage {
  return tensorHead(one).bytes(9, one.data)
}

function valueInfo({ name, integer, shape }: OnnxFilePort): ProtoMessage {
  const sizes = new ProtoMessage()
  for (const size of shape) {
    const one = new ProtoMessage()
    sizes.message(1, typeof size === 'string' ? one.text(2, size) : one.integer(1, size))
  }
  const type = new ProtoMessage().integer(1, DATA_TYPES[integer ? 'int64' : 'float32']).message(2, sizes)
  return new ProtoMessage().text(1, name).message(2, new ProtoMessage().message(1, type))
}
