/** Checks of the data of plots: everything that is drawn is a finite number, and lists that belong together have one length. */
import { invalidArgument, SentenceTorchError } from '../errors.js'
import { checkFinite, checkInteger, checkOptions, checkType } from '../options.js'
import type { BarsData, CurvesData, HeatmapData, HistogramData, ScatterData } from './data.js'

/** @throws ERR_INVALID_ARGUMENT, ERR_INVALID_DATA, ERR_UNKNOWN_OPTION; so do all checks of this file */
export function checkHeatmap(where: string, data: HeatmapData): void {
  checkOptions(where, data, ['rows', 'columns', 'values', 'range', 'valueTitle'])
  const { rows, columns, values, range, valueTitle } = data
  checkTexts(`${where} rows`, rows)
  checkTexts(`${where} columns`, columns)
  if (!Array.isArray(values)) throw invalidArgument(`${where} values`, 'an array of rows', values)
  sameLength(where, { rows, values })
  for (const [i, row] of values.entries()) {
    checkNumbers(`${where} values[${i}]`, row)
    if (row.length !== columns.length) {
      throw invalid(`${where} values[${i}]: expected ${columns.length} numbers, one a column, but found ${row.length}`)
    }
  }
  checkType(`${where} valueTitle`, valueTitle, 'string')
  if (range === undefined) return
  if (!Array.isArray(range) || range.length !== 2) throw invalidArgument(`${where} range`, 'two numbers', range)
  checkNumbers(`${where} range`, range)
  if (!(range[0] < range[1])) throw invalidArgument(`${where} range`, 'two rising numbers', range)
}

export function checkCurves(where: string, data: CurvesData): void {
  checkOptions(where, data, ['series', 'xTitle', 'yTitle'])
  checkTitles(where, data)
  for (const [at, curve] of listOf(where, 'series', data.series, ['name', 'x', 'y'])) {
    checkText(`${at} name`, curve.name)
    checkPoints(at, curve)
    for (let i = 1; i < curve.x.length; i++) {
      if (curve.x[i]! < curve.x[i - 1]!) {
        throw invalid(`${at} x: expected rising numbers, but x[${i}] is ${curve.x[i]} after ${curve.x[i - 1]}`)
      }
    }
  }
}

export function checkBars(where: string, data: BarsData): void {
  checkOptions(where, data, ['bars', 'valueTitle'])
  checkType(`${where} valueTitle`, data.valueTitle, 'string')
  const seen = new Set<string>()
  for (const [at, bar] of listOf(where, 'bars', data.bars, ['label', 'value', 'low', 'high', 'group'])) {
    checkText(`${at} label`, bar.label)
    if (!Number.isFinite(bar.value)) throw invalidArgument(`${at} value`, 'a finite number', bar.value)
    for (const name of ['low', 'high'] as const) checkFinite(`${at} ${name}`, bar[name])
    checkType(`${at} group`, bar.group, 'string')
    if ((bar.low === undefined) !== (bar.high === undefined)) {
      throw invalid(
        `${at}: expected both ends of the interval, but only ${bar.low === undefined ? 'high' : 'low'} is given`,
      )
    }
    if (bar.low !== undefined && bar.low > bar.high!) throw invalid(`${at}: low ${bar.low} is above high ${bar.high}`)
    const key = JSON.stringify([bar.label, bar.group ?? null])
    if (seen.has(key)) {
      const group = bar.group === undefined ? '' : ` of the group ${JSON.stringify(bar.group)}`
      throw invalid(`${at}: there is another bar ${JSON.stringify(bar.label)}${group}`)
    }
    seen.add(key)
  }
}

export function checkScatter(where: string, data: ScatterData): void {
  checkOptions(where, data, ['series', 'xTitle', 'yTitle'])
  checkTitles(where, data)
  for (const [at, series] of listOf(where, 'series', data.series, ['name', 'x', 'y', 'labels'])) {
    checkText(`${at} name`, series.name)
    checkPoints(at, series)
    if (series.labels === undefined) continue
    checkTexts(`${at} labels`, series.labels)
    sameLength(at, { x: series.x, labels: series.labels })
  }
}

export function checkHistogram(where: string, data: HistogramData): void {
  checkOptions(where, data, ['series', 'xTitle', 'bins'])
  checkType(`${where} xTitle`, data.xTitle, 'string')
  checkInteger(`${where} bins`, data.bins, 1, 1000)
  for (const [at, { name, values }] of listOf(where, 'series', data.series, ['name', 'values'])) {
    checkText(`${at} name`, name)
    checkNumbers(`${at} values`, values)
  }
}

/** Checks that `values` is a list of texts with at least one. */
export function checkTexts(name: string, values: readonly unknown[]): void {
  if (!Array.isArray(values)) throw invalidArgument(name, 'an array of texts', values)
  if (values.length === 0) throw invalid(`${name}: expected at least one text`)
  for (const [i, value] of values.entries()) checkText(`${name}[${i}]`, value)
}

/** Checks that `values` is a list of finite numbers with at least one. */
export function checkNumbers(name: string, values: ArrayLike<number>): void {
  const isList = Array.isArray(values) || (ArrayBuffer.isView(values) && 'length' in values)
  if (!isList) throw invalidArgument(name, 'an array of numbers', values)
  if (values.length === 0) throw invalid(`${name}: expected at least one number`)
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) throw invalidArgument(`${name}[${i}]`, 'a finite number', values[i])
  }
}

export function checkText(name: string, value: unknown): void {
  if (typeof value !== 'string') throw invalidArgument(name, 'a text', value)
}

/** Checks that lists that belong together have one length. */
export function sameLength(where: string, lists: Readonly<Record<string, ArrayLike<unknown>>>): void {
  const [first, ...others] = Object.entries(lists)
  for (const [name, list] of others) {
    if (list.length === first![1].length) continue
    throw invalid(`${where}: expected as many ${name} as ${first![0]} (${first![1].length}), but found ${list.length}`)
  }
}

/** The entries of a list of objects, each with its place for messages. */
function listOf<T extends object>(
  where: string,
  name: string,
  list: readonly T[],
  members: readonly string[],
): readonly [string, T][] {
  if (!Array.isArray(list)) throw invalidArgument(`${where} ${name}`, 'an array', list)
  if (list.length === 0) throw invalid(`${where} ${name}: expected at least one entry`)
  return list.map((entry: T, i) => {
    const at = `${where} ${name}[${i}]`
    checkOptions(at, entry, members)
    return [at, entry]
  })
}

function checkPoints(at: string, { x, y }: { x: ArrayLike<number>; y: ArrayLike<number> }): void {
  checkNumbers(`${at} x`, x)
  checkNumbers(`${at} y`, y)
  sameLength(at, { x, y })
}

function checkTitles(where: string, { xTitle, yTitle }: { xTitle?: string; yTitle?: string }): void {
  checkType(`${where} xTitle`, xTitle, 'string')
  checkType(`${where} yTitle`, yTitle, 'string')
}

function invalid(message: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_DATA', message)
}
