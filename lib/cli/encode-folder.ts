/** `sentence-torch encode --output-folder`. */
import { encodePieces } from '../corpus/encode-files.js'
import { type EncodeFilesOptions, FILE_FORMATS, type FileFormat } from '../corpus/encode-options.js'
import type { TextEncoder } from '../corpus/model.js'
import type { SentenceTorchError } from '../errors.js'
import { given, textOf, UsageError, type Values } from './command.js'
import { shardOf } from './encode-shard.js'
import type { Io } from './io.js'
import { loadOptions } from './model-options.js'
import { readNpyFile } from './npy.js'
import { BadRows, Counter } from './progress.js'
import { loadTextModel } from './text-model.js'

export async function encodeToFolder(values: Values, io: Io): Promise<number> {
  const { options } = values
  const [name, ...inputs] = values.words as [string, ...string[]]
  const output = textOf(values, 'output-folder')!
  const format = textOf(values, 'format') ?? 'parquet'
  if (!FILE_FORMATS.includes(format as FileFormat))
    throw new UsageError(
      'ERR_INVALID_ARGUMENT',
      `--output-folder takes the formats ${FILE_FORMATS.join(', ')}, not ${format}`,
      'encode',
    )
  const { first, step } = shardOf(textOf(values, 'shard'))
  const calibration = textOf(values, 'calibration')
  const calibrationEmbeddings = calibration === undefined ? undefined : await readNpyFile(calibration)
  const bad = new BadRows(values)
  await using model = await loadTextModel(name, loadOptions(values, io))
  const counter = new Counter(io.err, 'texts')
  const names = {
    ...{ column: 'column', 'with-text': 'withTexts', prompt: 'prompt', 'prompt-name': 'promptName' },
    ...{ normalize: 'normalizeEmbeddings', 'truncate-dim': 'truncateDim', precision: 'precision' },
    ...{ 'batch-size': 'batchSize', 'rows-per-file': 'rowsPerFile' },
  }
  const task = options.query ? 'query' : options.document ? 'document' : undefined
  const plan: EncodeFilesOptions = {
    ...{ inputs, output, format: format as FileFormat, shard: { index: first, count: step }, modelName: name },
    ...given(values, names),
    ...(task && { task }),
    ...(calibrationEmbeddings && { calibrationEmbeddings }),
    ...(bad.onBadRow && { onBadRow: bad.onBadRow }),
    onProgress: (rows) => counter.add(rows - counter.count),
    signal: io.signal,
  }
  const result = await encodePieces(model as unknown as TextEncoder, plan, io.stdin).catch((error: unknown) => {
    // A job that is tried again until it succeeds must not try this: the folder is of another model, other options or other texts.
    if ((error as Partial<SentenceTorchError>)?.code !== 'ERR_INVALID_ARGUMENT') throw error
    throw new UsageError('ERR_INVALID_ARGUMENT', (error as Error).message, 'encode')
  })
  bad.tell(io.err)
  const { written, found, dimension, total, complete } = result
  const report = { rows: result.rows, total, dimensions: dimension, written, found, complete }
  if (options.json) io.out(`${JSON.stringify({ ...report, output, badRows: bad.count, seconds: counter.seconds })}\n`)
  else {
    const rest = complete ? 'all files are there' : 'files of other shards are missing'
    counter.end(`${dimension} dimensions → ${output}: ${written} files written, ${found} found, ${rest}`)
  }
  return 0
}
