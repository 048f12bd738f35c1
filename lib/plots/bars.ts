import { checkBars } from './check.js'
import { TEXT } from './colours.js'
import type { BarsData } from './data.js'
import { checkPlotOptions, draw, type PlotOptions } from './draw.js'
import { colourOf, titleOf } from './parts.js'
import { uniqueLabels } from './texts.js'

/** Height of a bar in pixels. */
const BAR = 20

/**
 * Horizontal bars, in the given order, with their values and intervals. Bars of one label stand together, one for each group.
 *
 *     const svg = await plots.bars({ bars: [{ label: 'dev', group: 'before', value: 0.81, low: 0.79, high: 0.83 }, …] })
 *
 * @returns SVG text
 * @throws ERR_INVALID_ARGUMENT, ERR_INVALID_DATA for two bars of one label and group, or an interval without one of its ends
 */
export async function bars(data: BarsData, options: PlotOptions = {}): Promise<string> {
  checkBars('bars', data)
  checkPlotOptions('bars', options)
  const labelOf = shortNames(data.bars.map(({ label }) => label))
  const groupOf = shortNames(data.bars.map(({ group = '' }) => group))
  const hasGroups = data.bars.some(({ group }) => group !== undefined)
  const values = data.bars.map(({ label, group = '', value, low, high }) => ({
    ...{
      label: labelOf.get(label),
      name: groupOf.get(group),
      value,
      low,
      high,
      end: Math.max(value, high ?? value, 0),
    },
    text: numberText(value),
  }))
  const names = [...groupOf.values()]
  const y = { field: 'label', type: 'nominal', sort: null, axis: { title: null, ticks: false, domain: false } }
  const offset = hasGroups && { yOffset: { field: 'name', type: 'nominal', sort: null, scale: { domain: names } } }
  const x = { type: 'quantitative', title: titleOf(data.valueTitle) }
  const layer: object[] = [
    {
      mark: { type: 'bar', opacity: 0.9 },
      encoding: { x: { ...x, field: 'value' }, y, ...offset, color: colourOf(names) },
    },
    {
      mark: { type: 'text', align: 'left', dx: 5, fontSize: 11, color: TEXT.light, aria: false },
      encoding: { x: { ...x, field: 'end' }, y, ...offset, text: { field: 'text' } },
    },
  ]
  if (data.bars.some(({ low }) => low !== undefined)) {
    const isThere = 'isValid(datum.low)'
    layer.splice(1, 0, {
      transform: [{ filter: isThere }],
      mark: { type: 'rule', color: TEXT.light, strokeWidth: 1.5 },
      encoding: { x: { ...x, field: 'low' }, x2: { field: 'high' }, y, ...offset },
    })
  }
  const height = options.height ?? { step: BAR, ...(hasGroups && { for: 'offset' }) }
  return draw({ data: { values }, width: options.width ?? 480, height, layer }, options)
}

/** Each text once, with its label. */
function shortNames(texts: readonly string[]): Map<string, string> {
  const once = [...new Set(texts)]
  const labels = uniqueLabels(once)
  return new Map(once.map((text, i) => [text, labels[i]!]))
}

/** Four digits after the point, fewer of large numbers. */
function numberText(value: number): string {
  return Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toFixed(Math.abs(value) >= 100 ? 1 : 4)))
}
