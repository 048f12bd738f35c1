import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { embeddings } from '../../../lib/models/embeddings.js'
import { EmbeddingIndex } from '../../../lib/search/embedding-index/embedding-index.js'
import {
  codeBytes,
  HEAD_BYTES,
  PARTS,
  type PartName,
  SEGMENT_BYTES,
} from '../../../lib/search/embedding-index/format.js'
import { IndexFile } from '../../../lib/search/embedding-index/index-file.js'
import { packTexts } from '../../../lib/search/embedding-index/write-segment.js'
import { bytesOf, type Case, changedFiles, type Files } from '../case.js'
import { expect } from '../judge.js'
import { fileEdits, hostile } from '../mutate.js'
import type { Target } from './target.js'

const [ROWS, DIMENSION, ALIGNMENT] = [3, 4, 64]
const ids = packTexts(['a', '', 'ä'])
const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => i)
const floats = (length: number) => new Uint8Array(Float32Array.from({ length }, (_, i) => Math.sin(i)).buffer)
/** Bytes of the parts of an index of this precision. */
const partsOf = (precision: 'int8' | 'binary'): Record<PartName, Uint8Array> => ({
  vectors: floats(ROWS * DIMENSION),
  codes: bytes(ROWS * codeBytes({ precision, dimension: DIMENSION })),
  factors: precision === 'int8' ? floats(ROWS) : bytes(0),
  ...{ idPlaces: ids.places, ids: ids.bytes, textPlaces: ids.places, texts: ids.bytes },
})
const padding = (length: number) => -length & (ALIGNMENT - 1)
/** What a segment says of parts that lie in `data`, one after the other. */
function recordOf(parts: Record<PartName, Uint8Array>, data: Uint8Array) {
  let at = 0
  const entries = PARTS.map((name) => {
    const { length } = parts[name]
    const part = data.subarray(at, at + length)
    at += length + padding(length)
    return [name, { bytes: length, crc: crc32(part) }]
  })
  return { rows: ROWS, parts: Object.fromEntries(entries) }
}

/** A file is made of its heads and what it says of its segment, which get their checksums, and the bytes of the segment. */
function filesOf(precision: 'int8' | 'binary'): Files {
  const parts = partsOf(precision)
  const data = Buffer.concat(
    PARTS.map((name) => Buffer.concat([parts[name], Buffer.alloc(padding(parts[name].length))])),
  )
  const head = {
    ...{ format: 1, sequence: 1, rows: ROWS, end: 2 * HEAD_BYTES + SEGMENT_BYTES + data.length, dimension: DIMENSION },
    ...{ precision, scoreFunction: 'cosine', hasIds: true, hasTexts: true },
    model: { name: 'a', probe: Buffer.from(floats(DIMENSION)).toString('base64'), width: DIMENSION },
  }
  return { head, 'second.head': head, segment: recordOf(parts, data), data }
}
const bases: Readonly<Record<string, Files>> = { int8: filesOf('int8'), binary: filesOf('binary') }
const end = 2 * HEAD_BYTES + SEGMENT_BYTES + 448
const tokens = [0, 1, ROWS, DIMENSION, end, 'float32', 'binary', 'euclidean', true, false, 'AAAA', ...PARTS]

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

/** The file of an index, and a search in it. */
export const embeddingIndex: Target = {
  warm: { base: 'int8', edits: [] },

  make(random) {
    const base = random.pick(Object.keys(bases))
    const files = bases[base]!
    const plan: Case['plan'] = random.oneIn(6) ? { cut: hostile(random, [0, 7, 4096, 8192, 8200, end]) } : {}
    // Bytes that someone changed together with their checksums come as far as the search.
    if (random.oneIn(2)) return { base, edits: fileEdits(random, files, ['data'], tokens), plan: { whole: true } }
    return { base, edits: fileEdits(random, files, Object.keys(files), tokens), plan }
  },

  async run({ base, edits, plan }, folder) {
    const files = bases[base]!
    const changed = changedFiles(files, edits)
    const part = (name: string) => {
      const found = changed.get(name)
      return found === undefined ? bytesOf(files[name]!) : (found ?? Buffer.of())
    }
    const { cut, whole } = (plan ?? {}) as { cut?: unknown; whole?: unknown }
    const data = part('data')
    const precision = base === 'binary' ? 'binary' : 'int8'
    const segment = whole === true ? bytesOf(recordOf(partsOf(precision), data)) : part('segment')
    const file = Buffer.concat([
      ...['head', 'second.head'].map((name) => block('STINDEX\n', part(name), HEAD_BYTES)),
      ...[block('SEGMENT\n', segment, SEGMENT_BYTES), data],
    ])
    const length = Number.isInteger(cut) && (cut as number) >= 0 ? Math.min(cut as number, file.length) : file.length
    const path = join(folder, 'docs.index')
    writeFileSync(path, file.subarray(0, length))
    const index = await IndexFile.open(path)
    try {
      const rows = index.segments.reduce((sum, segment) => sum + segment.rows, 0)
      expect(rows === index.head.rows, 'segments have the rows that the head says')
      expect(index.head.end <= length, 'an index ends in its file')
    } finally {
      await index.close()
    }
    await searched(path, length)
  },
}

async function searched(path: string, length: number): Promise<void> {
  await using index = await EmbeddingIndex.open(path)
  const rows = Math.min(2, Math.floor(64 / index.dimension))
  const queries = embeddings(
    Float32Array.from({ length: rows * index.dimension }, (_, i) => Math.cos(i)),
    rows,
    index.dimension,
  )
  for (const topK of [1, 2 * ROWS]) {
    for (const hits of await index.search(queries, { topK })) {
      expect(hits.length === Math.min(topK, index.length), 'as many hits as there are rows')
      expect(new Set(hits.map(({ corpusId }) => corpusId)).size === hits.length, 'no row is found twice')
      for (const { corpusId, id, text } of hits) {
        expect(corpusId >= 0 && corpusId < index.length, 'hits are rows of the index')
        expect((id?.length ?? 0) <= length && (text?.length ?? 0) <= length, 'a text is no longer than the file')
      }
    }
  }
  await index.verify()
}
