import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import test from 'ava'
import fc from 'fast-check'
import { htmlParagraphs } from '../../lib/data/texts/html.js'
import { linesOf } from '../../lib/data/texts/lines.js'
import { markdownParagraphs } from '../../lib/data/texts/markdown.js'
import { lineAt, type Paragraph } from '../../lib/data/texts/paragraph.js'
import { SeenTexts } from '../../lib/data/texts/seen-texts.js'
import { countWords } from '../../lib/data/texts/sizes.js'
import { Tokenizer } from '../../lib/data/tokenizer.js'
import { DataStream, Dataset, type Passage, type ReadTextsOptions, readTexts } from '../../lib/index.js'
import { wordPieceTokenizer } from '../helpers/word-piece.js'

const root = mkdtempSync(join(tmpdir(), 'read-texts-'))
test.after.always(() => rmSync(root, { recursive: true, force: true }))
let count = 0

/** A new folder with these files. */
function folderOf(files: Record<string, string | Uint8Array>): string {
  const folder = join(root, String(count++))
  mkdirSync(folder)
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), content)
  }
  return folder
}

async function all(paths: string | readonly string[], options: ReadTextsOptions = {}): Promise<Passage[]> {
  const found: Passage[] = []
  for await (const passage of readTexts(paths, options)) found.push(passage)
  return found
}

async function textsOf(name: string, content: string | Uint8Array, options: ReadTextsOptions = {}): Promise<string[]> {
  const passages = await all(join(folderOf({ [name]: content }), name), options)
  return passages.map(({ text }) => text)
}

/** The paragraphs of a text, with their lines. */
async function paragraphsIn(
  make: (pieces: AsyncIterable<string>, where: string) => AsyncIterable<Paragraph>,
  text: string,
): Promise<[number, string][]> {
  const found: [number, string][] = []
  for await (const paragraph of make(Readable.from([text]), 'a page'))
    found.push([lineAt(paragraph, 0), paragraph.text])
  return found
}

test('paragraphs are put together while they fit, cut between sentences, then between words', async (t) => {
  const text = 'One two three.\n\nFour five. Six seven eight\nnine ten.\n \t\nEleven.'
  t.deepEqual(await textsOf('a.txt', text), ['One two three. Four five. Six seven eight nine ten. Eleven.'])
  t.deepEqual(await textsOf('a.txt', text, { maxTokens: 7, overlap: 0 }), [
    'One two three.',
    'Four five. Six seven eight nine ten.',
    'Eleven.',
  ])
  t.deepEqual(await textsOf('a.txt', text, { maxTokens: 5, overlap: 0 }), [
    'One two three. Four five.',
    'Six seven eight nine ten.',
    'Eleven.',
  ])
  t.deepEqual(await textsOf('a.txt', text, { maxTokens: 2, overlap: 0 }), [
    ...['One two', 'three.', 'Four five.', 'Six seven', 'eight nine', 'ten. Eleven.'],
  ])
})

test('a passage repeats whole sentences of the one before, up to the overlap', async (t) => {
  const text = 'A b c. D e f. G h i. J k.'
  t.deepEqual(await textsOf('a.txt', text, { maxTokens: 6, overlap: 3 }), [
    'A b c. D e f.',
    'D e f. G h i.',
    'G h i. J k.',
  ])
  t.deepEqual(await textsOf('a.txt', text, { maxTokens: 6, overlap: 2 }), ['A b c. D e f.', 'G h i. J k.'])
  t.deepEqual(
    await textsOf('a.txt', text, { maxTokens: 4, overlap: 3 }),
    ['A b c.', 'D e f.', 'G h i.', 'J k.'],
    'an overlap that leaves no room is left out',
  )
})

test('a passage names its file, its line and its place among the passages of the file', async (t) => {
  const folder = folderOf({ 'b.txt': '\n\none\n\ntwo three\nfour. Five six', 'a.txt': 'x' })
  t.deepEqual(await all(folder, { maxTokens: 3, overlap: 0 }), [
    { text: 'x', file: join(folder, 'a.txt'), line: 1, index: 0 },
    { text: 'one', file: join(folder, 'b.txt'), line: 3, index: 0 },
    { text: 'two three four.', file: join(folder, 'b.txt'), line: 5, index: 1 },
    { text: 'Five six', file: join(folder, 'b.txt'), line: 6, index: 2 },
  ])
})

