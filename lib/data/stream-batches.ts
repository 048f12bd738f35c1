import { describe, invalidArgument, SentenceTorchError } from '../errors.js'
import { ColumnChecker, labelColumnOf, type Value } from './columns.js'
import { Dataset } from './dataset.js'
import { Random } from './random.js'
import { listed } from './readers/names.js'
import type { BatchSamplerChoice, BatchSamplerName, OwnSamplerOptions } from './samplers/index.js'
import { batchCount } from './samplers/sampler.js'
import { Shortfall } from './samplers/shortfall.js'
import type { DataStream, StreamPart, StreamPiece, StreamRow } from './stream.js'
import { TimeSlice } from './time-slice.js'
import { jsonOf } from './value-numbers.js'

/** The samplers that work without knowing all rows. */
const modes: Partial<Record<BatchSamplerName, { shuffle: boolean; unique: boolean }>> = {
  batch_sampler: { shuffle: true, unique: false },
  sequential: { shuffle: false, unique: false },
  no_duplicates: { shuffle: true, unique: true },
  no_duplicates_hashed: { shuffle: true, unique: true },
}

/**
 * The batches of a stream for one epoch, each a small dataset, after the first `skip`.
 *
 * `batch_sampler`: rows are drawn from a buffer of `stream.shuffleBuffer` rows, by seed and epoch.
 * `no_duplicates`: rows that share a text with the batch wait for later batches. The buffer's size limits how many wait.
 * Beyond that limit the batch stays short. With `dropLast` and a known length, the source is then read again for the
 * missing batches.
 * `sequential`: the order of the source.
 *
 * @param part of a stream by rank: the process whose rows these are
 */
export function streamBatches(
  stream: DataStream,
  choice: BatchSamplerChoice,
  options: OwnSamplerOptions,
  part?: StreamPart,
): (epoch: number, skip: number) => AsyncGenerator<Dataset, void, undefined> {
  const mode = typeof choice === 'function' ? undefined : modes[choice]
  if (!mode) {
    const names = Object.keys(modes).join(', ')
    throw invalidArgument('batchSampler', `one of ${names} for a stream, of which not all rows are known`, choice)
  }
  if (part !== undefined && mode.unique) {
    const expected = 'batch_sampler or sequential for a stream by rank: a text may be in the rows of two processes'
    throw invalidArgument('batchSampler', expected, choice)
  }
  const { batchSize, seed = 0, dropLast = false, compat = false } = options
  const fills = mode.unique && dropLast && !compat
  const announced = fills && stream.length !== undefined ? batchCount(stream.length, options) : 0
  const shortfall = new Shortfall(announced)
  let told = false
  /** The schedule relies on the caller's length. */
  const ended = (rows: number) => {
    if (told || stream.length === undefined || rows === stream.length || part !== undefined) return
    told = true
    const message = `A DataStream has the length ${stream.length}, but ${rows} rows came: the schedule counts on its length`
    process.emitWarning(message, 'SentenceTorchWarning')
  }
  return async function* (epoch, skip) {
    const random = new Random(seed, epoch)
    let made = 0
    for (let pass = 0; shortfall.wantsPass(pass, made); pass++) {
      const source = checkedRows(stream.pieces(epoch, part), ended)
      const rows = mode.shuffle ? shuffled(source, stream.shuffleBuffer, random) : source
      const groups = mode.unique ? uniqueBatches(rows, batchSize, stream.shuffleBuffer) : plainBatches(rows, batchSize)
      for await (const group of groups) {
        if (dropLast && group.length < batchSize) continue
        if (++made > skip) yield toDataset(group)
        if (pass > 0 && made === announced) return
      }
    }
  }
}

/** A row with checked values, and the checkers, which know the types of the columns. */
interface CheckedRow {
  values: Value[]
  checkers: readonly ColumnChecker[]
}

type Pieces = AsyncIterable<readonly CheckedRow[]>

/**
 * The rows of the stream, each checked against the rows before it.
 * @param ended gets the number of rows, if all were read
 */
