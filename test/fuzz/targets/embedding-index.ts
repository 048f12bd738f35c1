import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { embeddings } from '../../../lib/models/embeddings.js'
import { SparseEmbeddings } from '../../../lib/models/sparse-embeddings.js'
import { TokenEmbeddings } from '../../../lib/models/token-embeddings.js'
import { EmbeddingIndex } from '../../../lib/search/embedding-index/embedding-index.js'
import {
  codeBytes,
  HEAD_BYTES,
  type IndexPrecision,
  PARTS,
  type PartName,
  type RowKind,
  SEGMENT_BYTES,
  vectorBytes,
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
const integers = (...values: number[]) => new Uint8Array(Int32Array.of(...values).buffer)

/** What is in a file. */
interface Base {
  kind: RowKind
  precision: IndexPrecision
  parts: Partial<Record<PartName, Uint8Array>>
}

function dense(precision: 'int8' | 'binary'): Base {
  const codes = bytes(ROWS * codeBytes({ precision, dimension: DIMENSION }))
  const factors = precision === 'int8' ? floats(ROWS) : bytes(0)
  return { kind: 'dense', precision, parts: { vectors: floats(ROWS * DIMENSION), codes, factors } }
}

/** Rows of 2, 0 and 3 vectors. */
function vectorsOf(precision: IndexPrecision): Base {
  const size = 5 * vectorBytes({ precision, dimension: DIMENSION })
  const vectors = precision === 'float32' ? floats(5 * DIMENSION) : bytes(size)
  const ranges = new Uint8Array(Float32Array.of(-1, -1, -1, 0, 1, 1, 1, 0).buffer)
  const parts = { vectors, factors: integers(2, 2, 5), ...(precision === 'int8' && { codes: ranges }) }
  return { kind: 'tokens', precision, parts }
}

const contents: Readonly<Record<string, Base>> = {
  int8: dense('int8'),
  binary: dense('binary'),
  // Rows with 2, 0 and 1 values.
  sparse: {
    ...{ kind: 'sparse', precision: 'float32' },
    parts: { vectors: floats(3), codes: integers(0, 3, 1), factors: integers(2, 2, 3) },
  },
  tokens: vectorsOf('float32'),
  'tokens.float16': vectorsOf('float16'),
  'tokens.int8': vectorsOf('int8'),
  'tokens.binary': vectorsOf('binary'),
}
/** All parts of a file, in their order. */
const partsOf = (base: string): Record<PartName, Uint8Array> => ({
  ...{ vectors: bytes(0), codes: bytes(0), factors: bytes(0) },
  ...contents[base]!.parts,
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
function filesOf(base: string): Files {
  const { kind, precision } = contents[base]!
  const parts = partsOf(base)
  const data = Buffer.concat(
    PARTS.map((name) => Buffer.concat([parts[name], Buffer.alloc(padding(parts[name].length))])),
  )
  const head = {
    ...{
      format: kind === 'dense' ? 1 : 2,
      sequence: 1,
      rows: ROWS,
      end: 2 * HEAD_BYTES + SEGMENT_BYTES + data.length,
      dimension: DIMENSION,
    },
    ...{ precision, scoreFunction: kind === 'tokens' ? 'maxsim' : kind === 'sparse' ? 'dot' : 'cosine' },
    ...{ hasIds: true, hasTexts: true, ...(kind !== 'dense' && { kind }) },
    model: { name: 'a', probe: Buffer.from(floats(DIMENSION)).toString('base64'), width: DIMENSION },
  }
  return { head, 'second.head': head, segment: recordOf(parts, data), data }
}
const bases: Readonly<Record<string, Files>> = Object.fromEntries(
  Object.keys(contents).map((base) => [base, filesOf(base)]),
)
const end = 2 * HEAD_BYTES + SEGMENT_BYTES + 448
const tokens = [
  ...[0, 1, 2, ROWS, DIMENSION, end, 2 ** 31 - 1, 'float32', 'float16', 'int8', 'binary', 'euclidean', 'maxsim'],
  ...['dense', 'sparse', 'tokens', true, false, 'AAAA', ...PARTS],
]

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
    const segment = whole === true ? bytesOf(recordOf(partsOf(base), data)) : part('segment')
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
  const matrix = embeddings(
    Float32Array.from({ length: rows * index.dimension }, (_, i) => Math.cos(i)),
    rows,
    index.dimension,
  )
  const queries = {
    dense: () => matrix,
    sparse: () => SparseEmbeddings.fromDense(matrix),
    tokens: () => TokenEmbeddings.fromRows([matrix], index.dimension),
  }[index.kind]()
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
