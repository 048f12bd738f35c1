import { type OnnxFile, type OnnxTensor, writeOnnx } from '../../io/onnx-file.js'
import type { NativeEncoder, OnnxConstant, OnnxGraph } from '../../native/types.js'
import { QuantizedWeight, quantizeNodes } from './quantize.js'
import { bytesOf, floatBytes } from './weights.js'

/** Of the weights: float32, or 8 bits, as transformers.js calls them. */
export const ONNX_DTYPES = ['fp32', 'q8'] as const
export type OnnxDType = (typeof ONNX_DTYPES)[number]

/** By transformers.js' names. */
export const ONNX_NAMES: Readonly<Record<OnnxDType, string>> = { fp32: 'model.onnx', q8: 'model_quantized.onnx' }

/**
 * Writes a model's graph with its weights.
 * @param most bytes of the file, beyond which the weights lie beside it
 * @returns whether they do
 */
export async function writeGraph(
  path: string,
  { encoder, graph, version }: { encoder: NativeEncoder; graph: OnnxGraph; version: string },
  dtype: OnnxDType,
  most?: number,
): Promise<boolean> {
  const { opset, inputs, outputs } = graph
  const { nodes, weights } = dtype === 'q8' ? quantizeNodes(graph) : { nodes: graph.nodes, weights: new Set<string>() }
  const constants = graph.constants.map(constant)
  const tensors = graph.weights.flatMap((weight): OnnxTensor[] => {
    const { name, shape } = weight
    if (weights.has(name)) return new QuantizedWeight(encoder, weight).tensors
    return [{ name, type: 'float32', shape, data: floatBytes(encoder, weight) }]
  })
  const producer = { name: 'sentence-torch', version }
  const file: OnnxFile = { opset, producer, inputs, outputs, nodes, tensors: [...constants, ...tensors] }
  return writeOnnx(path, file, most)
}

function constant({ name, integer, shape, values }: OnnxConstant): OnnxTensor {
  const data = integer ? BigInt64Array.from(values, BigInt) : Float32Array.from(values)
  return { name, type: integer ? 'int64' : 'float32', shape, data: bytesOf(data) }
}
