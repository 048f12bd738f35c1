/** `sentence-torch encode`: texts pass the model group by group, from the reader to the writer. */
import { SentenceTorchError } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import { writeFileAtomic } from '../io/atomic.js'
import type { Embeddings } from '../models/embeddings.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import type { EncodeOptions } from '../models/types.js'
import { given, textOf, UsageError, type Values } from './command.js'
import type { Io } from './io.js'
import { loadOptions } from './model-options.js'
import { BadRows, Counter } from './progress.js'
import { inGroups, readAllTexts } from './texts.js'
import { fileSink, type Sink, VECTOR_FORMATS, type VectorFormat, vectorWriter } from './vectors.js'

/** Texts in memory: enough for the engine to sort them by length. */
const GROUP = 4096

export async function encodeTexts(values: Values, io: Io): Promise<number> {
  const plan = planOf(values)
  const { output, format, withTexts } = plan
  const [name, ...inputs] = values.words as [string, ...string[]]
  const bad = new BadRows(values)
  const model = await SentenceTransformer.load(name, loadOptions(values, io))
  try {
    const counter = new Counter(io.err, 'texts')
    const run = async (sink: Sink) => {
      const writer = vectorWriter(format, sink, withTexts, output ?? 'stdout')
      try {
        const source = { inputs, column: textOf(values, 'column'), stdin: io.stdin, onBadRow: bad.onBadRow }
        const all = counted(readAllTexts(source))
        for await (const texts of inGroups(slice(all.pieces, plan), GROUP)) {
          throwIfAborted(io.signal, 'Encoding')
          await writer.add(await plan.encode(model, texts, { ...plan.options, signal: io.signal }), texts)
          counter.add(texts.length)
        }
        // A slice of few texts may be empty; its file is one of no rows.
        if (all.count() === 0) throw noTexts(inputs, bad)
        await writer.end(model.embeddingDimension)
      } finally {
        await writer.close()
      }
    }
    if (output === undefined) await run({ write: async (bytes) => writeOut(bytes) })
    else await writeFileAtomic(output, (file) => run(fileSink(file)))
    bad.tell(io.err)
    const dimensions = Math.min(plan.options.truncateDim ?? Number.POSITIVE_INFINITY, model.embeddingDimension)
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
  format: VectorFormat
  withTexts: boolean
  shard: { first: number; step: number }
  options: RowOptions
  encode: (model: SentenceTransformer, texts: readonly string[], options: RowOptions) => Promise<Embeddings>
}

type RowOptions = EncodeOptions & { outputValue?: 'sentence_embedding' }

/** @throws UsageError */
function planOf(values: Values): Plan {
  const { options } = values
  const misuse = (message: string) => new UsageError('ERR_INVALID_ARGUMENT', message, 'encode')
  const named = textOf(values, 'output')
  const output = named === '-' ? undefined : named
  const ending = output === undefined ? 'jsonl' : /\.(\w+)$/.exec(output)?.[1]?.toLowerCase()
  const format = VECTOR_FORMATS.find((one) => one === (textOf(values, 'format') ?? ending))
  if (format === undefined)
    throw misuse(`--output needs a file ending in .${VECTOR_FORMATS.join(', .')}, or --format, not ${output}`)
  if (output === undefined && (format === 'npy' || format === 'parquet'))
    throw misuse(`--format ${format} needs --output with a file; stdout takes jsonl and f32`)
  if (options.json && output === undefined) throw misuse('--json needs --output with a file: stdout has the embeddings')
  const withTexts = options['with-text'] === true
  if (withTexts && (format === 'npy' || format === 'f32'))
    throw misuse(`--with-text needs the format jsonl or parquet, not ${format}`)
  if (options.query && options.document) throw misuse('--query and --document exclude each other')
  const encode: Plan['encode'] = options.query
    ? (model, texts, own) => model.encodeQuery(texts, own)
    : options.document
      ? (model, texts, own) => model.encodeDocument(texts, own)
      : (model, texts, own) => model.encode(texts, own)
  const names = { prompt: 'prompt', 'prompt-name': 'promptName', normalize: 'normalizeEmbeddings' }
  return {
    ...{ output, format, withTexts, encode },
    shard: shardOf(textOf(values, 'shard'), misuse),
    options: given(values, { ...names, 'truncate-dim': 'truncateDim', 'batch-size': 'batchSize' }),
  }
}

function shardOf(text: string | undefined, misuse: (message: string) => UsageError): Plan['shard'] {
  if (text === undefined) return { first: 0, step: 1 }
  const [, first, step] = /^(\d+)\/(\d+)$/.exec(text) ?? []
  if (first === undefined || Number(first) < 1 || Number(first) > Number(step))
    throw misuse(`--shard takes i/n with 1 ≤ i ≤ n, such as 1/4, not ${JSON.stringify(text)}`)
  return { first: Number(first) - 1, step: Number(step) }
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
