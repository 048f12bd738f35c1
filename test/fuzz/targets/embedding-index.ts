import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { HEAD_BYTES, PARTS, type PartName, SEGMENT_BYTES } from '../../../lib/search/embedding-index/format.js'
import { IndexFile } from '../../../lib/search/embedding-index/index-file.js'
import { readTextOf } from '../../../lib/search/embedding-index/text-store.js'
import { packTexts } from '../../../lib/search/embedding-index/write-segment.js'
import { bytesOf, type Case, changedFiles, type Files } from '../case.js'
import { expect } from '../judge.js'
import { fileEdits, hostile } from '../mutate.js'
import type { Target } from './target.js'

const [ROWS, DIMENSION, ALIGNMENT] = [3, 4, 64]
const ids = packTexts(['a', '', 'ä'])
const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => i)
const parts: Record<PartName, Uint8Array> = {
  vectors: bytes(4 * ROWS * DIMENSION),
  codes: bytes(ROWS * DIMENSION),
  factors: bytes(4 * ROWS),
  ...{ idPlaces: ids.places, ids: ids.bytes, textPlaces: ids.places, texts: ids.bytes },
}
const padded = PARTS.map((name) => Buffer.concat([parts[name], Buffer.alloc(-parts[name].length & (ALIGNMENT - 1))]))
const data = Buffer.concat(padded)
const record = Object.fromEntries(PARTS.map((name) => [name, { bytes: parts[name].length, crc: crc32(parts[name]) }]))
const end = 2 * HEAD_BYTES + SEGMENT_BYTES + data.length
const head = {
  ...{ format: 1, sequence: 1, rows: ROWS, end, dimension: DIMENSION },
  ...{ precision: 'int8', scoreFunction: 'cosine', hasIds: true, hasTexts: true },
}
/** A file is made of its heads and what it says of its segment, which get their checksums, and the bytes of the segment. */
const files: Files = { head, 'second.head': head, segment: { rows: ROWS, parts: record }, data }
const tokens = [0, 1, ROWS, DIMENSION, end, 'float32', 'binary', 'euclidean', true, false, ...PARTS]

/** A block with its checksum, cut to its size. */
function block(magic: string, json: Uint8Array, size: number): Buffer {
  const out = Buffer.alloc(size)
  out.write(magic, 'latin1')
  const kept = json.subarray(0, size - 16)
  out.writeUInt32LE(kept.length, 8)
  out.writeUInt32LE(crc32(kept), 12)
  out.set(kept, 16)
  return out
}

/** The file of an index. */
export const embeddingIndex: Target = {
  warm: { base: 'index', edits: [] },

  make(random) {
    const plan: Case['plan'] = random.oneIn(6) ? { cut: hostile(random, [0, 7, 4096, 8192, 8200, end]) } : {}
    return { base: 'index', edits: fileEdits(random, files, Object.keys(files), tokens), plan }
  },

  async run({ edits, plan }, folder) {
    const changed = changedFiles(files, edits)
    const part = (name: string) => {
      const found = changed.get(name)
      return found === undefined ? bytesOf(files[name]!) : (found ?? Buffer.of())
    }
    const whole = Buffer.concat([
      ...['head', 'second.head'].map((name) => block('STINDEX\n', part(name), HEAD_BYTES)),
      ...[block('SEGMENT\n', part('segment'), SEGMENT_BYTES), part('data')],
    ])
    const { cut } = (plan ?? {}) as { cut?: unknown }
    const length = Number.isInteger(cut) && (cut as number) >= 0 ? Math.min(cut as number, whole.length) : whole.length
    const path = join(folder, 'docs.index')
    writeFileSync(path, whole.subarray(0, length))
    const index = await IndexFile.open(path)
    try {
      const rows = index.segments.reduce((sum, segment) => sum + segment.rows, 0)
      expect(rows === index.head.rows, 'segments have the rows that the head says')
      expect(index.head.end <= length, 'an index ends in its file')
      if (index.head.hasIds) {
        for (let row = 0; row < rows; row++) {
          expect((await readTextOf(index, row, 'id')).length <= length, 'an id is no longer than the file')
        }
      }
      await index.verify()
    } finally {
      await index.close()
    }
  },
}
