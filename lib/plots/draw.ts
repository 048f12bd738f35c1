import { SentenceTorchError } from '../errors.js'
import { checkInteger, checkOneOf, checkOptions, checkType } from '../options.js'
import { darkened, darkRules, GROUND, LINE, MUTED, SERIES, TEXT, THEMES, type Theme } from './colours.js'
import { printable } from './texts.js'

export interface PlotOptions {
  title?: string
  /** Width of the drawing area in pixels, without axes. Default: 480; of a heat map, by its columns. */
  width?: number
  /** Height of the drawing area in pixels. Default: 280; of a heat map, by its rows. */
  height?: number
  /**
   * `auto` (default) is light, and dark where the reader's system prefers that, as far as the program that shows the SVG follows
   * `prefers-color-scheme`.
   */
  theme?: Theme
  /** Whether the ground is drawn. Default true. */
  background?: boolean
}

/** Options as every plot checks them. @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION */
export function checkPlotOptions(where: string, options: PlotOptions): void {
  checkOptions(`the options of ${where}`, options, ['title', 'width', 'height', 'theme', 'background'])
  checkType(`${where} title`, options.title, 'string')
  checkInteger(`${where} width`, options.width, 20, 10_000)
  checkInteger(`${where} height`, options.height, 20, 10_000)
  checkOneOf(`${where} theme`, options.theme, THEMES)
  checkType(`${where} background`, options.background, 'boolean')
}

/** What Vega-Lite gets for every plot. Widths of texts are estimated, because there is no canvas, so labels are cut here (texts.ts). */
const CONFIG = {
  font: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif',
  view: { stroke: LINE.light },
  axis: {
    ...{ labelColor: MUTED.light, titleColor: TEXT.light, gridColor: LINE.light, domainColor: LINE.light },
    ...{ tickColor: LINE.light, labelFontSize: 12, titleFontSize: 12, titleFontWeight: 'normal', labelLimit: 0 },
  },
  legend: { labelColor: TEXT.light, titleColor: TEXT.light, labelFontSize: 12, titleFontSize: 12, labelLimit: 0 },
  title: { color: TEXT.light, fontSize: 14, anchor: 'start', offset: 10 },
  range: { category: SERIES.map(({ light }) => light) },
}

/**
 * Draws a specification of Vega-Lite (data, marks and encodings) in the colours and fonts of this package.
 * @returns SVG text
 */
export async function draw(spec: object, { title, theme = 'auto', background = true }: PlotOptions): Promise<string> {
  const { renderSvg } = await import('./vega.js')
  const whole = {
    ...{ $schema: 'https://vega.github.io/schema/vega-lite/v6.json', padding: 8, config: CONFIG },
    background: background ? GROUND.light : null,
    ...(title !== undefined && { title: printable(title) }),
    ...spec,
  }
  let svg: string
  try {
    svg = await renderSvg(whole)
  } catch (cause) {
    throw new SentenceTorchError('ERR_INVALID_DATA', `The plot could not be drawn: ${(cause as Error).message}`, {
      cause,
    })
  }
  if (theme === 'light') return svg
  if (theme === 'dark') return darkened(svg)
  // In a page, rules of a <style> hold for all of it, so the rules name the drawings of this package.
  const scoped = svg.replace('class="marks"', 'class="marks sentence-torch-plot"')
  return scoped.replace('>', `><style>${darkRules('.sentence-torch-plot')}</style>`)
}
