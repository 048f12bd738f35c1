import { TimeSlice } from '../time-slice.js'
import { lineAt, type Paragraph } from './paragraph.js'
import { partsOfWords, type Ruler, shortParts } from './sizes.js'

/** A part of a text that passages consist of: a sentence, or a word of a sentence that is too long. */
export interface Unit {
  /** With the space behind it. */
  text: string
  size: number
  line: number
}

/** Intl.Segmenter takes time for the whole text at each step, so it gets parts of a paragraph. */
const SEGMENT_LENGTH = 2048
/** Characters that are measured together. */
const BATCH_LENGTH = 1 << 15

/** The units of each paragraph, of a very long one in several parts. None is longer than a passage may be. */
export async function* unitsOf(
  paragraphs: AsyncIterable<Paragraph>,
  ruler: Ruler,
  locale: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Unit[], void, undefined> {
  const segmenter = new Intl.Segmenter(locale, { granularity: 'sentence' })
  const slice = new TimeSlice()
  let batch: Unit[][] = []
  let length = 0
  for await (const paragraph of paragraphs) {
    batch.push([])
    for (const sentence of sentencesOf(paragraph, segmenter)) {
      batch.at(-1)!.push(sentence)
      length += sentence.text.length
      if (length < BATCH_LENGTH) continue
      yield* await measured(batch, ruler, signal)
      await slice.yield()
      batch = [[]]
      length = 0
    }
  }
  yield* await measured(batch, ruler, signal)
}

/** Sentences without sizes. */
function* sentencesOf(paragraph: Paragraph, segmenter: Intl.Segmenter): Generator<Unit, void, undefined> {
  const { text } = paragraph
  let start = 0
  while (start < text.length) {
    const part = text.slice(start, start + SEGMENT_LENGTH)
    const isLast = start + part.length === text.length
    let end = start
    for (const { segment, index } of segmenter.segment(part)) {
      const isWhole = isLast || index + segment.length < part.length
      // A sentence as long as the part is cut at a space, which joins it again in a passage.
      const sentence = isWhole ? segment : index === 0 ? uptoSpace(segment) : ''
      if (sentence === '') break
      const line = lineAt(paragraph, start + index)
      end = start + index + sentence.length
      yield { text: end < text.length ? sentence : `${sentence} `, size: 0, line }
    }
    start = end
  }
}

function uptoSpace(text: string): string {
  const space = text.lastIndexOf(' ')
  return space > 0 ? text.slice(0, space + 1) : shortParts(text, text.length - 1).next().value!
}

async function measured(
  paragraphs: readonly Unit[][],
  ruler: Ruler,
  signal: AbortSignal | undefined,
): Promise<Unit[][]> {
  const sizes = await sizesOf(paragraphs.flat(), ruler, signal)
  let next = 0
  const result: Unit[][] = []
  for (const sentences of paragraphs) {
    const units: Unit[] = []
    for (const sentence of sentences) {
      const size = sizes[next++]!
      if (size <= ruler.room && sentence.text.length <= SEGMENT_LENGTH) units.push({ ...sentence, size })
      else units.push(...(await wordsOf(sentence, ruler, signal)))
    }
    result.push(units)
  }
  return result
}

/** A sentence in words; a word that is still too long in halves. */
async function wordsOf(sentence: Unit, ruler: Ruler, signal: AbortSignal | undefined): Promise<Unit[]> {
  const words = Array.from(partsOfWords(sentence.text), (text) => ({ ...sentence, text }))
  return halved(words, ruler, signal)
}

async function halved(units: Unit[], ruler: Ruler, signal: AbortSignal | undefined): Promise<Unit[]> {
  const sizes = await sizesOf(units, ruler, signal)
  const result: Unit[] = []
  for (const [i, unit] of units.entries()) {
    const size = sizes[i]!
    const halves = size > ruler.room ? [...shortParts(unit.text, Math.max(1, unit.text.length >> 1))] : []
    if (halves.length < 2) result.push({ ...unit, size })
    else
      result.push(
        ...(await halved(
          halves.map((text) => ({ ...unit, text })),
          ruler,
          signal,
        )),
      )
  }
  return result
}

function sizesOf(units: readonly Unit[], ruler: Ruler, signal: AbortSignal | undefined): Promise<number[]> {
  return ruler.sizesOf(
    units.map(({ text }) => text.trim()),
    signal,
  )
}
