// The graphs of ONNX of all golden models of architectures are whole. What they compute is compared in test/python/run.mjs.
import type { OnnxGraph } from '../../lib/native/types.js'
import { encoderSpec, testsOf } from './architecture-engines.js'
import { FIXTURES } from './architectures.js'
import { addon } from './support.js'

/** What a node reads that no node, input or constant before it has made. */
function dangling({ inputs, nodes, constants, weights }: OnnxGraph): string[] {
  const known = new Set(['', ...[...inputs, ...constants, ...weights].map(({ name }) => name)])
  return nodes.flatMap((node) => {
    const missing = node.inputs.filter((input) => !known.has(input))
    for (const output of node.outputs) known.add(output)
    return missing
  })
}

for (const fixture of FIXTURES) {
  testsOf(fixture)('its graph reads every tensor but the pooler, and every node what stands before it', async (t) => {
    const encoder = new addon.Encoder(encoderSpec(fixture))
    const graph = encoder.graph()
    t.deepEqual(dangling(graph), [])
    const made = [...graph.inputs, ...graph.constants, ...graph.weights].map(({ name }) => name)
    const all = [...made, ...graph.nodes.flatMap(({ outputs }) => outputs)]
    t.is(new Set(all).size, all.length, 'every name once')
    t.deepEqual(
      graph.weights.map(({ tensor }) => tensor).sort(),
      encoder
        .tensors()
        .flatMap(({ name }) => (name.startsWith('0.pooler.') ? [] : [name]))
        .sort(),
    )
    const read = new Set(graph.nodes.flatMap(({ inputs }) => inputs))
    t.deepEqual(
      [...graph.inputs, ...graph.weights, ...graph.constants].filter(({ name }) => !read.has(name)),
      [],
    )
    await encoder.dispose()
  })
}
