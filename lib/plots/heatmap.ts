import { SentenceTorchError } from '../errors.js'
import { checkHeatmap } from './check.js'
import { HEAT, HEAT_LIGHT_FROM, ON_HEAT } from './colours.js'
import type { HeatmapData } from './data.js'
import { checkPlotOptions, draw, type PlotOptions } from './draw.js'
import { cut, uniqueLabels } from './texts.js'

/** Most cells: an SVG file has an element for each. */
const MOST_CELLS = 40_000
/** Cells of at least this size have their number. */
const NUMBERED = 26
/** Most characters of the label of a column, which is written at an angle. */
const COLUMN_LABEL = 24

/**
 * A matrix as coloured cells, each with its number where there is room. Labels of rows are cut
 * after 40 characters, those of columns after 24.
 *
 *     const values = model.similarity(embeddings, embeddings)
 *     const svg = await plots.heatmap({ rows: sentences, columns: sentences, values, range: [0, 1] })
 *
 * @returns SVG text
 * @throws ERR_INVALID_ARGUMENT, ERR_INVALID_DATA for rows of other lengths, and numbers that are not finite
 */
export async function heatmap(data: HeatmapData, options: PlotOptions = {}): Promise<string> {
  checkHeatmap('heatmap', data)
  checkPlotOptions('heatmap', options)
  const cells = data.rows.length * data.columns.length
  if (cells > MOST_CELLS) {
    throw new SentenceTorchError('ERR_INVALID_DATA', `heatmap: expected at most ${MOST_CELLS} cells but found ${cells}`)
  }
  const size = Math.max(4, Math.min(36, Math.floor(720 / Math.max(data.rows.length, data.columns.length))))
  const [rows, columns] = [uniqueLabels(data.rows), uniqueLabels(data.columns, COLUMN_LABEL)]
  const [low, high] = data.range ?? extent(data.values)
  const values = data.values.flatMap((row, i) =>
    Array.from(row, (value, j) => ({
      ...{ row: rows[i], column: columns[j], value, text: value.toFixed(2) },
      isLight: (value - low) / (high - low) >= HEAT_LIGHT_FROM,
    })),
  )
  const [width, height] = [options.width ?? size * columns.length, options.height ?? size * rows.length]
  const hasNumbers = width / columns.length >= NUMBERED && height / rows.length >= 16
  // Labels of rows that are lower than a line of text would cover each other.
  const axis = { title: null, domain: false, ticks: false, labelOverlap: size < 14 }
  const place = {
    y: { field: 'row', type: 'nominal', sort: null, axis },
    x: {
      field: 'column',
      type: 'nominal',
      sort: null,
      axis: { ...axis, labelAngle: columns.every((name) => [...name].length < 4) ? 0 : -40 },
    },
  }
  const scale = { domain: [low, high], range: HEAT, interpolate: 'rgb', clamp: true }
  const legend = { title: data.valueTitle === undefined ? null : cut(data.valueTitle) }
  const rect = {
    mark: { type: 'rect', tooltip: false },
    encoding: { ...place, color: { field: 'value', type: 'quantitative', scale, legend } },
  }
  const numbers = {
    mark: { type: 'text', fontSize: 11, aria: false },
    encoding: {
      ...place,
      text: { field: 'text' },
      color: { condition: { test: 'datum.isLight', value: ON_HEAT.dark }, value: ON_HEAT.light },
    },
  }
  return draw({ data: { values }, width, height, layer: hasNumbers ? [rect, numbers] : [rect] }, options)
}

function extent(values: readonly ArrayLike<number>[]): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const row of values) {
    for (let i = 0; i < row.length; i++) {
      low = Math.min(low, row[i]!)
      high = Math.max(high, row[i]!)
    }
  }
  // A scale of no length has no colours.
  return low < high ? [low, high] : [low - 0.5, high + 0.5]
}
