/** Writes rows in the formats of `encode`. Memory does not grow with the rows, unless a format's comment says so. */
import { bytesOf, type DenseRows, type RowLayout } from '../rows.js'
import { JsonRows } from './json-lines.js'
import { NpyWriter } from './npy.js'
import { ParquetRows } from './parquet.js'
import { SafetensorsRows } from './safetensors.js'
import type { RowWriter, Sink } from './writer.js'

export { npyHeader } from './npy.js'
export { fileSink, type RowWriter, type Sink } from './writer.js'

export const ROW_FORMATS = ['npy', 'jsonl', 'parquet', 'safetensors', 'f32'] as const
export type RowFormat = (typeof ROW_FORMATS)[number]

/** Those that hold texts beside the rows. */
export const FORMATS_WITH_TEXTS: readonly RowFormat[] = ['jsonl', 'parquet']
/** Those that begin with what is known at the end, so that they need a file. */
export const FORMATS_OF_FILES: readonly RowFormat[] = ['npy', 'parquet', 'safetensors']
/** Those that hold rows of one length alone. */
export const DENSE_FORMATS: readonly RowFormat[] = ['npy', 'f32']

/**
 * @param withTexts whether `jsonl` and `parquet` hold the texts, too
 * @param path for messages
 */
export function rowWriter(
  format: RowFormat,
  sink: Sink,
  layout: RowLayout,
  withTexts: boolean,
  path: string,
): RowWriter {
  switch (format) {
    case 'npy':
      return new NpyWriter(sink, layout)
    case 'parquet':
      return new ParquetRows(sink, layout, withTexts, path)
    case 'safetensors':
      return new SafetensorsRows(sink, layout)
    case 'jsonl':
      return new JsonRows(sink, withTexts)
    default: {
      const write: RowWriter['add'] = (rows) => sink.write(bytesOf((rows as DenseRows).data))
      return { add: write, end: async () => {}, close: async () => {} }
    }
  }
}
