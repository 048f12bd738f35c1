/** `sentence-torch encode`: texts pass the model group by group, from the reader to the writer. */

import { KIND_OF_CLASS } from '../corpus/model.js'
import { type EncodedRows, type RowLayout, widthOf } from '../corpus/rows.js'
import {
  DENSE_FORMATS,
  FORMATS_OF_FILES,
  FORMATS_WITH_TEXTS,
  fileSink,
  ROW_FORMATS,
  type RowFormat,
  rowWriter,
  type Sink,
} from '../corpus/writers/index.js'
import { inGroups, readAllTexts } from '../data/input-texts.js'
import { SentenceTorchError } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import { writeFileAtomic } from '../io/atomic.js'
import type { Embeddings } from '../models/embeddings.js'
import { type Precision, type QuantizeOptions, quantizeEmbeddings } from '../search/quantize.js'
import { given, textOf, UsageError, type Values } from './command.js'
import { encodeToFolder } from './encode-folder.js'
import { shardOf } from './encode-shard.js'
import type { Io } from './io.js'
import { loadOptions } from './model-options.js'
import { readNpyFile } from './npy.js'
import { BadRows, Counter } from './progress.js'
import { loadTextModel, type TextModel, textModelClass } from './text-model.js'

/** Texts in memory: enough for the engine to sort them by length. */
const GROUP = 4096

export async function encodeTexts(values: Values, io: Io): Promise<number> {
  checkTogether(values)
  if (textOf(values, 'output-folder') !== undefined) return encodeToFolder(values, io)
  const plan = planOf(values)
  const { output, format, withTexts, precision } = plan
  const [name, ...inputs] = values.words as [string, ...string[]]
  const bad = new BadRows(values)
  const calibration = await calibrationOf(values)
  const model = await loadTextModel(name, loadOptions(values, io))
  try {
    const layout = layoutOf(model, plan)
    const counter = new Counter(io.err, 'texts')
    const encode = async (texts: readonly string[]): Promise<EncodedRows> => {
      const rows = await plan.encode(model, texts, { ...plan.options, signal: io.signal })
      return precision === 'float32' ? rows : quantizeEmbeddings(rows as Embeddings, precision, calibration)
    }
    const run = async (sink: Sink) => {
      const writer = rowWriter(format, sink, layout, withTexts, output ?? 'stdout')
      try {
        const source = { inputs, column: textOf(values, 'column'), stdin: io.stdin, onBadRow: bad.onBadRow }
        const all = counted(readAllTexts(source))
        for await (const texts of inGroups(slice(all.pieces, plan), GROUP)) {
          throwIfAborted(io.signal, 'Encoding')
          await writer.add(await encode(texts), texts)
          counter.add(texts.length)
        }
        // A slice of few texts may be empty; its file is one of no rows.
        if (all.count() === 0) throw noTexts(inputs, bad)
        await writer.end()
      } finally {
        await writer.close()
      }
    }
    if (output === undefined) await run({ write: async (bytes) => writeOut(bytes) })
    else await writeFileAtomic(output, (file) => run(fileSink(file)))
    bad.tell(io.err)
    const dimensions = dimensionOf(model, plan)
    const report = { rows: counter.count, dimensions, output, badRows: bad.count, seconds: counter.seconds }
    if (values.options.json) io.out(`${JSON.stringify(report)}\n`)
    else counter.end(`${dimensions} dimensions → ${output ?? 'stdout'}`)
    return 0
  } finally {
    await model.dispose()
  }
}

interface Plan {
  output: string | undefined
  format: RowFormat
  withTexts: boolean
  precision: Precision
  shard: { first: number; step: number }
  options: { truncateDim?: number }
  encode: (model: TextModel, texts: readonly string[], options: object) => ReturnType<TextModel['encode']>
}

const misuse = (message: string) => new UsageError('ERR_INVALID_ARGUMENT', message, 'encode')

