import { damaged } from '../../io/damaged.js'
import type { IndexFile } from './index-file.js'

/** The id or the text of a row, read from the file. @throws ERR_INVALID_FILE */
export async function readTextOf(file: IndexFile, row: number, kind: 'id' | 'text'): Promise<string> {
  const segment = file.segmentOf(row)
  const [places, texts] = kind === 'id' ? (['idPlaces', 'ids'] as const) : (['textPlaces', 'texts'] as const)
  const ends = new BigUint64Array(2)
  await file.read(new Uint8Array(ends.buffer), segment.parts[places].start + 8 * (row - segment.first))
  const [start, end] = [Number(ends[0]), Number(ends[1])]
  const { bytes, start: first } = segment.parts[texts]
  if (!(start <= end && end <= bytes))
    throw damaged(file.path, `the place of the ${kind} of row ${row} is ${start} to ${end} of ${bytes} bytes`)
  const text = Buffer.alloc(end - start)
  await file.read(text, first + start)
  return text.toString()
}
