/**
 * Splits text into words as NLTK's `word_tokenize`, and joins them as its `TreebankWordDetokenizer`. The regular
 * expressions are those of NLTK (Apache-2.0; nltk/tokenize/destructive.py and treebank.py), in its order. A simple rule
 * replaces NLTK's trained model for the end of sentences. It only decides whether the period before a further sentence is a
 * word of its own.
 */

type Rule = (text: string) => string

/** White space, word characters and digits, as in Python's regular expressions. */
const S = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]'
const NOT_S = S.replace('[', '[^')
const W = '[\\p{L}\\p{M}\\p{N}_]'
/** \b at the beginning and at the end of a word. */
const BEGIN = `(?<!${W})`
const END = `(?!${W})`

/**
 * A replacement. Its pattern is compiled on first use, because every process that imports the package loads this file.
 * @param source with `\s`, `\w` and `\d` as in Python
 */
function rule(source: string, replacement: string, flags = 'gu'): Rule {
  let pattern: RegExp | undefined
  return (text) => {
    pattern ??= new RegExp(source.replaceAll('\\s', S).replaceAll('\\w', W).replaceAll('\\d', '\\p{Nd}'), flags)
    return text.replace(pattern, replacement)
  }
}

/** Group 3 of a pattern, without backtracking: no other split of the rest could match, and trying all would take long. */
function greedily(source: string): string {
  return `(?=(${source}))\\3`
}

const startingQuotes: Rule[] = [
  rule('([«“‘„]|[`]+)', ' $1 '),
  rule('^"', '``'),
  rule('(``)', ' $1 '),
  rule('([ \\(\\[\\{<])("|\'{2})', '$1 `` '),
  rule(`(?<!\\w)(')(?!(?:re|ve|ll|m|t|s|d|n)${END})(?=\\w)`, '$1 ', 'giu'),
]

const punctuation: Rule[] = [
  rule(`([^\\.])(\\.)${greedily('[\\]\\)\\}>"\'»”’ ]*')}\\s*$`, '$1 $2 $3 '),
  rule('([:,])([^\\d])', ' $1 $2'),
  rule('([:,])$', ' $1 '),
  rule('\\.{2,}', ' $& '),
  rule('[;@#$%&]', ' $& '),
  rule('[\\u2012-\\u2015]', ' $& '),
  rule(`([^\\.])(\\.)${greedily('[\\]\\)\\}>"\']*')}\\s*$`, '$1 $2$3 '),
  rule('[?!]', ' $& '),
  rule("([^'])' ", "$1 ' "),
  rule('[*]', ' $& '),
  rule('[\\]\\[\\(\\)\\{\\}<>]', ' $& '),
  rule('--', ' -- '),
]

const endingQuotes: Rule[] = [
  rule('([»”’])', ' $1 '),
  rule("''", " '' "),
  rule('"', " '' "),
  rule('\\s+', ' '),
  rule("([^' ])('[sS]|'[mM]|'[dD]|') ", '$1 $2 '),
  rule("([^' ])('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) ", '$1 $2 '),
]

/** Two parts that are written as one word, and what must follow. */
const contractions: [string, string, string][] = [
  ['can', 'not', END],
  ['d', "'ye", END],
  ['gim', 'me', END],
  ['gon', 'na', END],
  ['got', 'ta', END],
  ['lem', 'me', END],
  ['more', "'n", END],
  ['wan', 'na', '(?=\\s)'],
]

const splitContractions: Rule[] = [
  ...contractions.map(([a, b, end]) => rule(`${BEGIN}(${a})(${b})${end}`, ' $1 $2 ', 'giu')),
  ...['is', 'was'].map((verb) => rule(` ('t)(${verb})${END}`, ' $1 $2 ', 'giu')),
]

const joinContractions: Rule[] = [
  ...['is', 'was'].map((verb) => rule(` ('t)\\s(${verb})${END}`, '$1$2', 'giu')),
  ...contractions.map(([a, b, end]) => rule(`${BEGIN}(${a})\\s(${b})${end}`, '$1$2', 'giu')),
]

