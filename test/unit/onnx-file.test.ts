// Files of ONNX against those of Python's onnx (test/parity/make_onnx.py), byte for byte.
import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { type OnnxFile, type OnnxTensor, writeOnnx } from '../../lib/io/onnx-file.js'
import { ProtoMessage } from '../../lib/io/protobuf.js'
import { bytesOf } from '../../lib/models/onnx/weights.js'
import { temporaryFolder } from '../helpers/model-folders.js'

const golden = (name: string) => readFileSync(new URL(`../../../test/parity/golden/onnx/${name}`, import.meta.url))
const weight = Float32Array.from({ length: 600 }, (_, i) => (i - 300) / 64)

const tensors: OnnxTensor[] = [
  { name: 'integers', type: 'int64', shape: [3], data: bytesOf(BigInt64Array.of(2n, -1n, 1n << 40n)) },
  { name: 'half', type: 'float32', shape: [], data: bytesOf(Float32Array.of(0.5)) },
  { name: 'weight', type: 'float32', shape: [20, 30], data: { byteLength: 2400, data: pieces } },
  { name: 'bytes', type: 'int8', shape: [30, 4], data: bytesOf(Int8Array.from({ length: 120 }, (_, i) => i - 60)) },
]

async function* pieces() {
  yield bytesOf(weight.subarray(0, 7))
  yield bytesOf(weight.subarray(7))
}

const file: OnnxFile = {
  opset: 17,
  producer: { name: 'golden', version: '1.2.3' },
  inputs: [{ name: 'x', integer: true, shape: ['batch_size', 'sequence_length'] }],
  outputs: [{ name: 'y', integer: false, shape: ['batch_size', 384] }],
  nodes: [
    { op: 'Softmax', inputs: ['x'], outputs: ['p'], attributes: [{ name: 'axis', integer: -1 }] },
    {
      op: 'LayerNormalization',
      inputs: ['p', 'weight', ''],
      outputs: ['n'],
      attributes: [{ name: 'epsilon', number: 1e-5 }],
    },
    { op: 'Transpose', inputs: ['n'], outputs: ['y'], attributes: [{ name: 'perm', integers: [0, 2, 1] }] },
    { op: 'Split', inputs: ['y', 'integers'], outputs: ['a', 'b'], attributes: [{ name: 'axis', integer: 1 }] },
  ],
  tensors,
}

test("a model is written as Python's onnx writes it", async (t) => {
  const path = join(await temporaryFolder(t), 'model.onnx')
  await writeFile(`${path}_data`, 'of an older model')
  t.false(await writeOnnx(path, file))
  t.deepEqual(readFileSync(path), golden('whole.onnx'))
  t.false(existsSync(`${path}_data`))
})

test('beyond its limit, large tensors lie in a data file', async (t) => {
  const path = join(await temporaryFolder(t), 'external.onnx')
  t.true(await writeOnnx(path, file, golden('whole.onnx').length - 1))
  t.deepEqual(readFileSync(path), golden('external.onnx'))
  t.deepEqual(readFileSync(`${path}_data`), Buffer.from(bytesOf(weight)))
})

test('tensors of the data file begin at pages', async (t) => {
  const path = join(await temporaryFolder(t), 'model.onnx')
  const two = ['one', 'two'].map((name): OnnxTensor => ({ ...tensors[2]!, name }))
  t.true(await writeOnnx(path, { ...file, tensors: two }, 0))
  const data = readFileSync(`${path}_data`)
  t.is(data.length, 4096 + 2400)
  t.deepEqual(data.subarray(4096), data.subarray(0, 2400))
  t.regex(readFileSync(path, 'latin1'), /offset[^a-z]+4096/)
})

for (const byteLength of [2399, 2401]) {
  test(`a tensor that gives 2400 bytes instead of ${byteLength} is no file`, async (t) => {
    const path = join(await temporaryFolder(t), 'model.onnx')
    const wrong = [{ ...tensors[2]!, data: { byteLength, data: pieces } }]
    await t.throwsAsync(writeOnnx(path, { ...file, tensors: wrong }), { message: new RegExp(`${byteLength} bytes`) })
    t.false(existsSync(path))
  })
}

test('a length beyond 2 GiB and a negative number are varints', async (t) => {
  const message = new ProtoMessage().integer(3, -2).bytes(9, { byteLength: 2 ** 33, data: pieces })
  t.is(message.byteLength, 11 + 1 + 5 + 2 ** 33)
  const first = (await message.encode().next()).value as Uint8Array
  t.is(Buffer.from(first).toString('hex'), '18feffffffffffffffff014a8080808020')
})
