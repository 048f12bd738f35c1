import { describe } from '../errors.js'
import { damaged } from './damaged.js'
import { byteLengthOf, isDType, type SafetensorsDType } from './dtypes.js'

export interface TensorEntry {
  dtype: SafetensorsDType
  shape: readonly number[]
  byteLength: number
}

export interface PlacedEntry extends TensorEntry {
  /** Bytes from the end of the header. */
  offset: number
}

export interface Header {
  /** In the order of their bytes in the file. */
  tensors: Map<string, PlacedEntry>
  metadata: Record<string, string>
}

/** The reference implementation's limit. Real headers are below 1 MB. */
export const maxHeaderBytes = 100_000_000

/**
 * Checks a header with the strictness of the reference implementation: every tensor has a known dtype, a size equal to
 * shape × dtype, and the tensors fill the data exactly, without gaps or overlaps; names are unique.
 * @param dataBytes bytes of the file after the header.
 * @throws SentenceTorchError ERR_INVALID_FILE naming file and tensor.
 */
export function parseHeader(bytes: Uint8Array, dataBytes: number, file: string): Header {
  const { __metadata__: metadata, ...entries } = parseObject(bytes, file)
  const placed = Object.entries(entries).map(([name, entry]) => [name, parseEntry(entry, name, file)] as const)
  placed.sort(([, a], [, b]) => a.offset - b.offset || a.byteLength - b.byteLength)
  let end = 0
  let before = 'the header'
  for (const [name, entry] of placed) {
    if (entry.offset !== end) {
      const problem = entry.offset < end ? 'overlaps with' : 'leaves a gap after'
      throw damaged(
        file,
        `tensor "${name}" starts at byte ${entry.offset} of the data and ${problem} ${before}, which ends at ${end}`,
      )
    }
    end = entry.offset + entry.byteLength
    before = `tensor "${name}"`
  }
  if (end !== dataBytes) {
    throw damaged(file, `${before} ends at byte ${end} of the data, but the file has ${dataBytes} bytes of it`)
  }
  return { tensors: new Map(placed), metadata: parseMetadata(metadata, file) }
}

function parseObject(bytes: Uint8Array, file: string): Record<string, unknown> {
  let text: string
  let header: unknown
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    header = JSON.parse(text)
  } catch (cause) {
    throw damaged(file, `its header is not JSON (${(cause as Error).message})`, cause)
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw damaged(file, `its header is ${describe(header)} instead of an object`)
  }
  const seen = new Set<string>()
  for (const name of topLevelKeys(text)) {
    if (seen.has(name)) throw damaged(file, `tensor "${name}" comes twice`)
    seen.add(name)
  }
  return header as Record<string, unknown>
}

function parseEntry(entry: unknown, name: string, file: string): PlacedEntry {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>
  if (!isDType(dtype)) throw damaged(file, `tensor "${name}" has the unknown dtype ${describe(dtype)}`)
  const byteLength = byteLengthOf(dtype, shape)
  if (byteLength === undefined) {
    throw damaged(file, `tensor "${name}" (${dtype}) has an impossible shape ${brief(shape)}`)
  }
  const [begin, end] = Array.isArray(offsets) && offsets.length === 2 ? (offsets as unknown[]) : []
  if (!isOffset(begin) || !isOffset(end) || end < begin) {
    throw damaged(file, `tensor "${name}" has impossible data_offsets ${brief(offsets)}`)
  }
  if (end - begin !== byteLength) {
    const expected = `${dtype} ${brief(shape)} needs ${byteLength}`
    throw damaged(file, `tensor "${name}" has ${end - begin} bytes, but ${expected}`)
  }
  return { dtype, shape: shape as number[], byteLength, offset: begin }
}

function parseMetadata(metadata: unknown, file: string): Record<string, string> {
  if (metadata === undefined) return {}
  const isObject = typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata)
  if (!isObject || !Object.values(metadata).every((value) => typeof value === 'string')) {
    throw damaged(file, '__metadata__ is not an object of texts')
  }
  return metadata as Record<string, string>
}

/** Keys of the outermost object of valid JSON, also repeated ones, of which JSON.parse silently keeps the last. */
function* topLevelKeys(json: string): Generator<string> {
  let depth = 0
  for (let at = 0; at < json.length; at++) {
    const character = json[at]
    if (character === '{' || character === '[') depth++
    else if (character === '}' || character === ']') depth--
    else if (character === '"') {
      const start = at
      for (at++; json[at] !== '"'; at++) if (json[at] === '\\') at++
      let next = at + 1
      while (' \t\r\n'.includes(json[next]!)) next++
      if (depth === 1 && json[next] === ':') yield JSON.parse(json.slice(start, at + 1)) as string
    }
  }
}

/** A hostile header may hold megabytes in the place of a few numbers. */
function brief(value: unknown): string {
  const isShort = Array.isArray(value) && value.length <= 8 && value.every((entry) => typeof entry === 'number')
  return isShort ? JSON.stringify(value) : describe(value)
}

function isOffset(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
