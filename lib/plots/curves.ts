import { checkCurves } from './check.js'
import type { CurvesData } from './data.js'
import { checkPlotOptions, draw, type PlotOptions } from './draw.js'
import { colourOf, frame, NUMBERS, titleOf } from './parts.js'
import { uniqueLabels } from './texts.js'

/** A line of at most this many points has a mark at each. */
const MARKED = 40

/**
 * Lines through points, such as the loss over steps.
 *
 *     const svg = await plots.curves({ series: [{ name: 'loss', x: steps, y: losses }], xTitle: 'step' })
 *
 * @returns SVG text
 * @throws ERR_INVALID_ARGUMENT, ERR_INVALID_DATA where a curve's `x` falls, for lengths that differ and numbers that are not finite
 */
export async function curves(data: CurvesData, options: PlotOptions = {}): Promise<string> {
  checkCurves('curves', data)
  checkPlotOptions('curves', options)
  const names = uniqueLabels(data.series.map(({ name }) => name))
  const values = data.series.flatMap(({ x, y }, i) => Array.from(x, (at, j) => ({ name: names[i], x: at, y: y[j] })))
  const isSparse = data.series.every(({ x }) => x.length <= MARKED)
  return draw(
    {
      ...frame(values, options),
      mark: { type: 'line', strokeWidth: 2, point: isSparse ? { size: 25 } : false },
      encoding: {
        x: { field: 'x', type: 'quantitative', title: titleOf(data.xTitle), scale: { nice: false } },
        y: {
          field: 'y',
          type: 'quantitative',
          title: titleOf(data.yTitle),
          scale: { zero: false },
          axis: { format: NUMBERS },
        },
        color: colourOf(names),
      },
    },
    options,
  )
}
