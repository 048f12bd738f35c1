import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EncodedFiles } from '../../../lib/corpus/encoded-files.js'
import { type EncodedRows, lengthOfRows, type RowLayout } from '../../../lib/corpus/rows.js'
import { type RowFormat, rowWriter } from '../../../lib/corpus/writers/index.js'
import { embeddings } from '../../../lib/models/embeddings.js'
import { SparseEmbeddings } from '../../../lib/models/sparse-embeddings.js'
import { TokenEmbeddings } from '../../../lib/models/token-embeddings.js'
import { bytesOf, changedFiles, type Files } from '../case.js'
import { expect } from '../judge.js'
import { fileEdits } from '../mutate.js'
import type { Target } from './target.js'

const [ROWS, DIMENSION] = [3, 4]
const floats = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i))
const dense = embeddings(floats(ROWS * DIMENSION), ROWS, DIMENSION)
const ends = Int32Array.from([0, 2, 2, 5])

/** Folders of one file each, by what is in it. */
const contents: Readonly<Record<string, [RowFormat, EncodedRows, RowLayout]>> = {
  npy: ['npy', dense, { kind: 'dense', precision: 'float32', width: DIMENSION }],
  safetensors: ['safetensors', dense, { kind: 'dense', precision: 'float32', width: DIMENSION }],
  sparse: [
    'safetensors',
    new SparseEmbeddings({
      indices: Int32Array.of(1, 3, 0, 2, 3),
      values: floats(5),
      offsets: ends,
      dimension: DIMENSION,
    }),
    { kind: 'sparse', precision: 'float32', width: DIMENSION },
  ],
  tokens: [
    'safetensors',
    new TokenEmbeddings(floats(5 * DIMENSION), ends, DIMENSION),
    { kind: 'tokens', precision: 'float32', width: DIMENSION },
  ],
}

async function fileOf([format, rows, layout]: (typeof contents)[string]): Promise<Buffer> {
  let bytes = Buffer.of()
  const sink = {
    write: async (more: Uint8Array | string) => {
      bytes = Buffer.concat([bytes, Buffer.from(more as Uint8Array)])
    },
    patch: async (start: Uint8Array) => void bytes.set(start),
  }
  const writer = rowWriter(format, sink, layout, false, 'memory')
  await writer.add(rows, [])
  await writer.end()
  return bytes
}

const digest = 'a'.repeat(64)
function manifestOf(format: string, kind: string, data: Uint8Array) {
  const sha256 = createHash('sha256').update(data).digest('hex')
  const file = { file: `part-000000.${format}`, first: 0, end: ROWS, bytes: data.length, sha256, textsSha256: digest }
  const identity = { probe: Buffer.from(floats(DIMENSION).buffer).toString('base64'), width: DIMENSION }
  return {
    ...{ format: 1, package: 'sentence-torch 0.1.0' },
    model: { sha256: digest, class: 'SentenceTransformer', similarityFnName: 'dot', identity },
    rows: { kind, precision: 'float32', dimension: DIMENSION, format, withTexts: false, perFile: ROWS },
    options: { prompt: '', normalizeEmbeddings: false },
    ...{ total: ROWS, files: [{ ...file, settingsSha256: digest, package: 'sentence-torch 0.1.0' }] },
  }
}

const bases: Record<string, Files> = {}
for (const [name, content] of Object.entries(contents)) {
  const data = await fileOf(content)
  bases[name] = { 'manifest.json': manifestOf(content[0], content[2].kind, data), data }
}
const tokens = [
  0,
  1,
  ROWS,
  DIMENSION,
  2 ** 31,
  'npy',
  'parquet',
  'sparse',
  'tokens',
  'binary',
  '../data',
  'part-000001.npy',
]

/** A folder that encodeFiles is said to have written. */
export const encodedFiles: Target = {
  warm: { base: 'npy', edits: [] },

  make(random) {
    const base = random.pick(Object.keys(bases))
    const files = bases[base]!
    // Bytes that someone changed together with the manifest come as far as their reader.
    if (random.oneIn(2)) return { base, edits: fileEdits(random, files, ['data'], tokens), plan: { fits: true } }
    return { base, edits: fileEdits(random, files, Object.keys(files), tokens) }
  },

  async run({ base, edits, plan }, folder) {
    const files = bases[base]!
    const changed = changedFiles(files, edits)
    const part = (name: string) => {
      const found = changed.get(name)
      return found === undefined ? bytesOf(files[name]!) : (found ?? Buffer.of())
    }
    const [format, , { kind }] = contents[base]!
    const data = part('data')
    const fits = (plan as { fits?: boolean })?.fits === true
    const manifest = fits ? bytesOf(manifestOf(format, kind, data)) : part('manifest.json')
    writeFileSync(join(folder, 'manifest.json'), manifest)
    writeFileSync(join(folder, `part-000000.${format}`), data)
    const found = await EncodedFiles.open(folder)
    let rows = 0
    for await (const block of found.blocks()) {
      expect(block.first === rows, 'blocks follow each other')
      rows += lengthOfRows(block.rows)
      expect(rows <= data.length, 'rows are no more than bytes')
    }
    expect(rows === found.length, 'a folder has the rows that its manifest says')
    await found.verify()
  },
}