/** What holds for a file and for a folder. @throws UsageError */
function checkTogether(values: Values): void {
  const { options } = values
  const folder = textOf(values, 'output-folder')
  if (options.query && options.document) throw misuse('--query and --document exclude each other')
  const precision = textOf(values, 'precision') ?? 'float32'
  const hasRanges = precision === 'int8' || precision === 'uint8'
  if (hasRanges && options.calibration === undefined)
    throw misuse(`--precision ${precision} needs --calibration with a file of float32 embeddings`)
  if (!hasRanges && options.calibration !== undefined)
    throw misuse(`--calibration is for --precision int8 and uint8: ${precision} has no ranges`)
  if (folder !== undefined && options.output !== undefined)
    throw misuse('--output and --output-folder exclude each other')
  if (folder === undefined && options['rows-per-file'] !== undefined)
    throw misuse('--rows-per-file is for --output-folder')
}

/** @throws UsageError */
function planOf(values: Values): Plan {
  const { options } = values
  const named = textOf(values, 'output')
  const output = named === '-' ? undefined : named
  const ending = output === undefined ? 'jsonl' : /\.(\w+)$/.exec(output)?.[1]?.toLowerCase()
  const format = ROW_FORMATS.find((one) => one === (textOf(values, 'format') ?? ending))
  if (format === undefined)
    throw misuse(`--output needs a file ending in .${ROW_FORMATS.join(', .')}, or --format, not ${output}`)
  if (output === undefined && FORMATS_OF_FILES.includes(format))
    throw misuse(`--format ${format} needs --output with a file; stdout takes jsonl and f32`)
  if (options.json && output === undefined) throw misuse('--json needs --output with a file: stdout has the embeddings')
  const precision = (textOf(values, 'precision') ?? 'float32') as Precision
  if (format === 'f32' && precision !== 'float32') throw misuse(`--format f32 holds float32 alone, not ${precision}`)
  const withTexts = options['with-text'] === true
  if (withTexts && !FORMATS_WITH_TEXTS.includes(format))
    throw misuse(`--with-text needs the format jsonl or parquet, not ${format}`)
  const encode: Plan['encode'] = options.query
    ? (model, texts, own) => model.encodeQuery(texts, own)
    : options.document
      ? (model, texts, own) => model.encodeDocument(texts, own)
      : (model, texts, own) => model.encode(texts, own)
  const names = { prompt: 'prompt', 'prompt-name': 'promptName', normalize: 'normalizeEmbeddings' }
  return {
    ...{ output, format, withTexts, precision, encode },
    shard: shardOf(textOf(values, 'shard')),
    options: given(values, { ...names, 'truncate-dim': 'truncateDim', 'batch-size': 'batchSize' }),
  }
}

/** @throws UsageError for what the rows of a class cannot be */
function layoutOf(model: TextModel, plan: Plan): RowLayout {
  const own = textModelClass(model)
  const { format, precision } = plan
  if (own !== 'SentenceTransformer' && DENSE_FORMATS.includes(format))
    throw misuse(`${format} holds rows of one length; those of a ${own} are written as jsonl, parquet or safetensors`)
  if (own !== 'SentenceTransformer' && precision !== 'float32')
    throw misuse(`--precision is for embeddings, and the model is a ${own}`)
  return { kind: KIND_OF_CLASS[own], precision, width: widthOf(dimensionOf(model, plan), precision) }
}

function dimensionOf(model: TextModel, { options }: Plan): number {
  return Math.min(options.truncateDim ?? Number.POSITIVE_INFINITY, model.embeddingDimension)
}

async function calibrationOf(values: Values): Promise<QuantizeOptions> {
  const path = textOf(values, 'calibration')
  return path === undefined ? { copy: false } : { calibrationEmbeddings: await readNpyFile(path), copy: false }
}

/** The same texts, which are counted while they pass. */
function counted(texts: AsyncIterable<readonly string[]>) {
  let count = 0
  async function* pieces() {
    for await (const piece of texts) {
      count += piece.length
      yield piece
    }
  }
  return { pieces: pieces(), count: () => count }
}

/** The texts of a shard. */
async function* slice(pieces: AsyncIterable<readonly string[]>, { shard: { first, step } }: Plan) {
  let start = 0
  for await (const texts of pieces) {
    yield step === 1 ? texts : texts.filter((_, i) => (start + i) % step === first)
    start += texts.length
  }
}

function noTexts(inputs: readonly string[], bad: BadRows): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_DATA', `Expected texts in ${inputs.join(', ')}, found none${bad.hint}`)
}

/** Waits while stdout is full. */
function writeOut(bytes: Uint8Array | string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()))
  })
}
