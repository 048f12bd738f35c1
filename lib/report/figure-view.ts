/** A figure as HTML: an SVG drawing or a table, with its title and caption. */
import * as plots from '../plots/index.js'
import type { MapData, PairsData, TableData } from './figure-data.js'
import { dataOf, type Figure, type FigureOf } from './figures.js'
import { Html, html } from './html.js'
import { type Column, table } from './tables.js'

/** Drawing area in pixels: with its axes as wide as a phone, so that texts keep their size there. */
const WIDTH = 330
const HEIGHT = 220
/** Bars have their labels beside them. */
const BARS_WIDTH = 220
/** Characters of a text in a table of pairs: of a passage, its beginning. */
const LONGEST = 300
/** A drawing may shrink to this share before it scrolls. */
const SMALLEST = 0.8

const PLAIN = { theme: 'light', background: false } as const
const SIZED = { ...PLAIN, width: WIDTH, height: HEIGHT }

export async function figureView(figure: Figure): Promise<Html> {
  const { title, caption } = figure
  const content = await contentOf(figure)
  return html`<figure><h3>${title}</h3>${content}${caption && html`<figcaption>${caption}</figcaption>`}</figure>\n`
}

function contentOf(figure: Figure): Promise<Html> | Html {
  switch (figure.kind) {
    case 'heatmap':
      return drawing(plots.heatmap(dataOf(figure), PLAIN))
    case 'scatter':
      return drawing(plots.scatter(dataOf(figure), SIZED))
    case 'histogram':
      return drawing(plots.histogram(dataOf(figure), SIZED))
    case 'curves':
      return drawing(plots.curves(dataOf(figure), SIZED))
    case 'bars':
      return drawing(plots.bars(dataOf(figure), { ...PLAIN, width: BARS_WIDTH }))
    case 'map':
      return mapView(dataOf(figure))
    case 'pairs':
      return pairsView(dataOf(figure))
    case 'table':
      return tableView(dataOf(figure))
  }
}

/** An SVG text of this package in a box that scrolls when the page is too narrow. */
async function drawing(svg: Promise<string>): Promise<Html> {
  const text = await svg
  const width = Math.ceil(SMALLEST * Number(/ width="(\d+)/.exec(text)?.[1] ?? 0))
  return html`<div class="scroll plot"><div style="min-width:${width}px">${new Html(text)}</div></div>`
}

async function mapView({ panels, labels, groups }: MapData): Promise<Html> {
  const names = groups === undefined ? [''] : [...new Set(groups)]
  const views = panels.map(async ({ title, x, y }) => {
    const series = names.map((name) => {
      const rows = labels.flatMap((_, i) => (groups === undefined || groups[i] === name ? [i] : []))
      const pick = (values: ArrayLike<number>) => rows.map((row) => values[row]!)
      return { name, x: pick(x), y: pick(y), labels: rows.map((row) => labels[row]!) }
    })
    const svg = plots.scatter({ series }, { ...SIZED, height: 300, title })
    return drawing(svg)
  })
  return html`<div class="grid">${await Promise.all(views)}</div>`
}

function pairsView({ pairs }: PairsData): Html {
  const scores = (['gold', 'before', 'after'] as const).filter((name) => pairs.some((pair) => pair[name] !== undefined))
  const hasNote = pairs.some(({ note }) => note !== undefined)
  const columns: Column[] = [
    ...[{ title: 'first text' }, { title: 'second text' }],
    ...scores.map((title) => ({ title, isNumber: true })),
    ...(hasNote ? [{ title: 'note' }] : []),
  ]
  const rows = pairs.map((pair) => [
    ...[cut(pair.text1), cut(pair.text2)],
    ...scores.map((name) => pair[name]?.toFixed(3)),
    ...(hasNote ? [pair.note && cut(pair.note)] : []),
  ])
  return table(columns, rows, 'pairs')
}

function cut(text: string): string {
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST).trimEnd()}…`
}

function tableView({ columns, rows }: TableData): Html {
  const isNumber = (i: number) => rows.length > 0 && rows.every((row) => row[i] === null || typeof row[i] === 'number')
  return table(
    columns.map((title, i) => ({ title, isNumber: isNumber(i) })),
    rows,
  )
}

export type { FigureOf }
