/** `sentence-torch export`. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CrossEncoder } from '../models/cross-encoder.js'
import { ONNX_DTYPES, type OnnxDType } from '../models/onnx/write-graph.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import { textOf, UsageError, type Values } from './command.js'
import type { Io } from './io.js'
import { isCrossEncoder } from './model-kind.js'
import { loadOptions } from './model-options.js'

export async function exportFolder(values: Values, io: Io): Promise<number> {
  const [name] = values.words as [string]
  const output = textOf(values, 'output')
  if (output === undefined) throw misuse('export needs --output with a folder')
  const dtype = dtypesOf(textOf(values, 'dtype') ?? 'fp32')
  const { dtype: _, ...source } = loadOptions(values, io)
  await using model = await load(name, source)
  await model.exportOnnx(output, { dtype })
  const folder = join(output, 'onnx')
  const names = await readdir(folder)
  const files = await Promise.all(
    names.sort().map(async (file) => ({ file: join(folder, file), bytes: (await stat(join(folder, file))).size })),
  )
  if (values.options.json) io.out(`${JSON.stringify({ output, files })}\n`)
  else for (const { file, bytes } of files) io.err(`${file}, ${(bytes / 1e6).toFixed(1)} MB\n`)
  return 0
}

async function load(name: string, source: ReturnType<typeof loadOptions>): Promise<SentenceTransformer | CrossEncoder> {
  if (!(await isCrossEncoder(name, source))) return SentenceTransformer.load(name, source)
  const { maxSeqLength, ...rest } = source
  return CrossEncoder.load(name, { ...rest, ...(maxSeqLength !== undefined && { maxLength: maxSeqLength }) })
}

function dtypesOf(text: string): OnnxDType[] {
  return text.split(',').map((part) => {
    const found = ONNX_DTYPES.find((dtype) => dtype === part.trim())
    if (found === undefined) throw misuse(`--dtype takes fp32, q8 or both with a comma, not ${JSON.stringify(text)}`)
    return found
  })
}

function misuse(message: string): UsageError {
  return new UsageError('ERR_INVALID_ARGUMENT', message, 'export')
}