test('whitespace is cleaned, and equal passages come once', async (t) => {
  const text = '\ufeffa\u00a0 \t b\u0007c soft\u00adened\r\nd\r\re\fe\n\na b c softened\nd\n\nF'
  t.deepEqual(await textsOf('a.txt', text, { maxTokens: 5, overlap: 0 }), ['a b c softened d', 'e e', 'F'])
  const folder = folderOf({ 'a.txt': 'same', 'b/a.txt': 'same', 'c.txt': 'other' })
  t.deepEqual(
    (await all(folder)).map(({ text }) => text),
    ['same', 'other'],
  )
  t.is((await all(folder, { dropDuplicates: false })).length, 3)
})

test('HTML: the text of the body, one paragraph for each block', async (t) => {
  const page = `<!doctype html><html><head><title>no</title><style>no</style></head><body>
<h1>A&amp;b</h1><script>no()</script><p>one <b>t</b>wo<br>three<div>in <em>four</em>
<ul><li>five<li>six</ul><noscript>no</noscript><svg><text>no</text></svg>
<table><tr><td>c1<td>c2<tr><td>c3</table>last<br> <br/>end<!-- no --><template>no</template>&nbsp;x`
  t.deepEqual(await paragraphsIn(htmlParagraphs, page), [
    [2, 'A&b'],
    [2, 'one two three'],
    [2, 'in four'],
    [3, 'five'],
    [3, 'six'],
    [4, 'c1 c2'],
    [4, 'c3'],
    [4, 'last'],
    [4, 'end x'],
  ])
  t.deepEqual(await textsOf('a.HTM', page, { maxTokens: 5, overlap: 0 }), [
    'A&b one two three',
    'in four five six',
    'c1 c2 c3 last',
    'end x',
  ])
})

test('Markdown: without the marks of blocks, heads and addresses of links', async (t) => {
  const text = `---
title: no
---
Intro [link](http://x.y/z "t") and ![image](a.png) \`code\`
# Title one #
text
under
-----
> quoted
> lines

\`\`\`js
const [a](b) = 1

# no heading
\`\`\`
| a | b |
|---|---|
| 1 | 2 |
***
end`
  t.deepEqual(await paragraphsIn(markdownParagraphs, text), [
    [4, 'Intro link and image `code`'],
    [5, 'Title one'],
    [6, 'text under'],
    [9, 'quoted lines'],
    [13, 'const [a](b) = 1'],
    [15, '# no heading'],
    [17, '| a | b | | 1 | 2 |'],
    [21, 'end'],
  ])
  t.deepEqual(await textsOf('a.md', '---\nno head\n\nbut text'), ['no head but text'])
  t.deepEqual(await textsOf('a.md', '---\nhead\n...\ntext'), ['text'])
})

test('tokens are counted by the tokenizer, with the special tokens', async (t) => {
  const json = wordPieceTokenizer(['a', '##b', 'c', '.'])
  const tokenizer = Tokenizer.fromFiles(json, {}, { maxSeqLength: 6 })
  // [CLS] a ##b ##b . [SEP]
  for (const given of [tokenizer, { tokenizer }]) {
    t.deepEqual(await textsOf('a.txt', 'abb. ab. c', { tokenizer: given, overlap: 0 }), ['abb.', 'ab. c'])
  }
  t.deepEqual(
    await textsOf('a.txt', 'abbbbb c', { tokenizer, overlap: 0 }),
    ['abb', 'bbb c'],
    'a word too long is halved',
  )
  t.throws(() => readTexts('x', { tokenizer, maxTokens: 2 }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /2 special tokens/,
  })
})

test('no passage is longer than its budget, and no word is lost', async (t) => {
  const json = wordPieceTokenizer(['a', '##a', 'b', '##b', '.', ' '])
  const tokenizer = Tokenizer.fromFiles(json, {}, { maxSeqLength: 512 })
  const piece = fc.constantFrom('a', 'b', 'aab', 'a.', 'bb.', ' ', '\n', '\n\n', 'a'.repeat(40), '。', '文字')
  await fc.assert(
    fc.asyncProperty(
      fc.array(piece, { maxLength: 60 }),
      fc.integer({ min: 3, max: 12 }),
      fc.nat(5),
      async (parts, maxTokens, wanted) => {
        for (const given of [{}, { tokenizer }]) {
          const room = maxTokens - (given.tokenizer ? 2 : 0)
          const overlap = Math.min(wanted, room - 1)
          const options = { ...given, maxTokens, overlap, dropDuplicates: false }
          const texts = await textsOf('a.txt', parts.join(''), options)
          for (const text of texts) {
            const size = given.tokenizer ? tokenizer.encode([text], 1000).ids.length : countWords(text)
            t.true(size <= maxTokens, JSON.stringify(text))
            t.regex(text, /^\S(?:.*\S)?$/)
            t.notRegex(text, /\s\s/)
          }
          const whole = await textsOf('a.txt', parts.join(''), { ...options, overlap: 0 })
          t.is(whole.join('').replaceAll(' ', ''), parts.join('').replace(/\s/g, ''))
        }
      },
    ),
    { numRuns: 100 },
  )
})

