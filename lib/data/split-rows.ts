import { invalidArgument, SentenceTorchError } from '../errors.js'
import { checkInteger, checkOptions, listOfNames, ownCopy } from '../options.js'
import { Random } from './random.js'
import type { Table } from './table.js'
import { runInSlices, TimeSlice } from './time-slice.js'
import { SHUFFLE_STREAM, shuffledOrder } from './transforms.js'
import { CHUNK_ROWS, numberValues } from './value-numbers.js'

export interface SplitOptions {
  /** Rows of the test part: a share below 1, or a number of rows. Default 0.25. */
  testSize?: number
  /** Default 0. */
  seed?: number
  /** Column or columns whose values may not be in both parts. */
  groupBy?: string | readonly string[]
}

export async function splitRows(
  dataset: Table,
  options: SplitOptions,
): Promise<{ train: Int32Array; test: Int32Array }> {
  checkOptions('Dataset.trainTestSplit', options, ['testSize', 'seed', 'groupBy'])
  const { testSize = 0.25, seed = 0 } = options
  const groupBy = ownCopy(options.groupBy)
  checkInteger('seed', seed, 0)
  const rows = dataset.length
  const wanted = testSize < 1 ? Math.ceil(testSize * rows) : testSize
  if (!(testSize > 0) || !Number.isInteger(wanted) || wanted >= rows) {
    throw invalidArgument('testSize', `a share between 0 and 1 or a number of rows below ${rows}`, testSize)
  }
  const order = await shuffledOrder(rows, seed)
  if (groupBy === undefined) return { test: order.slice(0, wanted), train: order.slice(wanted) }
  const groups = await groupRows(dataset, listOfNames('groupBy', groupBy))
  const inTest = await chooseGroups(groups, wanted, new Random(seed, SHUFFLE_STREAM, 1))
  const test = order.filter((row) => inTest[groups[row]!] === 1)
  const train = order.filter((row) => inTest[groups[row]!] === 0)
  if (test.length > 0 && train.length > 0) return { train, test }
  throw new SentenceTorchError(
    'ERR_INVALID_DATA',
    `Expected groups by ${[groupBy].flat().join(', ')} that can be divided into ${rows - wanted} and ${wanted} rows, ` +
      'found that every group is too large: nearly all rows share values',
  )
}

/**
 * A group number for each row. Rows that share a value in any of the columns have the same number, also when they share it
 * only through other rows.
 */
async function groupRows(dataset: Table, columns: readonly string[]): Promise<Int32Array> {
  for (const name of columns) dataset.columnKind(name)
  const slice = new TimeSlice()
  const { ids, numbers } = await runInSlices(numberValues(dataset, columns), slice)
  const parent = Int32Array.from({ length: numbers.counts.length }, (_, i) => i)
  const root = (id: number): number => {
    let at = id
    while (parent[at] !== at) {
      parent[at] = parent[parent[at]!]!
      at = parent[at]!
    }
    return at
  }
  const width = columns.length
  for (let row = 0; row < dataset.length; row++) {
    for (let c = 1; c < width; c++) parent[root(ids[row * width + c]!)] = root(ids[row * width]!)
    if (row % CHUNK_ROWS === 0) await slice.yield()
  }
  const groups = new Int32Array(dataset.length)
  for (let row = 0; row < dataset.length; row++) groups[row] = root(ids[row * width]!)
  return groups
}

/** 1 for the groups of the test part: whole groups in random order, while they fit. */
async function chooseGroups(groups: Int32Array, wanted: number, random: Random): Promise<Uint8Array> {
  const slice = new TimeSlice()
  const sizes = new Int32Array(groups.reduce((most, group) => Math.max(most, group), 0) + 1)
  for (const group of groups) sizes[group]!++
  const inTest = new Uint8Array(sizes.length)
  let room = wanted
  const order = Int32Array.from({ length: sizes.length }, (_, group) => group)
  for (let end = order.length; end > 0; end--) {
    // The shuffle continues from its end: `end - 1` has its final value.
    if (end > 1) random.shuffle(order, end, end - 1)
    const group = order[end - 1]!
    if (sizes[group]! > 0 && sizes[group]! <= room) {
      inTest[group] = 1
      room -= sizes[group]!
    }
    if (end % CHUNK_ROWS === 0) await slice.yield()
  }
  return inTest
}
