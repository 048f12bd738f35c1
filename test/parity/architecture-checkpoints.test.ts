// Files of the hub name the tensors of one encoder in several ways, and have others beside them: each loads, with equal embeddings.
import { join } from 'node:path'
import { type TensorSource, writeSafetensors } from '../../lib/io/safetensors.js'
import { WeightFiles } from '../../lib/models/weights.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import {
  ARCHITECTURES,
  type CheckpointGolden,
  encoderSpec,
  type Fixture,
  fixtures,
  open,
  testOf,
} from './architectures.js'
import { equal } from './report.js'
import { addon, encode } from './support.js'

const BYTES: Record<string, number> = { F32: 4, I64: 8 }

/** The encoder's tensors by the names of a file, and the others that the file has. */
function sources(fixture: Fixture, { prefix, renamed, extra }: CheckpointGolden): TensorSource[] {
  const bytes = (data: Float32Array) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  const elsewhere = new Set(renamed.map(([, tensor]) => tensor))
  const plain = [...fixture.weights].flatMap(([name, { shape, data }]): TensorSource[] => {
    const bare = name.slice('0.'.length)
    return elsewhere.has(bare) ? [] : [{ name: prefix + bare, dtype: 'F32', shape, data: bytes(data) }]
  })
  const parts = renamed.map(([name, tensor, start, rows]): TensorSource => {
    const { shape, data } = fixture.weights.get(`0.${tensor}`)!
    const width = data.length / shape[0]!
    const part = data.subarray(start * width, (start + rows) * width)
    return { name, dtype: 'F32', shape: [rows, ...shape.slice(1)], data: bytes(part) }
  })
  const others = extra.map(([name, shape, dtype]): TensorSource => {
    const size = shape.reduce((a, b) => a * b, BYTES[dtype]!)
    return { name, dtype: dtype as TensorSource['dtype'], shape, data: new Uint8Array(size) }
  })
  return [...plain, ...parts, ...others]
}

for (const { architecture, checkpoints, setups } of ARCHITECTURES) {
  const name = Object.keys(setups)[0]!
  for (const [form, checkpoint] of Object.entries(checkpoints)) {
    testOf(architecture, `a checkpoint with the names of ${form} loads`, async (t) => {
      const fixture = fixtures().find((one) => one.architecture === architecture && one.name === name)!
      const path = await temporaryFolder(t)
      await writeSafetensors(join(path, 'model.safetensors'), sources(fixture, checkpoint))
      const description = addon.describe(architecture, fixture.config)
      const files = await WeightFiles.open({ path, transformerPath: path, modules: [], description })
      t.is(files.hasPooler, fixture.pooler)
      const loaded = new addon.Encoder(encoderSpec(fixture))
      t.deepEqual((await files.load(loaded)).missing, [])
      await files.close()
      const expected = await open(fixture)
      t.deepEqual(await encode(loaded, fixture.batch), await encode(expected, fixture.batch))
      equal('architecture-checkpoints', architecture)
      await Promise.all([loaded.dispose(), expected.dispose()])
    })
  }
}
