/** Texts in drawings: one line, of limited length, of characters that XML allows. */

/** Most characters of a label. */
export const MOST_LABEL = 40

/** One line of at most `most` characters; what is cut off is an ellipsis. */
export function cut(text: string, most = MOST_LABEL): string {
  const clean = printable(text).replace(/\s+/g, ' ').trim()
  const characters = [...clean.slice(0, 4 * most)]
  return characters.length <= most
    ? clean
    : `${characters
        .slice(0, most - 1)
        .join('')
        .trimEnd()}…`
}

/** Characters that XML 1.0 does not allow become U+FFFD. Source: its production 2. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu, '\ufffd')
}

/** Short labels, each another: of texts that are cut to the same, or are the same, later ones get a number. */
export function uniqueLabels(texts: readonly string[], most = MOST_LABEL): string[] {
  const taken = new Set<string>()
  return texts.map((text) => {
    let label = cut(text, most)
    for (let n = 2; taken.has(label); n++) label = `${cut(text, most - ` (${n})`.length)} (${n})`
    taken.add(label)
    return label
  })
}
