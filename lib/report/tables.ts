/** Tables of a report. */
import { type Html, html } from './html.js'

export type Cell = string | number | null | undefined | Html

export interface Column {
  title: string
  isNumber?: boolean
}

/** A table; it scrolls where it is wider than the page. */
export function table(columns: readonly Column[], rows: readonly (readonly Cell[])[], className = ''): Html {
  const head = columns.map(({ title, isNumber }) => html`<th scope="col" class="${isNumber ? 'n' : ''}">${title}</th>`)
  const body = rows.map((row) => {
    const cells = row.map((cell, i) => {
      const { title, isNumber } = columns[i]!
      if (!isNumber) return html`<td>${shown(cell)}</td>`
      return html`<td class="n" data-label="${title}">${shown(cell)}</td>`
    })
    return html`<tr>${cells}</tr>\n`
  })
  return html`<div class="scroll"><table class="${className}"><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`
}

/** Names and values below each other. Those without a value are left out. */
export function facts(entries: readonly (readonly [string, Cell])[]): Html {
  const known = entries.filter(([, value]) => value !== undefined && value !== null && value !== '')
  return html`<dl>${known.map(([name, value]) => html`<dt>${name}</dt><dd>${shown(value)}</dd>`)}</dl>`
}

/** A number for people: no more than `digits` after the point, and thousands apart. */
export function numberText(value: number, digits = 4): string {
  const rounded = Number(value.toFixed(digits))
  // Small numbers, such as a learning rate, would be 0.
  if (value !== 0 && Math.abs(value) < 10 ** -digits * 5) return value.toPrecision(3)
  return rounded.toLocaleString('en-US', { maximumFractionDigits: digits }).replace(/^-/, '−')
}

function shown(cell: Cell): Html | string {
  if (typeof cell === 'number') return numberText(cell)
  return cell ?? ''
}
