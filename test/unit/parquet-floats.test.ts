// Columns of lists that all have as many numbers are read as one array; all others as lists.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { CompressionCodec, SchemaElement } from 'hyparquet'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { readParquet } from '../../lib/data/readers/parquet.js'

const folder = mkdtempSync(join(tmpdir(), 'sentence-torch-floats-'))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))

const optional = { repetition_type: 'OPTIONAL' } as const
const schemaOf = (type: 'FLOAT' | 'DOUBLE' | 'INT32'): SchemaElement[] => [
  { name: 'schema', num_children: 1 },
  { name: 'embedding', ...optional, converted_type: 'LIST', num_children: 1 },
  { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
  { name: 'element', ...optional, type },
]
/** Eighths, which float32 has exactly; all different, as a writer makes a dictionary of few. */
const lists = (rows: number, width: number) =>
  Array.from({ length: rows }, (_, i) => Array.from({ length: width }, (_, k) => (i * width + k) / 8))

let files = 0
async function read(
  data: unknown[],
  width: number,
  { type = 'FLOAT' as 'FLOAT' | 'DOUBLE' | 'INT32', codec = 'SNAPPY' as CompressionCodec, ...more } = {},
) {
  const path = join(folder, `${files++}.parquet`)
  const options = { columnData: [{ name: 'embedding', data }], schema: schemaOf(type), codec, ...more }
  writeFileSync(path, Buffer.from(parquetWriteBuffer(options)))
  const numbers: Float32Array[] = []
  const values: unknown[] = []
  for await (const { floats, columns } of readParquet(path, { floats: { name: 'embedding', width } })) {
    if (floats) numbers.push(floats)
    else values.push(...columns[0]!)
  }
  return { numbers: numbers.flatMap((floats) => [...floats]), values }
}

for (const [rows, width] of [
  [1, 1],
  [3000, 1],
  [2500, 3],
  [50, 8],
  [1100, 384],
] as const) {
  for (const more of [{}, { codec: 'UNCOMPRESSED' as const }, { pageSize: 1000, rowGroupSize: 700 }]) {
    test(`${rows} lists of ${width} numbers, ${JSON.stringify(more)}`, async (t) => {
      const data = lists(rows, width)
      t.deepEqual(await read(data, width, more), { numbers: data.flat(), values: [] })
    })
  }
}

test('lists of other lengths, absent numbers and lists, and other numbers arrive as lists', async (t) => {
  const data = lists(20, 4)
  const cases: [unknown[], Parameters<typeof read>[2]?][] = [
    // As many numbers as twenty lists of four.
    [data.with(3, [1, 2, 3]).with(4, [1, 2, 3, 4, 5])],
    [data.with(19, [1, 2, 3])],
    [data.with(7, [1, null, 2, 3] as number[])],
    [data.with(0, null as unknown as number[])],
    [data.with(5, [])],
    [data, { type: 'DOUBLE' }],
    [data.map((list) => list.map(Math.round)), { type: 'INT32' }],
  ]
  for (const [values, more] of cases) {
    for (const pageSize of [undefined, 40]) {
      const found = await read(values, 4, { ...more, ...(pageSize && { pageSize }) })
      t.deepEqual(found, { numbers: [], values })
    }
  }
})
