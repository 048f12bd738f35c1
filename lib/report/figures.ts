/** The figures of a run: their data, as `figures/<name>.json` of the run's folder has them. */
import { SentenceTorchError } from '../errors.js'
import { object, oneOf, optional, type Place, text } from '../io/schema.js'
import { checkOneOf, checkType } from '../options.js'
import { checkBars, checkCurves, checkHeatmap, checkHistogram, checkScatter } from '../plots/check.js'
import type { BarsData, CurvesData, HeatmapData, HistogramData, ScatterData } from '../plots/data.js'
import { checkMap, checkPairs, checkTable, type MapData, type PairsData, type TableData } from './figure-data.js'

export type { MapData, PairsData, ScoredPair, TableData } from './figure-data.js'

/** The sections of a report in which a figure may stand. */
export const SECTIONS = ['results', 'training', 'scores', 'similarity', 'map', 'errors', 'data', 'speed'] as const
export type Section = (typeof SECTIONS)[number]

interface FigureHead {
  title: string
  /** A sentence on what the figure shows. */
  caption?: string
  /** Default: `training` for curves, `scores` for scatter and histogram, `results` for bars and tables. */
  section?: Section
}

interface KindsOfData {
  heatmap: HeatmapData
  scatter: ScatterData
  histogram: HistogramData
  bars: BarsData
  curves: CurvesData
  map: MapData
  pairs: PairsData
  table: TableData
}

export type FigureKind = keyof KindsOfData
export type FigureOf<Kind extends FigureKind> = { kind: Kind } & FigureHead & KindsOfData[Kind]
/** A figure: `kind`, `title`, and the data of its kind. */
export type Figure = { [Kind in FigureKind]: FigureOf<Kind> }[FigureKind]

const CHECKS: { [Kind in FigureKind]: (where: string, data: KindsOfData[Kind]) => void } = {
  heatmap: checkHeatmap,
  scatter: checkScatter,
  histogram: checkHistogram,
  bars: checkBars,
  curves: checkCurves,
  map: checkMap,
  pairs: checkPairs,
  table: checkTable,
}

const DEFAULT_SECTIONS: Record<FigureKind, Section> = {
  ...{ heatmap: 'similarity', scatter: 'scores', histogram: 'scores', bars: 'results' },
  ...{ curves: 'training', map: 'map', pairs: 'errors', table: 'results' },
}

export function sectionOf({ kind, section }: Figure): Section {
  return section ?? DEFAULT_SECTIONS[kind]
}

/** @throws ERR_INVALID_ARGUMENT, ERR_INVALID_DATA, ERR_UNKNOWN_OPTION with `where` */
export function checkFigure(where: string, figure: Figure): void {
  checkType(where, figure, 'object')
  checkOneOf(`${where} kind`, figure.kind ?? null, Object.keys(CHECKS))
  checkType(`${where} title`, figure.title ?? null, 'string')
  checkType(`${where} caption`, figure.caption, 'string')
  checkOneOf(`${where} section`, figure.section, SECTIONS)
  const check = CHECKS[figure.kind] as (where: string, data: object) => void
  check(where, dataOf(figure))
}

/** What a figure has besides its head: the data of its kind. */
export function dataOf<Kind extends FigureKind>(figure: FigureOf<Kind>): KindsOfData[Kind] {
  const { kind, title, caption, section, ...data } = figure
  return data as unknown as KindsOfData[Kind]
}

/** A figure as it is in a file. @throws ERR_INVALID_FILE that names the file and what is wrong */
export function figureSchema(value: unknown, place: Place): Figure {
  const head = object({
    kind: oneOf(...(Object.keys(CHECKS) as FigureKind[])),
    title: text(),
    caption: optional(text()),
    section: optional(oneOf(...SECTIONS)),
  })(value, place)
  const figure = head as unknown as Figure
  try {
    checkFigure('the figure', figure)
  } catch (error) {
    if (!(error instanceof SentenceTorchError)) throw error
    throw new SentenceTorchError(place.code, `${place.file}: ${error.message}`, { cause: error })
  }
  return figure
}

/** The JSON text of a figure: its numbers in full, typed arrays as lists. */
export function figureText(figure: Figure): string {
  const plain = (_key: string, value: unknown) =>
    ArrayBuffer.isView(value) && !(value instanceof DataView) ? [...(value as Float32Array)] : value
  return `${JSON.stringify(figure, plain)}\n`
}

/** Checks the name of a figure's file, without its ending. @throws ERR_INVALID_ARGUMENT */
export function checkFigureName(name: string): void {
  if (typeof name === 'string' && /^[a-z0-9][a-z0-9-]{0,79}$/.test(name)) return
  throw new SentenceTorchError(
    'ERR_INVALID_ARGUMENT',
    `Expected lower-case letters, digits and hyphens as the name of a figure but received ${JSON.stringify(name)}`,
  )
}
