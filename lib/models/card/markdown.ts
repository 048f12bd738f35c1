/** Values and tables as Python writes them into a model card. */

/** A float of Python: `1.0`, `1e-08`. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  if (Number.isInteger(value) && Math.abs(value) < 1e16) return `${value}.0`
  const [digits, power = '0'] = value.toExponential().split('e') as [string, string]
  const exponent = Number(power)
  if (exponent >= -4 && exponent < 16) return String(value)
  return `${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
}

/** `repr` of a text: single quotes, unless it has those and no double ones. */
export function textRepr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  const escapes: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t', [quote]: `\\${quote}` }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: Python escapes them
  const inside = text.replace(/[\\\n\r\t'"\u0000-\u001f\u007f]/g, (character) => {
    if (character in escapes) return escapes[character]!
    return /['"]/.test(character) ? character : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
  return quote + inside + quote
}

/** A value as `str` of Python prints it. */
export function valueText(value: unknown): string {
  return typeof value === 'string' ? value : reprOf(value)
}

function reprOf(value: unknown): string {
  if (value === null || value === undefined) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (typeof value === 'string') return textRepr(value)
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : floatText(value)
  if (Array.isArray(value)) return `[${value.map(reprOf).join(', ')}]`
  if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    return `{${Object.entries(value)
      .map(([key, member]) => `${textRepr(key)}: ${reprOf(member)}`)
      .join(', ')}}`
  }
  return typeof value === 'object' ? value.constructor.name : String(value)
}

/** Source: transformers' `make_markdown_table`. @param isCentred whether columns are centred, as there */
export function markdownTable(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  isCentred = false,
): string {
  const widths = columns.map((name, i) => Math.max(length(name), ...rows.map((row) => length(row[i]!))))
  const line = (cells: readonly string[]) =>
    `${cells.map((cell, i) => `| ${cell}${' '.repeat(widths[i]! - length(cell) + 1)}`).join('')}|`
  const rule = `${widths.map((width) => `|:${'-'.repeat(width)}${isCentred ? ':' : '-'}`).join('')}|`
  return [line(columns), rule, ...rows.map(line)].join('\n')
}

/** As Python counts: in code points. */
function length(text: string): number {
  return [...text].length
}

/** A cell of a table: no line breaks, no bars. Source: `_format_example_value`. */
export function cellText(text: string): string {
  const cut = text.length > 1000 ? `${text.slice(0, 1000)}...` : text
  return cut.replaceAll('\n', '<br>').replaceAll('|', '\\|')
}

export function indented(text: string): string {
  return text.replace(/^(?=.)/gm, '  ')
}

/** `1.6 hours`. Source: `format_duration`. */
export function durationText(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} seconds`
  if (seconds < 3600) return `${(seconds / 60).toFixed(1)} minutes`
  return seconds < 86_400 ? `${(seconds / 3600).toFixed(1)} hours` : `${(seconds / 86_400).toFixed(1)} days`
}

/** Lines of a list of texts in Python's code. */
export function codeList(texts: readonly string[]): string {
  return texts.map((text) => `    ${textRepr(text)},`).join('\n')
}
