// Pages of docs/ with parts that are made from the source: between `<!-- generated: name -->` and `<!-- end -->`.

/** The page with its generated parts as `parts` has them, by name. @throws where page and parts have not the same names */
export function fillPage(page: string, parts: Readonly<Record<string, string>>): string {
  const waiting = new Set(Object.keys(parts))
  const filled = page.replace(/(<!-- generated: (.+?) -->\n)[\s\S]*?(<!-- end -->)/g, (_, start, name, end) => {
    const part = parts[name as string]
    if (part === undefined) throw new Error(`Nothing makes the part ${name}`)
    waiting.delete(name as string)
    return `${start}\n${part.trim()}\n\n${end}`
  })
  if (waiting.size > 0) throw new Error(`The page has no place for ${[...waiting].join(', ')}`)
  return filled
}

/** A table of Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n')
}

/** A value as it is written in a program; in a table texts and names stand out as code. */
export function code(value: unknown): string {
  if (Number.isFinite(value)) return numeral(value as number)
  if (typeof value === 'number') return `\`${value}\``
  return `\`${typeof value === 'string' ? value : JSON.stringify(value).replaceAll('"', "'")}\``
}

/** 5e-5 rather than 0.00005. */
export function numeral(value: number): string {
  return value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential() : String(value)
}

/** Lines of at most `width` characters. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length < width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

/** A comment of documentation. */
export function docComment(text: string, indent: string): string {
  const whole = `${indent}/** ${text} */`
  if (whole.length <= 120) return whole
  return [`${indent}/**`, ...wrap(text, 116 - indent.length).map((line) => `${indent} * ${line}`), `${indent} */`].join(
    '\n',
  )
}
