import { maskedCrc32c } from './crc32c.js'
import { bytesField, doubleField, floatField, message, uintField } from './protobuf.js'

/**
 * TensorBoard's event files: TFRecords with one `Event` message each. The field numbers are from tensorboard's event.proto,
 * summary.proto and tensor.proto.
 */

/** A record of a TFRecord file, little-endian: length (8 bytes), CRC of the length, data, CRC of the data. */
export function tfRecord(data: Uint8Array): Uint8Array {
  const record = Buffer.alloc(12 + data.length + 4)
  record.writeBigUInt64LE(BigInt(data.length), 0)
  record.writeUInt32LE(maskedCrc32c(record.subarray(0, 8)), 8)
  record.set(data, 12)
  record.writeUInt32LE(maskedCrc32c(data), 12 + data.length)
  return record
}

/** The first record of every file. @param wallTime seconds since 1970 */
export function versionEvent(wallTime: number): Uint8Array {
  return message(
    doubleField(1, wallTime),
    bytesField(3, 'brain.Event:2'),
    bytesField(10, message(bytesField(1, 'sentence-torch'))),
  )
}

/** A number at a step. */
export function scalarEvent(wallTime: number, step: number, tag: string, value: number): Uint8Array {
  return summaryEvent(wallTime, step, message(bytesField(1, tag), floatField(2, value)))
}

/** A text at a step. TensorBoard's text page shows it as Markdown. */
export function textEvent(wallTime: number, step: number, tag: string, text: string): Uint8Array {
  const DT_STRING = 7
  const shape = message(bytesField(2, message(uintField(1, 1))))
  const tensor = message(uintField(1, DT_STRING), bytesField(2, shape), bytesField(8, text))
  const metadata = message(bytesField(1, message(bytesField(1, 'text'))))
  return summaryEvent(
    wallTime,
    step,
    message(bytesField(1, `${tag}/text_summary`), bytesField(8, tensor), bytesField(9, metadata)),
  )
}

function summaryEvent(wallTime: number, step: number, value: Uint8Array): Uint8Array {
  return message(
    doubleField(1, wallTime),
    // A field with its default value is left out.
    ...(step > 0 ? [uintField(2, step)] : []),
    bytesField(5, message(bytesField(1, value))),
  )
}
