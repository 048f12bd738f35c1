import { SentenceTorchError } from '../errors.js'
import { checkScatter } from './check.js'
import type { ScatterData } from './data.js'
import { checkPlotOptions, draw, type PlotOptions } from './draw.js'
import { colourOf, frame, NUMBERS, titleOf } from './parts.js'
import { cut, uniqueLabels } from './texts.js'

/** An SVG file has an element for each point. */
const MOST_POINTS = 20_000

/**
 * Points, such as gold scores and predicted ones. `labels` are what screen readers tell of a point.
 *
 * @returns SVG text
 * @throws ERR_INVALID_ARGUMENT, ERR_INVALID_DATA for lengths that differ, numbers that are not finite, and more than 20,000 points
 */
export async function scatter(data: ScatterData, options: PlotOptions = {}): Promise<string> {
  checkScatter('scatter', data)
  checkPlotOptions('scatter', options)
  const points = data.series.reduce((sum, { x }) => sum + x.length, 0)
  if (points > MOST_POINTS) {
    const found = `scatter: expected at most ${MOST_POINTS} points but found ${points}; draw a sample of them`
    throw new SentenceTorchError('ERR_INVALID_DATA', found)
  }
  const names = uniqueLabels(data.series.map(({ name }) => name))
  const values = data.series.flatMap(({ x, y, labels }, i) =>
    Array.from(x, (at, j) => ({ name: names[i], x: at, y: y[j], label: cut(labels?.[j] ?? '', 120) })),
  )
  const isLabelled = data.series.some(({ labels }) => labels !== undefined)
  return draw(
    {
      ...frame(values, options),
      mark: { type: 'circle', size: points > 500 ? 14 : 34, opacity: 0.65, aria: isLabelled },
      encoding: {
        x: {
          field: 'x',
          type: 'quantitative',
          title: titleOf(data.xTitle),
          scale: { zero: false },
          axis: { format: NUMBERS },
        },
        y: {
          field: 'y',
          type: 'quantitative',
          title: titleOf(data.yTitle),
          scale: { zero: false },
          axis: { format: NUMBERS },
        },
        color: colourOf(names),
        ...(isLabelled && { description: { field: 'label', type: 'nominal' } }),
      },
    },
    options,
  )
}
