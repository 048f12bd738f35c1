/** Parts of specifications that plots share. */
import type { PlotOptions } from './draw.js'
import { cut } from './texts.js'

/** Numbers at an axis: four digits that count, `2e-5` for small ones. In d3-format's language. */
export const NUMBERS = '.4~g'

/** Rows of data and the size of the drawing area. */
export function frame(values: readonly object[], { width = 480, height = 280 }: PlotOptions): object {
  return { data: { values }, width, height }
}

export function titleOf(title: string | undefined): string | null {
  return title === undefined ? null : cut(title, 60)
}

/** A colour for each name, with a legend below the drawing where there are several. */
export function colourOf(names: readonly string[], field = 'name'): object {
  const legend = names.length > 1 ? { title: null, orient: 'bottom', columns: 3 } : null
  return { field, type: 'nominal', scale: { domain: [...names] }, legend }
}