async function* checkedRows(
  pieces: AsyncIterable<StreamPiece>,
  ended: (rows: number) => void,
): AsyncGenerator<readonly CheckedRow[], void, undefined> {
  const slice = new TimeSlice()
  let checkers: ColumnChecker[] | undefined
  let number = 0
  const check = (row: StreamRow, names: readonly string[]): CheckedRow => {
    const fail = (expected: string, found: string) =>
      new SentenceTorchError('ERR_INVALID_DATA', `Expected ${expected} in row ${number} of the stream, found ${found}`)
    if (typeof row !== 'object' || row === null) throw fail('an object', describe(row))
    checkers ??= checkersOf(names)
    const keys = Object.keys(row)
    if (keys.length !== checkers.length || !checkers.every(({ name }) => Object.hasOwn(row, name))) {
      throw fail(`the keys ${listed(checkers.map(({ name }) => name))}`, listed(keys) || 'none')
    }
    const values = checkers.map((checker) => checker.check(row[checker.name], number))
    number++
    return { values, checkers }
  }
  for await (const { names, rows } of pieces) {
    yield rows.map((row) => check(row, names))
    await slice.yield()
  }
  ended(number)
}

function checkersOf(names: readonly string[]): ColumnChecker[] {
  const label = labelColumnOf(names)
  return names.map((name) => new ColumnChecker(name, label, ' of the stream'))
}

/** Every row waits in the buffer until it is drawn. At the end the buffer is emptied in random order. */
async function* shuffled(
  pieces: Pieces,
  most: number,
  random: Random,
): AsyncGenerator<readonly CheckedRow[], void, undefined> {
  const buffer: CheckedRow[] = []
  for await (const piece of pieces) {
    const out: CheckedRow[] = []
    for (const row of piece) {
      if (buffer.length < most) {
        buffer.push(row)
        continue
      }
      const at = random.below(buffer.length)
      out.push(buffer[at]!)
      buffer[at] = row
    }
    yield out
  }
  yield random.shuffle(buffer)
}

async function* plainBatches(pieces: Pieces, batchSize: number): AsyncGenerator<CheckedRow[], void, undefined> {
  let batch: CheckedRow[] = []
  for await (const piece of pieces) {
    for (const row of piece) {
      batch.push(row)
      if (batch.length < batchSize) continue
      yield batch
      batch = []
    }
  }
  if (batch.length > 0) yield batch
}

/** Batches without two equal texts. Up to `most` rows that do not fit wait, in order. */
async function* uniqueBatches(
  pieces: Pieces,
  batchSize: number,
  most: number,
): AsyncGenerator<CheckedRow[], void, undefined> {
  const source = pieces[Symbol.asyncIterator]()
  try {
    let waiting: CheckedRow[] = []
    let piece: readonly CheckedRow[] = []
    let place = 0
    let ended = false
    while (!ended || waiting.length > 0) {
      const batch: CheckedRow[] = []
      const taken = new Set<string>()
      const postponed: CheckedRow[] = []
      const offer = (row: CheckedRow) => {
        const texts = textsOf(row)
        if (batch.length === batchSize || texts.some((text) => taken.has(text))) {
          postponed.push(row)
          return
        }
        batch.push(row)
        for (const text of texts) taken.add(text)
      }
      for (const row of waiting) offer(row)
      while (batch.length < batchSize && postponed.length < most && !ended) {
        if (place < piece.length) {
          offer(piece[place++]!)
          continue
        }
        const { done, value } = await source.next()
        ended = done === true
        piece = value ?? []
        place = 0
      }
      waiting = postponed
      if (batch.length > 0) yield batch
    }
  } finally {
    await source.return?.()
  }
}

function textsOf({ values, checkers }: CheckedRow): string[] {
  return values.flatMap((value, i) =>
    checkers[i]!.kind === 'label' ? [] : [typeof value === 'string' ? value : jsonOf(value)],
  )
}

function toDataset(rows: readonly CheckedRow[]): Dataset {
  const { checkers } = rows[0]!
  return Dataset.fromChecked(
    new Map(
      checkers.map(({ name, finalKind: kind }, i) => [name, { values: rows.map(({ values }) => values[i]!), kind }]),
    ),
  )
}
