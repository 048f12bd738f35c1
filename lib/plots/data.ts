/** The data of each kind of plot. */

/** A matrix of numbers with a colour for each. */
export interface HeatmapData {
  rows: readonly string[]
  columns: readonly string[]
  /** One list of `columns.length` numbers for each of `rows`. */
  values: readonly ArrayLike<number>[]
  /** The numbers of the lightest and the darkest colour. Default: the least and the greatest value. */
  range?: readonly [number, number]
  valueTitle?: string
}

/** A line through points. */
export interface Curve {
  name: string
  /** Rising numbers, such as steps. */
  x: ArrayLike<number>
  /** As many as `x`. */
  y: ArrayLike<number>
}

export interface CurvesData {
  series: readonly Curve[]
  xTitle?: string
  yTitle?: string
}

export interface Bar {
  label: string
  value: number
  /** Ends of an interval around the value; both or none. */
  low?: number
  high?: number
  /** Bars of one label stand side by side, one for each group. */
  group?: string
}

export interface BarsData {
  bars: readonly Bar[]
  valueTitle?: string
}

/** Points of one colour. */
export interface PointSeries {
  name: string
  x: ArrayLike<number>
  /** As many as `x`. */
  y: ArrayLike<number>
  /** What each point stands for, as many as `x`: shown as a tooltip. */
  labels?: readonly string[]
}

export interface ScatterData {
  series: readonly PointSeries[]
  xTitle?: string
  yTitle?: string
}

export interface HistogramSeries {
  name: string
  values: ArrayLike<number>
}

export interface HistogramData {
  series: readonly HistogramSeries[]
  xTitle?: string
  /** Most bins; the ends of bins are round numbers. Default 20. */
  bins?: number
}
