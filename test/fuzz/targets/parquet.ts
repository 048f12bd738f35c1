import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Dataset } from '../../../lib/index.js'
import { changedFiles, type Files } from '../case.js'
import { expect } from '../judge.js'
import { fileEdits } from '../mutate.js'
import type { Target } from './target.js'

const golden = new URL('../../../../test/parity/golden/data/', import.meta.url)
const names = ['class-names', 'decimals', 'large', 'neg-pos', 'snappy', 'zstd', 'gzip', 'lz4', 'brotli', 'none']
const files: Files = Object.fromEntries(names.map((name) => [name, readFileSync(new URL(`${name}.parquet`, golden))]))
const tokens = [
  'PAR1',
  '\x15\x00',
  '\x15\x02',
  '\x19\x1c',
  '\x18\x04',
  '\xff\xff\xff\xff\x0f',
  '\x16\xfe\xff\xff\xff\x0f',
]

/** Parquet files. */
export const parquet: Target = {
  warm: { base: 'neg-pos', edits: [] },

  make(random) {
    const base = random.pick(names)
    return { base, edits: fileEdits(random, files, [base], tokens), plan: { columns: random.oneIn(20) } }
  },

  async run({ base, edits, plan }, folder) {
    const path = join(folder, 'data.parquet')
    writeFileSync(path, changedFiles(files, edits).get(base) ?? (files[base] as Uint8Array))
    const columns = (plan as { columns?: boolean })?.columns ? { columns: ['text'] } : {}
    const data = await Dataset.fromFile(path, columns)
    for (const name of data.columnNames) {
      expect(data.column(name).length === data.length, 'columns are as long as the dataset')
    }
    for (const row of data) expect(Object.keys(row).length === data.columnNames.length, 'rows have all columns')
  },
}
