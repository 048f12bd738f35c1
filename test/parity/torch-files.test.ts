// Files of torch.save, with the same tensors written by safetensors beside them: see make_torch_files.py.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { openTensorFile } from '../../lib/io/tensor-file.js'

const folder = fileURLToPath(new URL('../../../test/parity/golden/torch/', import.meta.url))
const read = readdirSync(folder).filter((name) => /\.bin(\.index\.json)?$/.test(name) && !/-of-/.test(name))

for (const name of read) {
  test(`${name} is read as Python reads it`, async (t) => {
    const file = await openTensorFile(join(folder, name))
    const expected = await openTensorFile(join(folder, name.replace(/\.bin.*/, '.safetensors')))
    t.teardown(() => Promise.all([file.close(), expected.close()]))
    const sorted = (names: Iterable<string>) => [...names].sort()
    t.deepEqual(sorted(file.tensors.keys()), sorted(expected.tensors.keys()))
    for (const [name, entry] of expected.tensors) {
      t.deepEqual(file.tensors.get(name), entry, name)
      const bytes = await expected.read(name)
      t.deepEqual(await file.read(name), bytes, name)
      const middle = Math.floor(entry.byteLength / 2)
      t.deepEqual(await file.read(name, middle), bytes.subarray(middle), name)
      t.deepEqual(await file.read(name, 0, middle), bytes.subarray(0, middle), name)
    }
  })
}

const refused: Record<string, RegExp> = {
  attributes: /calls for "torch\._utils\._rebuild_parameter_with_state"/,
  big_endian: /byte order "big"/,
  bytes: /calls for "_codecs\.encode"/,
  checkpoint: /a dictionary of 1 as "state_dict", where a state dict has tensors alone/,
  complex: /calls for "torch\.ComplexFloatStorage"/,
  float: /the pickle opcode BINFLOAT \(0x47\)/,
  float8: /calls for "torch\._utils\._rebuild_tensor_v3"/,
  legacy: /the format that torch\.save wrote before torch 1\.6/,
  list: /the pickle opcode EMPTY_LIST \(0x5d\)/,
  load_from_bytes: /calls for "torch\.storage\._load_from_bytes"/,
  meta: /calls for "torch\._utils\._rebuild_meta_tensor_no_storage"/,
  module: /calls for "torch\.nn\.modules\.linear\.Linear"/,
  negative: /calls torch\._utils\._rebuild_tensor_v2 with what torch does not give it/,
  number: /the value 3 as "epoch"/,
  numpy: /calls for "numpy\..*scalar"/,
  packed: /the zip entry "module\/data\.pkl" packed/,
  protocol: /pickle protocol 4, expected 2/,
  quantized: /calls for "torch\._utils\._rebuild_qtensor"/,
  script: /a program of TorchScript/,
  set: /calls for "__builtin__\.set"/,
  sparse: /calls for "torch\._utils\._rebuild_sparse_tensor"/,
  storage: /calls for "torch\.storage\.UntypedStorage"/,
  system: /calls for "posix\.system"/,
  tensor: /holds a tensor instead of a state dict/,
}

test('whatever else Python saves is refused by its name, with the way out', async (t) => {
  const names = readdirSync(join(folder, 'refused')).map((name) => name.replace('.bin', ''))
  t.deepEqual(names.sort(), Object.keys(refused).sort())
  for (const name of names) {
    const path = join(folder, 'refused', `${name}.bin`)
    const error = await t.throwsAsync(openTensorFile(path), { code: 'ERR_UNSUPPORTED', message: refused[name]! }, name)
    t.true(error.message.startsWith(path), name)
    t.regex(error.message, /Python converts weights.*safetensors\.torch.*weights_only=True/, name)
  }
})
