import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openSafetensors } from '../../../lib/io/safetensors.js'
import { bytesOf, type Case, changedFiles, type Files } from '../case.js'
import { expect } from '../judge.js'
import { fileEdits, hostile } from '../mutate.js'
import { withLength } from '../safetensors-parts.js'
import type { Target } from './target.js'

const header = {
  __metadata__: { format: 'pt' },
  a: { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] },
  b: { dtype: 'F16', shape: [4], data_offsets: [24, 32] },
  'c.d': { dtype: 'I64', shape: [], data_offsets: [32, 40] },
}
const second = {
  e: { dtype: 'BF16', shape: [1, 1, 2], data_offsets: [0, 4] },
  f: { dtype: 'U8', shape: [0], data_offsets: [4, 4] },
}
const [one, two] = ['one.safetensors', 'two.safetensors']
const index = {
  metadata: { total_size: 44 },
  weight_map: { a: one, b: one, 'c.d': one, e: two, f: two },
}
/** A file is made of its header, its data and, as the plan of a case, the length that it says its header has. */
const files: Files = {
  'one.header': header,
  'one.data': Buffer.from(Array.from({ length: 40 }, (_, i) => i)),
  'two.header': second,
  'two.data': Buffer.of(1, 2, 3, 4),
  'model.index.json': index,
}
const dtypes = ['F64', 'F32', 'F16', 'BF16', 'I64', 'I32', 'I8', 'U64', 'BOOL', 'F8_E4M3', 'C64', 'f32', 'F4']
const tokens = [...dtypes, 'dtype', 'shape', 'data_offsets', '__metadata__', one, two, 'a', [0, 24], [24, 0], [2, 3]]

/** A weight file, or the index of two. */
export const safetensors: Target = {
  warm: { base: 'index', edits: [] },

  make(random) {
    const base = random.pick(['one', 'index'])
    const names = Object.keys(files).filter((name) => base === 'index' || name.startsWith('one'))
    const plan: Case['plan'] = random.oneIn(6) ? { length: hostile(random, [8, 7, 9, 40, 41]) } : {}
    return { base, edits: fileEdits(random, files, names, tokens), plan }
  },

  async run({ base, edits, plan }, folder) {
    const changed = changedFiles(files, edits)
    const part = (name: string) => {
      const bytes = changed.get(name)
      return bytes === undefined ? bytesOf(files[name]!) : (bytes ?? Buffer.of())
    }
    let size = 0
    for (const name of base === 'one' ? ['one'] : ['one', 'two']) {
      const bytes = withLength(part(`${name}.header`), part(`${name}.data`), (plan as { length?: unknown })?.length)
      size += bytes.length
      writeFileSync(join(folder, `${name}.safetensors`), bytes)
    }
    if (base !== 'one') writeFileSync(join(folder, 'model.index.json'), part('model.index.json'))
    const file = await openSafetensors(join(folder, base === 'one' ? one : 'model.index.json'))
    try {
      let total = 0
      for (const [name, { shape, byteLength }] of file.tensors) {
        expect((await file.read(name)).length === byteLength, 'a tensor is as long as its entry says')
        expect(
          shape.every((n) => Number.isSafeInteger(n) && n >= 0),
          'a shape is of whole numbers',
        )
        total += byteLength
      }
      expect(total <= size, 'tensors take no more than their files')
    } finally {
      await file.close()
    }
  },
}
