/** One data set or several by name, and their losses. */
import type { Dataset } from '../data/dataset.js'
import { isDataset } from '../data/feed.js'
import { invalidArgument } from '../errors.js'
import type { CrossEncoderLoss } from '../losses/cross-encoder/loss.js'
import type { Loss } from '../losses/loss.js'
import { option } from '../options/kinds.js'
import { isPlainObject } from '../options.js'
import { checkDataSpec, DATA_OPTIONS } from './data-spec.js'
import { type LoadedData, loadData } from './load-data.js'
import { checkLossSpec, isLoss, type LossSpec } from './make-loss.js'
import type { DataOption } from './recipe.js'

/** One data set, or several by name. */
export type NamedData = DataOption | Readonly<Record<string, DataOption>>
/** A loss by its name and options, or an object of the loss. */
export type OneLoss = LossSpec | Loss | CrossEncoderLoss
/** One loss for all data sets, or one for each by name. */
export type NamedLoss = OneLoss | Readonly<Record<string, OneLoss>>

/** Whether an option of data is one data set, and not several by name. */
export function isOneDataset(value: unknown): value is DataOption {
  return !isPlainObject(value) || Object.keys(value).some((key) => Object.hasOwn(DATA_OPTIONS, key))
}

/** Whether an option of losses is one loss, and not several by name. */
export function isOneLoss(value: unknown): value is OneLoss {
  return isLoss(value) || !isPlainObject(value) || value.name !== undefined
}

function checkNamedData(name: string, value: unknown): void {
  const entries = isOneDataset(value) ? [[name, value] as const] : Object.entries(value as object)
  if (entries.length === 0) throw invalidArgument(name, 'data, or several by name', value)
  for (const [key, data] of entries) {
    if (!isDataset(data as Dataset)) checkDataSpec(data, key === name ? name : `${name}.${key}`)
  }
}

function checkNamedLoss(name: string, value: unknown): void {
  const isOne = isOneLoss(value)
  const entries: [string, unknown][] = isOne ? [[name, value]] : Object.entries(value as object)
  for (const [key, loss] of entries) if (!isLoss(loss)) checkLossSpec(loss, isOne ? name : `${name}.${key}`)
}

export const namedData = option<NamedData, undefined>({
  type: 'NamedData',
  default: undefined,
  expected: 'data, or several by name',
  check: checkNamedData,
})

export const namedLoss = option<NamedLoss, undefined>({
  type: 'NamedLoss',
  default: undefined,
  expected: 'a loss',
  check: checkNamedLoss,
})

export interface NamedRows {
  /** '' for one data set without a name. */
  name: string
  rows: Dataset
  source: string
  badRows: number
}

export async function loadNamed(data: NamedData, where: string, signal?: AbortSignal): Promise<NamedRows[]> {
  const load = async (name: string, one: DataOption, place: string): Promise<NamedRows> => {
    const { dataset, source, badRows }: LoadedData = await loadData(one, { where: place, signal })
    return { name, rows: dataset, source, badRows: badRows.count }
  }
  if (isOneDataset(data)) return [await load('', data, where)]
  const all: NamedRows[] = []
  for (const [name, one] of Object.entries(data)) all.push(await load(name, one, `${where}.${name}`))
  return all
}

/** As a trainer takes them. */
export function inTrainer(sets: readonly NamedRows[]): Dataset | Record<string, Dataset> {
  const [first] = sets as [NamedRows]
  return first.name === '' ? first.rows : Object.fromEntries(sets.map(({ name, rows }) => [name, rows]))
}

/** The losses that an option means, each made by `make`. */
export async function eachLoss<L>(
  choice: NamedLoss,
  make: (one: OneLoss, where: string) => L | Promise<L>,
): Promise<L | Record<string, L>> {
  if (isOneLoss(choice)) return make(choice, 'loss')
  const all: Record<string, L> = {}
  for (const [name, one] of Object.entries(choice)) all[name] = await make(one, `loss.${name}`)
  return all
}
