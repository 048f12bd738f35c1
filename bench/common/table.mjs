// Rows of results as text.
import { PROGRAMS } from './peers.mjs'
import { median, spread } from './statistics.mjs'

/** `rows` of cells under `header`; the first column and one named program to the left, the others to the right. */
export function printTable(title, header, rows) {
  if (rows.length === 0) return
  const table = [header, ...rows]
  const widths = header.map((_, column) => Math.max(...table.map((row) => row[column].length)))
  console.log(`\n${title}\n`)
  for (const row of table) {
    const cells = row.map((cell, column) =>
      column === 0 || header[column] === 'program' ? cell.padEnd(widths[column]) : cell.padStart(widths[column]),
    )
    console.log(cells.join('   ').trimEnd())
  }
}

/** Digits enough for three that count. */
export function figure(value) {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(value < 0.1 ? 4 : 2)
}

/**
 * A row for each program: the median, its spread, how many times better than `reference`, the share of the floor.
 * @param better 'more' or 'less': what is better
 * @param floor of a program: what the machine could do at best, in the same unit
 */
export function programRows(label, trials, { key, better, reference = 'python', floor = () => undefined }) {
  const value = (program) => median(trials.get(program).map((trial) => trial[key]))
  return [...trials.keys()].map((program, i) => {
    const values = trials.get(program).map((trial) => trial[key])
    const against = trials.has(reference) && program !== reference ? value(reference) : undefined
    const ratio = against && (better === 'more' ? value(program) / against : against / value(program))
    const limit = floor(program)
    const share = limit && (better === 'more' ? value(program) / limit : limit / value(program))
    return [
      i === 0 ? label : '',
      PROGRAMS[program].label,
      figure(value(program)),
      values.length > 1 ? `±${spread(values).toFixed(1)} %` : '',
      ratio ? `${ratio.toFixed(2)}×` : '',
      share ? `${(100 * share).toFixed(0)} %` : '',
    ]
  })
}

export const header = (unit) => ['', 'program', unit, 'spread', 'times Python', 'of the floor']
