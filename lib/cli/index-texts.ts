/** `sentence-torch index`: texts pass the model group by group, into an index. */
import { rename, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { inGroups, readAllTexts } from '../data/input-texts.js'
import { SentenceTorchError } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import { failedTo } from '../io/system-error.js'
import { temporaryBeside } from '../io/temporary.js'
import { asEmbeddings, type Embeddings } from '../models/embeddings.js'
import { SparseEmbeddings } from '../models/sparse-embeddings.js'
import { TokenEmbeddings } from '../models/token-embeddings.js'
import { EmbeddingIndex, type IndexPrecision } from '../search/embedding-index/embedding-index.js'
import { countOf, dimensionOf, type OwnRows } from '../search/embedding-index/row-kinds.js'
import { given, textOf, UsageError, type Values } from './command.js'
import type { Io } from './io.js'
import { loadOptions } from './model-options.js'
import { BadRows, Counter } from './progress.js'
import { loadTextModel, type TextModel } from './text-model.js'

/** Texts of one addition. */
const GROUP = 8192

interface Group {
  embeddings: OwnRows
  texts: string[]
}

export async function indexTexts(values: Values, io: Io): Promise<number> {
  const output = textOf(values, 'output')
  if (output === undefined) throw misuse('index needs --output with a file')
  const add = values.options.add === true
  const fixed = (['precision', 'score-function'] as const).find((name) => values.options[name] !== undefined)
  if (add && fixed) throw misuse(`--${fixed} is for a new index: --add keeps what the index has`)
  const [name, ...inputs] = values.words as [string, ...string[]]
  const bad = new BadRows(values)
  const model = await loadTextModel(name, loadOptions(values, io))
  try {
    const counter = new Counter(io.err, 'texts')
    const groups = embedded(model, inputs, values, io, bad, counter)
    const rows = add ? await addTo(output, groups, model, name) : await create(output, groups, model, values)
    if (rows === undefined) {
      throw new SentenceTorchError('ERR_INVALID_DATA', `Expected texts in ${inputs.join(', ')}, found none${bad.hint}`)
    }
    bad.tell(io.err)
    const report = { ...rows, added: counter.count, output, badRows: bad.count, seconds: counter.seconds }
    if (values.options.json) io.out(`${JSON.stringify(report)}\n`)
    else counter.end(`${rows.dimensions} dimensions, ${rows.precision} → ${output} (${rows.rows} rows)`)
    return 0
  } finally {
    await model.dispose()
  }
}

async function* embedded(
  model: TextModel,
  inputs: readonly string[],
  values: Values,
  io: Io,
  bad: BadRows,
  counter: Counter,
): AsyncGenerator<Group> {
  const names = {
    prompt: 'prompt',
    'prompt-name': 'promptName',
    'truncate-dim': 'truncateDim',
    'batch-size': 'batchSize',
  }
  const options = { ...given(values, names), signal: io.signal }
  const source = { inputs, column: textOf(values, 'column'), stdin: io.stdin, onBadRow: bad.onBadRow }
  for await (const texts of inGroups(readAllTexts(source), GROUP)) {
    throwIfAborted(io.signal, 'Embedding')
    yield { embeddings: await model.encodeDocument(texts, options), texts }
    counter.add(texts.length)
  }
}

type Rows = { rows: number; dimensions: number; precision: IndexPrecision }

const rowsOf = (index: EmbeddingIndex): Rows => {
  return { rows: index.length, dimensions: index.dimension, precision: index.precision }
}

/** The index grows beside its place and takes it when it is complete. */
async function create(
  output: string,
  groups: AsyncIterable<Group>,
  model: TextModel,
  values: Values,
): Promise<Rows | undefined> {
  const path = temporaryBeside(resolve(output), 'tmp')
  const settings = {
    precision: (textOf(values, 'precision') ?? 'float32') as IndexPrecision,
    scoreFunction: (textOf(values, 'score-function') ?? model.similarityFnName) as typeof model.similarityFnName,
    ...{ model, modelName: values.words[0]! },
  }
  let index: EmbeddingIndex | undefined
  try {
    for await (const group of groups) {
      if (index) await index.add(group)
      else index = await EmbeddingIndex.create(path, { ...group, ...settings })
    }
    if (index === undefined) return undefined
    await index.close()
    await rename(path, output).catch(failedTo(`write ${output}`))
    return rowsOf(index)
  } finally {
    await index?.close()
    await rm(path, { force: true })
  }
}

/** All rows in one addition, so that an index gets all of them or none. */
async function addTo(
  output: string,
  groups: AsyncIterable<Group>,
  model: TextModel,
  name: string,
): Promise<Rows | undefined> {
  const index = await EmbeddingIndex.open(output)
  try {
    await index.checkModel(model, name)
    const all: Group[] = []
    for await (const group of groups) all.push(group)
    if (all.length === 0) return undefined
    const texts = all.flatMap((group) => group.texts)
    await index.add({ embeddings: joined(all.map((group) => group.embeddings)), texts })
    return rowsOf(index)
  } finally {
    await index.close()
  }
}

/** Rows of one kind, one after the other. */
function joined(groups: readonly OwnRows[]): OwnRows {
  const dimension = dimensionOf(groups[0]!)
  const rows = <R>(group: { row(i: number): R } & OwnRows) =>
    Array.from({ length: countOf(group) }, (_, i) => group.row(i))
  if (groups[0] instanceof SparseEmbeddings)
    return SparseEmbeddings.fromRows((groups as SparseEmbeddings[]).flatMap(rows), dimension)
  if (groups[0] instanceof TokenEmbeddings)
    return TokenEmbeddings.fromRows((groups as TokenEmbeddings[]).flatMap(rows), dimension)
  return asEmbeddings((groups as Embeddings[]).flatMap(rows), 'embeddings')
}

function misuse(message: string): UsageError {
  return new UsageError('ERR_INVALID_ARGUMENT', message, 'index')
}