test('words: spaces separate them, or Intl.Segmenter in scripts without spaces', (t) => {
  t.is(countWords("it's 3.5 m"), 3)
  t.is(countWords(''), 0)
  t.is(countWords('これは文です。次'), countWords('これは文です。') + 1)
})

test('wrong encodings are named with file and byte', async (t) => {
  const wrong = async (content: Uint8Array, message: RegExp) => {
    const path = join(folderOf({ 'a.txt': content }), 'a.txt')
    const error = await t.throwsAsync(all(path), { code: 'ERR_INVALID_DATA', message })
    t.true(error!.message.includes(path))
  }
  await wrong(Buffer.from('caf\xe9 au lait', 'latin1'), /byte 0xE9 at byte 3: .*iconv/)
  await wrong(Buffer.from('caf\xe9', 'latin1'), /byte 0xE9 at byte 3/)
  await wrong(Buffer.concat([Buffer.from('é'.repeat(40_000)), Buffer.from([0xff])]), /byte 0xFF at byte 80000/)
  await wrong(Buffer.from('\ufeffabc', 'utf16le'), /UTF-16/)
  await wrong(Buffer.from('abc', 'utf16le'), /NUL at byte 1/)
  await wrong(Buffer.from('%PDF-1.4'), /PDF.*pdftotext/)
  t.deepEqual(await textsOf('a.txt', `${'é€😀 '.repeat(50_000)}`, { maxTokens: 50_000 }), [
    `${'é€😀 '.repeat(50_000)}`.trim(),
  ])
})

test('other files are refused by name, with what is read', async (t) => {
  const folder = folderOf({ 'a.txt': 'x', 'b.pdf': '%PDF', 'c/d.png': '', '.hidden.png': '', '.git/x.txt': 'no' })
  const refused = (path: string | string[], message: RegExp, code = 'ERR_INVALID_ARGUMENT') =>
    t.throwsAsync(all(path), { code, message })
  await refused(join(folder, 'b.pdf'), /ending in \.txt, \.md, .*\.html.*b\.pdf: `pdftotext`/)
  await refused(folder, /b\.pdf: `pdftotext`.*skipOthers: true/)
  t.deepEqual(
    (await all(folder, { skipOthers: true })).map(({ text }) => text),
    ['x'],
  )
  await refused(join(folder, 'c'), /d\.png/)
  await t.throwsAsync(all(join(folder, 'c'), { skipOthers: true }), { message: /a folder with files ending in/ })
  await refused(folderOf({}), /a folder with files ending in/)
  await refused('rows.jsonl', /no file rows\.jsonl/, 'ERR_NOT_FOUND')
  await refused(join(folderOf({ 'a.jsonl': '' }), 'a.jsonl'), /Dataset\.fromFile/)
  await refused(join(folder, 'nothing'), /nothing/, 'ERR_NOT_FOUND')
  await refused('a\0b', /NUL/)
  await refused([folder, ''], /a file, a folder, or several/)
  t.deepEqual(await all(join(folderOf({ 'a.txt': ' \n' }), 'a.txt')), [])
})

test('nothing is read before all names are known to be right', async (t) => {
  const folder = folderOf({ 'a.txt': 'x', 'z.png': '' })
  await t.throwsAsync(readTexts(folder).next(), { message: /z\.png/ })
})

test('links are followed, and circles of links end', async (t) => {
  const folder = folderOf({ 'a/x.txt': 'x', 'b/.hidden': '' })
  symlinkSync('..', join(folder, 'a/up'))
  symlinkSync('../a', join(folder, 'b/a'))
  symlinkSync('self', join(folder, 'b/self.txt'))
  symlinkSync('self.txt', join(folder, 'b/self'))
  await t.throwsAsync(all(folder), { code: 'ERR_FILE_SYSTEM', message: /self.*circles/ })
  rmSync(join(folder, 'b/self.txt'))
  rmSync(join(folder, 'b/self'))
  t.deepEqual(await all(folder), [{ text: 'x', file: join(folder, 'a/x.txt'), line: 1, index: 0 }])
})

