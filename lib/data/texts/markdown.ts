import { type LinePart, linesOf } from './lines.js'
import { type Paragraph, ParagraphBuilder } from './paragraph.js'

const fence = /^ {0,3}(`{3,}|~{3,})/
const quote = /^ {0,3}(?:>[ \t]?)+/
const heading = /^ {0,3}#{1,6}(?:[ \t]+|$)/
/** A line under a heading, or between two parts of a text. It has no spaces at its end. */
const rule = /^ {0,3}(?:=+|-+|(?:[-_*][ \t]*){3,})$/
/** The line under the head of a table, without spaces at its ends. */
const tableRule = /^\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?$/
/** A link or an image. The lengths are limited, so that the search takes linear time. */
const link =
  /!?\[([^[\]]{0,500})\]\((?:[^()\s]{0,2000}|<[^<>]{0,2000}>)(?:[ \t]{1,10}(?:"[^"]{0,500}"|'[^']{0,500}'))?\)/g

/** Lines that a head between lines of "---" may have. */
const MAX_HEAD = 500

/**
 * The paragraphs of a Markdown text. Blank lines, headings, rules and blocks of code separate them. The marks of blocks and
 * the addresses of links go; other marks stay as they are. A head between lines of "---" is left out.
 */
export async function* markdownParagraphs(pieces: AsyncIterable<string>): AsyncGenerator<Paragraph, void, undefined> {
  const builder = new ParagraphBuilder()
  /** The mark that began the present block of code. */
  let code: string | undefined
  for await (const { text, line, begins, ends } of withoutHead(linesOf(pieces))) {
    const mark = begins ? fence.exec(text)?.[1] : undefined
    const isFence = code === undefined ? mark !== undefined : mark?.startsWith(code) === true
    if (isFence) code = code === undefined ? mark : undefined
    const isCode = code !== undefined
    const content = begins && !isCode ? text.replace(quote, '').trimEnd() : text
    const isHeading = begins && !isCode && heading.test(content)
    const isBreak = isFence || (begins && (content.trim() === '' || (!isCode && rule.test(content))))
    if (isBreak || isHeading || builder.isFull) {
      const before = builder.take()
      if (before) yield before
    }
    if (isBreak || (begins && !isCode && tableRule.test(content.trim()))) continue
    builder.add(isCode ? content : withoutLinks(isHeading ? titleOf(content) : content), line)
    if (ends) builder.addSpace()
    const title = isHeading ? builder.take() : undefined
    if (title) yield title
  }
  const last = builder.take()
  if (last) yield last
}

/** The lines without a head. A first "---" that no other one follows is a rule. */
async function* withoutHead(lines: AsyncIterable<LinePart>): AsyncGenerator<LinePart, void, undefined> {
  let head: LinePart[] | undefined = []
  for await (const part of lines) {
    if (head === undefined) {
      yield part
      continue
    }
    head.push(part)
    const isMark = part.begins && (part.text.trimEnd() === '---' || (head.length > 1 && part.text.trimEnd() === '...'))
    if (isMark && head.length > 1) head = undefined
    else if (!(isMark || head.length > 1) || head.length > MAX_HEAD) {
      yield* head
      head = undefined
    }
  }
  if (head) yield* head
}

/** A heading without its marks. */
function titleOf(text: string): string {
  const title = text.replace(heading, '')
  let end = title.length
  while (title[end - 1] === '#') end--
  return end === 0 || title[end - 1] === ' ' ? title.slice(0, end) : title
}

function withoutLinks(text: string): string {
  return text.includes('](') ? text.replace(link, '$1') : text
}
