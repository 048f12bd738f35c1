import { checkHistogram } from './check.js'
import type { HistogramData } from './data.js'
import { checkPlotOptions, draw, type PlotOptions } from './draw.js'
import { colourOf, frame, titleOf } from './parts.js'
import { uniqueLabels } from './texts.js'

/**
 * How many values lie in each bin; several series stand one over another, half transparent. Bins are the same for all series, and
 * their ends are multiples of 1, 2 or 5 times a power of ten. A bin has its lower end and not its upper one, the last has both.
 *
 * @returns SVG text
 * @throws ERR_INVALID_ARGUMENT, ERR_INVALID_DATA
 */
export async function histogram(data: HistogramData, options: PlotOptions = {}): Promise<string> {
  checkHistogram('histogram', data)
  checkPlotOptions('histogram', options)
  const names = uniqueLabels(data.series.map(({ name }) => name))
  const { edges, counts } = binned(
    data.series.map(({ values }) => values),
    data.bins ?? 20,
  )
  const values = counts.flatMap((series, i) =>
    series.map((count, j) => ({ name: names[i], from: edges[j], to: edges[j + 1], count })),
  )
  return draw(
    {
      ...frame(
        values.filter(({ count }) => count > 0),
        options,
      ),
      mark: { type: 'bar', opacity: names.length > 1 ? 0.6 : 0.9, binSpacing: 1 },
      encoding: {
        x: {
          field: 'from',
          bin: { binned: true },
          type: 'quantitative',
          title: titleOf(data.xTitle),
          scale: { zero: false, nice: false, domain: [edges[0], edges.at(-1)] },
        },
        x2: { field: 'to' },
        y: { field: 'count', type: 'quantitative', stack: null, title: 'count', axis: { tickMinStep: 1 } },
        color: colourOf(names),
      },
    },
    options,
  )
}

/** Ends of at most `most` bins, one more than there are bins, and the counts of each series. */
export function binned(series: readonly ArrayLike<number>[], most: number): { edges: number[]; counts: number[][] } {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const values of series) {
    for (let i = 0; i < values.length; i++) {
      low = Math.min(low, values[i]!)
      high = Math.max(high, values[i]!)
    }
  }
  const { step, first, count } = roundBins(low, high, most)
  // Quotients instead of sums, so that ends such as 0.3 are the nearest numbers.
  const edges = Array.from({ length: count + 1 }, (_, i) =>
    step < 1 ? (first + i) / Math.round(1 / step) : (first + i) * step,
  )
  const counts = series.map((values) => {
    const found = new Array<number>(count).fill(0)
    for (let i = 0; i < values.length; i++) {
      let bin = Math.min(count - 1, Math.max(0, Math.floor((values[i]! - edges[0]!) / step)))
      // The quotient may be rounded over an end.
      if (bin > 0 && values[i]! < edges[bin]!) bin--
      else if (bin < count - 1 && values[i]! >= edges[bin + 1]!) bin++
      found[bin]!++
    }
    return found
  })
  return { edges, counts }
}

/** The smallest round step with which `most` bins reach from `low` to `high`; the first bin begins at `first` steps. */
function roundBins(low: number, high: number, most: number): { step: number; first: number; count: number } {
  const least = Math.max((high - low) / most, Math.abs(high) * 1e-12, 1e-12)
  for (let power = Math.floor(Math.log10(least)); ; power++) {
    for (const factor of [1, 2, 5]) {
      const step = factor * 10 ** power
      const first = Math.floor(low / step)
      const count = Math.max(1, Math.ceil(high / step - first))
      if (step >= least && count <= most) return { step, first, count }
    }
  }
}
