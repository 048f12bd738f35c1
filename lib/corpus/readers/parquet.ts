import { readParquet } from '../../data/readers/parquet.js'
import { embeddings } from '../../models/embeddings.js'
import { SparseEmbeddings, type SparseRow } from '../../models/sparse-embeddings.js'
import { TokenEmbeddings } from '../../models/token-embeddings.js'
import type { DenseRows, EncodedRows, RowLayout } from '../rows.js'
import { arrayOf, misread, numberBytes, type RowBlock } from './block.js'

/** The rows of a file, a row group at a time. @param withTexts whether it has texts */
export async function* parquetBlocks(path: string, layout: RowLayout, withTexts: boolean): AsyncGenerator<RowBlock> {
  const own = layout.kind === 'sparse' ? ['indices', 'values'] : ['embedding']
  const { kind, precision, width } = layout
  const options = {
    columns: [...(withTexts ? ['text'] : []), ...own],
    ...(kind === 'dense' && precision === 'float32' && { floats: { name: 'embedding', width } }),
  }
  for await (const { names, columns, floats } of readParquet(path, options)) {
    const of = (name: string) => columns[names.indexOf(name)] as unknown[]
    const rows = floats
      ? embeddings(floats, floats.length / width, width)
      : rowsOf(layout, own.map(of) as unknown[][], path)
    yield { rows, ...(withTexts && { texts: of('text') as string[] }) }
  }
}

/** The texts of some rows, by rising numbers; the others are read, too, but not kept. */
export async function parquetTexts(path: string, numbers: readonly number[]): Promise<string[]> {
  const found: string[] = []
  let first = 0
  for await (const { columns } of readParquet(path, { columns: ['text'] })) {
    const texts = columns[0] as unknown[]
    while (found.length < numbers.length && numbers[found.length]! < first + texts.length) {
      const text = texts[numbers[found.length]! - first]
      if (typeof text !== 'string') throw misread(path, 'texts', typeof text)
      found.push(text)
    }
    first += texts.length
    if (found.length === numbers.length) return found
  }
  throw misread(path, `a row ${numbers[found.length]}`, `${first} rows`)
}

function rowsOf({ kind, precision, width }: RowLayout, columns: unknown[][], path: string): EncodedRows {
  const [first = [], second = []] = columns
  const list = (value: unknown, length?: number): number[] => {
    const fits = Array.isArray(value) && (length === undefined || value.length === length)
    if (!fits) throw misread(path, length === undefined ? 'a list' : `a list of ${length} numbers`, 'another value')
    return value as number[]
  }
  if (kind === 'sparse') {
    const rows = first.map((indices, i): SparseRow => {
      return { indices: Int32Array.from(list(indices)), values: Float32Array.from(list(second[i])) }
    })
    return SparseEmbeddings.fromRows(rows, width)
  }
  if (kind === 'tokens') {
    const rows = first.map((value) => {
      const vectors = list(value) as unknown as number[][]
      const data = new Float32Array(vectors.length * width)
      vectors.forEach((vector, t) => {
        data.set(list(vector, width), t * width)
      })
      return embeddings(data, vectors.length, width)
    })
    return TokenEmbeddings.fromRows(rows, width)
  }
  const data = arrayOf(precision, new ArrayBuffer(first.length * width * numberBytes(precision)))
  first.forEach((value, i) => {
    data.set(list(value, width), i * width)
  })
  return { data, shape: [first.length, width] } as DenseRows
}