const joinEndingQuotes: Rule[] = [
  rule("([^' ])\\s('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) ", '$1$2 '),
  rule("([^' ])\\s('[sS]|'[mM]|'[dD]|') ", '$1$2 '),
  rule(`((?!')${NOT_S})\\s('')`, '$1$2'),
  rule("([,.;:!?'])\\s+(\"|'')", '$1$2'),
  rule("('')\\s([.,:)\\]>\\};%])", '$1$2'),
  rule("''", '"'),
  rule('([,.;:!?])"(\')', '$1$2"'),
]

const joinRest: Rule[] = [
  rule(' -- ', '--'),
  rule('([\\[\\(\\{<])\\s', '$1'),
  rule('\\s([\\]\\)\\}>])', '$1'),
  rule('([\\]\\)\\}>])\\s([:;,.])', '$1$2'),
  rule("([^'])\\s'\\s", "$1' "),
  rule('\\s([?!])', '$1'),
  rule('([^\\.])\\s(\\.)(?!\\.)([\\]\\)\\}>"\']*)', '$1$2$3'),
  rule('([#$])\\s', '$1'),
  rule('\\s([;%])', '$1'),
  rule('\\s\\.\\.\\.\\s', '...'),
  rule('\\s([:,])', '$1'),
  rule('([ (\\[\\{<])\\s``', '$1``'),
  rule('(``)\\s', '$1'),
  rule('``', '"'),
]

const edges = new RegExp(`^${S}+|${S}+$`, 'gu')
const spaces = new RegExp(`${S}+`, 'u')

function apply(text: string, rules: readonly Rule[]): string {
  return rules.reduce((current, replace) => replace(current), text)
}

/** The words of one sentence (NLTK's NLTKWordTokenizer). */
export function sentenceWords(sentence: string): string[] {
  const spaced = apply(apply(sentence, startingQuotes), punctuation)
  const split = apply(apply(` ${spaced} `, endingQuotes), splitContractions)
  return split.split(spaces).filter((word) => word !== '')
}

/** Titles and abbreviations: a period after one ends no sentence. */
const abbreviations = new Set(
  'mr mrs ms dr prof sr jr st vs etc e.g i.e no fig inc ltd co corp gen col sen rep gov capt lt sgt mt jan feb mar apr jun jul aug sep sept oct nov dec u.s u.k a.m p.m'.split(
    ' ',
  ),
)
const boundary = /(?<![.?!])([.?!]+["'”’)\]]*)\s+(?=["'“‘([]*[\p{Lu}\p{Nd}])/gu

/** Sentences end with `.`, `?` or `!` before a capital letter or a digit, unless an abbreviation comes first. */
export function sentences(text: string): string[] {
  const found: string[] = []
  let start = 0
  for (const match of text.matchAll(boundary)) {
    const end = match.index + match[1]!.length
    const last = lastWord(text, start, match.index)
    const isAbbreviation = match[1] === '.' && (abbreviations.has(last.toLowerCase()) || /^\p{Lu}$/u.test(last))
    if (isAbbreviation) continue
    found.push(text.slice(start, end))
    start = match.index + match[0].length
  }
  found.push(text.slice(start))
  return found
}

/** The text before `end`, back to white space, a bracket, a quote or `start`. */
function lastWord(text: string, start: number, end: number): string {
  let from = end
  while (from > start && !/[\s("'“‘[]/.test(text[from - 1]!)) from--
  return text.slice(from, end)
}

/** The words of a text (NLTK's word_tokenize). */
export function words(text: string): string[] {
  return sentences(text).flatMap(sentenceWords)
}

/** A text of words (NLTK's TreebankWordDetokenizer). */
export function joinWords(parts: readonly string[]): string {
  const joined = apply(apply(` ${parts.join(' ')} `, joinContractions), joinEndingQuotes)
  return apply(joined.replace(edges, ''), joinRest).replace(edges, '')
}