test('pages that would take too long or too much memory are refused', async (t) => {
  const refused = (page: string, message: RegExp) =>
    t.throwsAsync(textsOf('a.html', page), { code: 'ERR_INVALID_FILE', message })
  await refused('<div>'.repeat(100_000), /at most 512 elements within each other in .*a\.html/)
  await refused(`<p ${Array.from({ length: 200_000 }, (_, i) => `a${i}`).join(' ')}>`, /1000 attributes/)
  const fonts = Array.from({ length: 400 }, (_, i) => `<font size=${i}>`).join('')
  await refused(`<p>${fonts}${'<p>x'.repeat(5000)}`, /at most 500000 elements/)
  t.deepEqual(await textsOf('a.html', '<b>'.repeat(100)), [])
})

test('very long lines and paragraphs are read in parts', async (t) => {
  const line = 'Some words of it. '.repeat(75_000)
  const passages = await all(join(folderOf({ 'a.txt': line }), 'a.txt'), {
    dropDuplicates: false,
    overlap: 0,
    maxTokens: 1000,
  })
  t.true(passages.length < 320)
  t.is(passages.map(({ text }) => text).join(' '), line.trim())
  const html = await textsOf('a.html', `<p>${line}`, { dropDuplicates: false, overlap: 0, maxTokens: 1000 })
  t.is(html.join(' '), line.trim())
  t.is(
    (await textsOf('a.txt', 'x'.repeat(200_000), { dropDuplicates: false, overlap: 0, maxTokens: 1000 })).join('')
      .length,
    200_000,
  )
})

test('passages become a dataset or a stream', async (t) => {
  const folder = folderOf({ 'a.txt': 'x\n\ny', 'b.txt': 'z' })
  const options = { maxTokens: 1, overlap: 0 }
  const dataset = await Dataset.fromIterable(readTexts(folder, options), { columns: ['text', 'line'] })
  t.deepEqual(dataset.texts('text'), ['x', 'y', 'z'])
  t.deepEqual(dataset.column('line'), [1, 3, 1])
  const stream = DataStream.from(() => readTexts(folder, options), { columns: 'text' })
  t.deepEqual((await Dataset.fromIterable(stream)).texts('text'), ['x', 'y', 'z'])
  t.is((await Dataset.fromIterable([])).length, 0)
  await t.throwsAsync(Dataset.fromIterable(5 as never), { code: 'ERR_INVALID_ARGUMENT' })
  await t.throwsAsync(Dataset.fromIterable([{ a: 'x' }, { b: 'y' }] as object[]), { message: /row 1/ })
})

test('options are checked at the call, and a signal stops', async (t) => {
  const bad: [ReadTextsOptions, RegExp][] = [
    [{ maxTokens: 0 }, /maxTokens/],
    [{ maxTokens: 10, overlap: 10 }, /overlap/],
    [{ locale: 'not a locale' }, /locale/],
    [{ tokenizer: {} as never }, /tokenizer/],
    [{ dropDuplicates: 1 as never }, /dropDuplicates/],
    [{ maxtokens: 1 } as never, /did you mean maxTokens/],
  ]
  for (const [options, message] of bad) t.throws(() => readTexts('x', options), { message })
  t.throws(() => readTexts([]), { message: /paths/ })
  const controller = new AbortController()
  const folder = folderOf({ 'a.txt': 'x\n\ny\n\nz' })
  const passages = readTexts(folder, { maxTokens: 1, overlap: 0, signal: controller.signal })
  await passages.next()
  controller.abort()
  await t.throwsAsync(passages.next(), { code: 'ERR_ABORTED' })
})

test('lines end in the same places, however the text is cut into pieces', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('\r', '\n', 'a', '\r\n', ' b'), { maxLength: 20 }),
      fc.integer({ min: 1, max: 4 }),
      async (parts, size) => {
        const text = parts.join('')
        const pieces = async function* () {
          for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size)
        }
        const lines: string[] = []
        for await (const part of linesOf(pieces())) {
          t.true(part.begins && part.ends)
          t.is(part.line, lines.length + 1)
          lines.push(part.text)
        }
        const expected = text.split(/\r\n|\n|\r/)
        t.deepEqual(lines.join('\n').trimEnd(), expected.join('\n').trimEnd())
      },
    ),
  )
})

test('seen texts are known again, in any number', (t) => {
  const seen = new SeenTexts()
  for (let i = 0; i < 5000; i++) t.true(seen.add(`text ${i}`))
  for (let i = 0; i < 5000; i++) t.false(seen.add(`text ${i}`))
})
