/** Data of the figures that only reports have. */
import { SentenceTorchError } from '../errors.js'
import { checkFinite, checkOptions, checkType } from '../options.js'
import { checkNumbers, checkText, checkTexts, sameLength } from '../plots/check.js'

/** Embeddings of the same texts in two dimensions, in one panel for each model. */
export interface MapData {
  panels: readonly MapPanel[]
  /** The text of each point. */
  labels: readonly string[]
  /** The group of each point, which has a colour of its own. */
  groups?: readonly string[]
}

export interface MapPanel {
  /** Such as `before` and `after`. */
  title: string
  x: ArrayLike<number>
  y: ArrayLike<number>
}

/** Pairs of texts, the most important first. */
export interface PairsData {
  pairs: readonly ScoredPair[]
}

export interface ScoredPair {
  text1: string
  text2: string
  /** The score or label that is right. */
  gold?: number
  before?: number
  after?: number
  /** What is wrong with the pair. */
  note?: string
}

export interface TableData {
  columns: readonly string[]
  /** One list of `columns.length` cells a row; null is an empty cell. */
  rows: readonly (readonly (string | number | null)[])[]
}

export function checkMap(where: string, data: MapData): void {
  checkOptions(where, data, ['panels', 'labels', 'groups'])
  checkTexts(`${where} labels`, data.labels)
  for (const [i, panel] of checkList(`${where} panels`, data.panels).entries()) {
    const at = `${where} panels[${i}]`
    checkOptions(at, panel, ['title', 'x', 'y'])
    checkText(`${at} title`, panel.title)
    checkNumbers(`${at} x`, panel.x)
    checkNumbers(`${at} y`, panel.y)
    sameLength(at, { labels: data.labels, x: panel.x, y: panel.y })
  }
  if (data.groups === undefined) return
  checkTexts(`${where} groups`, data.groups)
  sameLength(where, { labels: data.labels, groups: data.groups })
}

export function checkPairs(where: string, data: PairsData): void {
  checkOptions(where, data, ['pairs'])
  for (const [i, pair] of checkList(`${where} pairs`, data.pairs).entries()) {
    const at = `${where} pairs[${i}]`
    checkOptions(at, pair, ['text1', 'text2', 'gold', 'before', 'after', 'note'])
    checkText(`${at} text1`, pair.text1)
    checkText(`${at} text2`, pair.text2)
    for (const name of ['gold', 'before', 'after'] as const) checkFinite(`${at} ${name}`, pair[name])
    checkType(`${at} note`, pair.note, 'string')
  }
}

export function checkTable(where: string, data: TableData): void {
  checkOptions(where, data, ['columns', 'rows'])
  checkTexts(`${where} columns`, data.columns)
  for (const [i, row] of checkList(`${where} rows`, data.rows, 0).entries()) {
    const at = `${where} rows[${i}]`
    sameLength(at, { columns: data.columns, cells: checkList(at, row) })
    for (const [j, cell] of row.entries()) {
      if (cell !== null && typeof cell !== 'string') checkNumbers(at, [cell])
      else if (cell === undefined) throw invalid(`${at}[${j}]: expected a text, a number or null`)
    }
  }
}

function checkList<T>(name: string, list: readonly T[], least = 1): readonly T[] {
  if (!Array.isArray(list)) throw invalid(`${name}: expected an array`)
  if (list.length < least) throw invalid(`${name}: expected at least ${least} entry`)
  return list as readonly T[]
}

function invalid(message: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_DATA', message)
}
