/** Unpacks the pages of Parquet files to the number of bytes in their headers, never to more. */
import { brotliDecompressSync, gunzipSync, inflateRawSync } from 'node:zlib'
import { compressors, decompressLz4, decompressLz4Raw, decompressZstd } from 'hyparquet-compressors'

type Unpack = (input: Uint8Array, outputLength: number) => Uint8Array

const codecs: Readonly<Record<string, Unpack>> = {
  UNCOMPRESSED: (input) => input,
  SNAPPY: compressors.SNAPPY!,
  GZIP: (input, outputLength) => {
    const options = { maxOutputLength: Math.max(1, outputLength) }
    return input[0] === 0x1f && input[1] === 0x8b ? gunzipSync(input, options) : inflateRawSync(input, options)
  },
  BROTLI: (input, outputLength) => brotliDecompressSync(input, { maxOutputLength: Math.max(1, outputLength) }),
  ZSTD: unpackZstd,
  LZ4: (input, outputLength) => (hasFrames(input) ? decompressLz4 : decompressLz4Raw)(input, outputLength),
  LZ4_RAW: decompressLz4Raw,
}

/** @throws Error for bytes that the codec does not know, or for more than `outputLength` bytes */
export function unpack(codec: string, input: Uint8Array, outputLength: number): Uint8Array {
  if (!Object.hasOwn(codecs, codec)) throw new Error(`its codec ${codec} is unknown`)
  // Empty data may be packed as one byte, which decoders take for damage.
  return outputLength === 0 ? new Uint8Array() : codecs[codec]!(input, outputLength)
}

/** The decoder would allocate what a frame claims. */
function unpackZstd(input: Uint8Array, outputLength: number): Uint8Array {
  const claimed = zstdSize(input)
  if (claimed === undefined) return decompressZstd(input, new Uint8Array(outputLength))
  if (claimed !== outputLength) throw new Error(`a page unpacks to ${claimed} bytes instead of ${outputLength}`)
  return decompressZstd(input)
}

/** The unpacked size that the frame states; undefined without one. */
function zstdSize(input: Uint8Array): number | undefined {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength)
  if (input.length < 6 || view.getUint32(0, true) !== 0xfd2fb528) throw new Error('a page is no Zstandard frame')
  const descriptor = input[4]!
  const isSingle = (descriptor & 0x20) !== 0
  const at = 5 + (isSingle ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]!
  const kind = descriptor >> 6
  if (kind === 0) return isSingle ? view.getUint8(at) : undefined
  if (kind === 1) return view.getUint16(at, true) + 256
  return kind === 2 ? view.getUint32(at, true) : Number(view.getBigUint64(at, true))
}

/** Whether LZ4 data has Hadoop's frames, whose lengths the decoder trusts. */
function hasFrames(input: Uint8Array): boolean {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength)
  let at = 0
  while (at + 8 < input.length) {
    const length = view.getInt32(at + 4)
    if (length <= 0 || view.getInt32(at) < 0) return false
    at += 8 + length
  }
  return at === input.length
}
