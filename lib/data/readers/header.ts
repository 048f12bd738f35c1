import { listed } from './names.js'
import { parseNumber } from './numbers.js'

/** Names of columns that are known, in whatever file; where there is one of them, the line is a header. */
const known =
  /^(?:anchor|positive|negative|query|question|answer|response|passage|document|premise|hypothesis|sentence|text|label|labels|score|scores|id|title)s?[-_ ]?(?:\d+|[ab]|id)?$/i
const sentence = /\S\s+\S+.*[.?!。？！]["'”’)]?$|(?:\S+\s+){2}\S/su
/** Characters; longer names are sentences, and none that the expression would take long for. */
const LONGEST_NAME = 60

/** Files that were warned of: a stream reads its file again in every epoch. */
const warned = new Set<string>()

/**
 * Whether what stands in the first line of a file may be a row of data: a name that reads like a sentence or is a number (but
 * not 0, 1, 2, …, as which pandas numbers columns), or that comes again among the values of its column.
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

/** Warns, once for each file, that its first row may have been lost. */
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
