/** `sentence-torch quantize`. */

import { npyHeader } from '../corpus/writers/index.js'
import { writeFileAtomic } from '../io/atomic.js'
import { type Precision, quantizeEmbeddings } from '../search/quantize.js'
import { textOf, UsageError, type Values } from './command.js'
import type { Io } from './io.js'
import { readNpyFile } from './npy.js'

export async function quantizeFile(values: Values, io: Io): Promise<number> {
  const [input] = values.words as [string]
  const misuse = (message: string) => new UsageError('ERR_INVALID_ARGUMENT', message, 'quantize')
  const output = textOf(values, 'output')
  const precision = textOf(values, 'precision') as Exclude<Precision, 'float32'> | undefined
  if (precision === undefined) throw misuse('quantize needs --precision: int8, uint8, binary or ubinary')
  if (output === undefined || !/\.npy$/i.test(output))
    throw misuse('quantize needs --output with a file ending in .npy')
  const calibration = textOf(values, 'calibration')
  if (calibration !== undefined && precision.endsWith('binary'))
    throw misuse(`--calibration is for int8 and uint8: ${precision} has no ranges`)
  const rows = await readNpyFile(input)
  const ranges = calibration === undefined ? {} : { calibrationEmbeddings: await readNpyFile(calibration) }
  const { data, shape } = await quantizeEmbeddings(rows, precision, { ...ranges, copy: false })
  await writeFileAtomic(output, async (file) => {
    await file.writeFile(npyHeader(shape[0], shape[1], precision))
    await file.writeFile(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  })
  const [before, after] = [rows.data.byteLength, data.byteLength]
  if (values.options.json) io.out(`${JSON.stringify({ output, rows: shape[0], bytesBefore: before, bytes: after })}\n`)
  else
    io.err(
      `${shape[0].toLocaleString('en')} rows, ${before.toLocaleString('en')} → ${after.toLocaleString('en')} bytes → ${output}\n`,
    )
  return 0
}
