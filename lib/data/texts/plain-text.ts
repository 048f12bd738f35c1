import { linesOf } from './lines.js'
import { type Paragraph, ParagraphBuilder } from './paragraph.js'

/** The paragraphs of a text: blank lines separate them. */
export async function* plainParagraphs(pieces: AsyncIterable<string>): AsyncGenerator<Paragraph, void, undefined> {
  const builder = new ParagraphBuilder()
  for await (const { text, line, begins, ends } of linesOf(pieces)) {
    const isBlank = begins && ends && text.trim() === ''
    if (!isBlank) builder.add(text, line)
    if (ends) builder.addSpace()
    const paragraph = isBlank || builder.isFull ? builder.take() : undefined
    if (paragraph) yield paragraph
  }
  const last = builder.take()
  if (last) yield last
}
