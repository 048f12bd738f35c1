import { SentenceTorchError } from '../../errors.js'
import { TimeSlice } from '../time-slice.js'
import { type Paragraph, ParagraphBuilder } from './paragraph.js'

/** Limits of one file, which is parsed as a whole. Browsers nest elements to a depth of 512. */
const MAX_CHARACTERS = 32 * 2 ** 20
const MAX_ELEMENTS = 500_000
const MAX_DEPTH = 512
const MAX_ATTRIBUTES = 1000
/** Characters and nodes between two looks at the clock. */
const SLICE_CHARACTERS = 1 << 12
const SLICE_NODES = 1024

/** Elements whose content is no text of the page. */
const skipped = new Set(
  'script style noscript template head iframe object embed svg math canvas audio video select textarea'.split(' '),
)
/** Elements that begin and end a paragraph, as in the style sheet of HTML. */
const blocks = new Set(
  (
    'address article aside blockquote body caption center dd details dialog dir div dl dt fieldset figcaption figure footer form ' +
    'h1 h2 h3 h4 h5 h6 header hgroup hr legend li listing main menu nav ol optgroup option p plaintext pre search section summary ' +
    'table tbody tfoot thead tr ul xmp'
  ).split(' '),
)
/** Elements that separate words. */
const spaces = new Set(['td', 'th', 'img', 'input', 'button'])

/** The parts of parse5's nodes that are read here. */
interface HtmlNode {
  nodeName: string
  value?: string
  childNodes?: HtmlNode[]
  sourceCodeLocation?: { startLine: number } | null
}

/**
 * The paragraphs of an HTML page: the text of its body without scripts and styles. Every block is a paragraph of its own,
 * a row of a table too. Two line breaks (`<br>`) also end a paragraph.
 * @param where names the file
 * @throws SentenceTorchError ERR_INVALID_FILE for a page beyond the limits
 */
export async function* htmlParagraphs(
  pieces: AsyncIterable<string>,
  where: string,
): AsyncGenerator<Paragraph, void, undefined> {
  const slice = new TimeSlice()
  const builder = new ParagraphBuilder()
  let breaks = 0
  let count = 0
  for (const { node, isEnd } of nodesOf(await parse(pieces, where, slice))) {
    if (++count % SLICE_NODES === 0) await slice.yield()
    const { nodeName: name } = node
    if (name === '#text') {
      if (node.value!.trim() !== '') breaks = 0
      builder.add(node.value!, node.sourceCodeLocation?.startLine ?? 1)
    } else if (spaces.has(name)) builder.addSpace()
    else if (name === 'br' && !isEnd) {
      builder.addSpace()
      breaks++
    }
    if (!blocks.has(name) && breaks < 2 && !builder.isFull) continue
    breaks = 0
    const paragraph = builder.take()
    if (paragraph) yield paragraph
  }
  const last = builder.take()
  if (last) yield last
}

/** The document, parsed in short slices. */
async function parse(pieces: AsyncIterable<string>, where: string, slice: TimeSlice): Promise<HtmlNode> {
  const { defaultTreeAdapter, Parser } = await import('parse5')
  let elements = 0
  let depth = 0
  const treeAdapter: typeof defaultTreeAdapter = {
    ...defaultTreeAdapter,
    onItemPush() {
      if (++elements > MAX_ELEMENTS) throw tooMuch(`${MAX_ELEMENTS} elements`, where)
      if (++depth > MAX_DEPTH) throw tooMuch(`${MAX_DEPTH} elements within each other`, where)
    },
    onItemPop() {
      depth--
    },
  }
  const parser = new Parser({ sourceCodeLocationInfo: true, treeAdapter })
  let length = 0
  for await (const piece of pieces) {
    length += piece.length
    if (length > MAX_CHARACTERS) throw tooMuch(`${MAX_CHARACTERS / 2 ** 20} MB of text`, where)
    for (let at = 0; at < piece.length; at += SLICE_CHARACTERS) {
      parser.tokenizer.write(piece.slice(at, at + SLICE_CHARACTERS), false)
      if (attributesOf(parser.tokenizer) > MAX_ATTRIBUTES)
        throw tooMuch(`${MAX_ATTRIBUTES} attributes of an element`, where)
      await slice.yield()
    }
  }
  parser.tokenizer.write('', true)
  return parser.document as HtmlNode
}

/**
 * The number of attributes of the tag that has not ended. parse5 compares each of them with all before, and has no limit
 * of its own.
 */
function attributesOf(tokenizer: object): number {
  const { currentToken } = tokenizer as { currentToken?: { attrs?: readonly unknown[] } | null }
  return currentToken?.attrs?.length ?? 0
}

/** The nodes in their order; elements twice, at their begin and their end. Without recursion. */
function* nodesOf(document: HtmlNode): Generator<{ node: HtmlNode; isEnd: boolean }, void, undefined> {
  const open: { node: HtmlNode; next: number }[] = [{ node: document, next: 0 }]
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const child = top.node.childNodes?.[top.next++]
    if (child === undefined) {
      open.pop()
      yield { node: top.node, isEnd: true }
    } else if (child.nodeName === '#text') yield { node: child, isEnd: false }
    else if (!skipped.has(child.nodeName)) {
      yield { node: child, isEnd: false }
      open.push({ node: child, next: 0 })
    }
  }
}

function tooMuch(most: string, where: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_FILE', `Expected at most ${most} in ${where}, found more`)
}
