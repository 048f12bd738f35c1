/**
 * Reads a column of lists that all have as many float32 numbers, such as vectors, into one array. Lists of JavaScript numbers, which
 * hyparquet makes of them and which the thread then has to send, take far longer.
 */
import type { FileHandle } from 'node:fs/promises'
import { unpack } from './parquet-codecs.js'
import { haveEqualLengths } from './parquet-encodings.js'
import { type Footer, type Group, readBytes, type TopColumn } from './parquet-file.js'
import { checkLevels, pagesOf } from './parquet-pages.js'

const FLOAT_BYTES = 4
const PLAIN = 0
/** The column, its list and the numbers in it. */
const LIST_ELEMENTS = 3

/**
 * @param width numbers of a list
 * @returns undefined where lists have other lengths, numbers are missing, or pages are not as our own writer packs them
 * @throws Error with the problem
 */
export async function readFloats(
  file: FileHandle,
  { budget }: Footer,
  group: Group,
  { schema, leaves }: TopColumn,
  width: number,
): Promise<Float32Array | undefined> {
  const { leaf, meta, start, end } = group.chunks[leaves[0]!]!
  const count = group.rows * width
  if (schema.length !== LIST_ELEMENTS || leaf.repetition !== 1 || meta.type !== 'FLOAT') return undefined
  if (Number(meta.num_values) !== count) return undefined
  const own = { left: budget.left }
  const pages = pagesOf(await readBytes(file, start, end), leaf, count, own)
  if (pages.some((page) => page.kind !== 'data 2' || page.encoding !== PLAIN || page.nulls > 0)) return undefined
  const floats = new Float32Array(count)
  const target = new Uint8Array(floats.buffer)
  let first = 0
  for (const page of pages) {
    checkLevels(page, leaf)
    const { bytes, repetitionBytes, definitionBytes, values } = page
    if (!haveEqualLengths(bytes, repetitionBytes, values, first, width)) return undefined
    const levels = repetitionBytes + definitionBytes
    const length = page.unpackedBytes - levels
    const packed = bytes.subarray(levels)
    const plain = page.isCompressed ? unpack(meta.codec, packed, length) : packed
    if (plain.length !== values * FLOAT_BYTES)
      throw new Error(`a page unpacks to ${plain.length} bytes instead of ${values * FLOAT_BYTES}`)
    target.set(plain, first * FLOAT_BYTES)
    first += values
  }
  budget.left = own.left
  return floats
}
