/** HTML from template literals: every value is escaped, unless it is HTML itself. */

const CODES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** A text that is HTML: of `html`, or of a drawing. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  toString(): string {
    return this.text
  }
}

type Part = Html | string | number | null | undefined | false | readonly Part[]

/** `html\`<p>${text}</p>\``; lists are joined, nothing stands for null, undefined and false. */
export function html(strings: TemplateStringsArray, ...values: readonly Part[]): Html {
  return new Html(strings.map((text, i) => text + (i < values.length ? textOf(values[i]) : '')).join(''))
}

export function escaped(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: HTML does not allow them, not even escaped
  const clean = text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]|\p{Surrogate}/gu, '\ufffd')
  return clean.replace(/[&<>"']/g, (character) => CODES[character]!)
}

function textOf(value: Part): string {
  if (value === null || value === undefined || value === false) return ''
  if (value instanceof Html) return value.text
  return Array.isArray(value) ? value.map(textOf).join('') : escaped(String(value))
}
