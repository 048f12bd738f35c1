import { listed } from './names.js'
import { parseNumber } from './numbers.js'

/** Usual column names. A line with one of them is a header. */
const known =
  /^(?:anchor|positive|negative|query|question|answer|response|passage|document|premise|hypothesis|sentence|text|label|labels|score|scores|id|title)s?[-_ ]?(?:\d+|[ab]|id)?$/i
const sentence = /\S\s+\S+.*[.?!。？！]["'”’)]?$|(?:\S+\s+){2}\S/su
/** Limit of characters in a name. A longer one is a sentence and would slow the regular expression. */
const LONGEST_NAME = 60

/** Files with a warning already. A stream reads its file again in every epoch. */
const warned = new Set<string>()

/**
 * Whether the header line of a file looks like a row of data: a name reads like a sentence, is a number (except 0, 1,
 * 2, …, which are pandas' column numbers), or appears again among the values of its column.
 * @param columns the first rows
 */
export function looksLikeRow(names: readonly string[], columns: readonly (readonly unknown[])[]): boolean {
  if (names.some((name) => known.test(name.trim()) || name.startsWith('Unnamed: '))) return false
  const numbered = names.every((name, i) => name === String(i))
  if (numbered) return false
  return names.some(
    (name, i) =>
      readsLikeSentence(name.trim()) || parseNumber(name) !== undefined || columns[i]?.includes(name) === true,
  )
}

function readsLikeSentence(name: string): boolean {
  // A character is one UTF-16 unit or two.
  return name.length > 2 * LONGEST_NAME || [...name].length > LONGEST_NAME || sentence.test(name)
}

/** Warns once for each file that its first row may have been lost. */
export function warnOfLostRow(names: readonly string[], columns: readonly (readonly unknown[])[], file: string): void {
  if (warned.has(file) || !looksLikeRow(names, columns)) return
  warned.add(file)
  const shown = listed(names.map((name) => JSON.stringify(name.length > 40 ? `${name.slice(0, 37)}...` : name)))
  process.emitWarning(`The first line of ${file}, which is taken for its header, looks like a row: ${shown}`, {
    type: 'SentenceTorchWarning',
    code: 'WARN_HEADER',
    detail:
      'If it is one, it is missing from the data: read the file with { header: false, columns: [...] }, which names the columns.',
  })
}
