/** Plots as SVG text: heat maps, curves, bars, points, histograms. */
export { bars } from './bars.js'
export type { Theme } from './colours.js'
export { curves } from './curves.js'
export type {
  Bar,
  BarsData,
  Curve,
  CurvesData,
  HeatmapData,
  HistogramData,
  HistogramSeries,
  PointSeries,
  ScatterData,
} from './data.js'
export type { PlotOptions } from './draw.js'
export { heatmap } from './heatmap.js'
export { histogram } from './histogram.js'
export { scatter } from './scatter.js'
