import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readTexts } from '../../../lib/index.js'
import { changedFiles, type Files, type Json } from '../case.js'
import { expect } from '../judge.js'
import { fileEdits } from '../mutate.js'
import type { Target } from './target.js'

const page = `<!doctype html><html><head><title>t</title><style>p {}</style></head><body class="a b">
<h1>One &amp; two</h1><p>A <b>bold</b> sentence. Another one.<br><br>x<table><tr><td>1<td>2</table>
<ul><li>three<li>four</ul><script>no()</script><!-- no --><div><form><p>five</form></body></html>`
const markdown = `---
title: t
---
# One #
Text with a [link](http://a.b/c "d"). Another *sentence*.

> quote
\`\`\`
code
\`\`\`
| a | b |
|---|---|
| 1 | 2 |
***
end`
const plain =
  'One sentence. Another one!\r\n\r\nA paragraph\rof lines. 文です。次。\n\t\n\ufeffLast\u00a0words\u00ad here'

const files: Files = { txt: Buffer.from(plain), md: Buffer.from(markdown), html: Buffer.from(page) }

const tokens: Json[] = [
  ...[
    '\n',
    '\n\n',
    '\r',
    '\t',
    ' ',
    '\0',
    '\x0c',
    '. ',
    '. A',
    '[',
    '](',
    ')',
    '# ',
    '---\n',
    '```\n',
    '|--',
    '> ',
    '- - ',
  ],
  ...[
    '<',
    '>',
    '</',
    '<!--',
    '-->',
    '<p>',
    '<b>',
    '</p>',
    '<table>',
    '<td>',
    '<a x=',
    '"',
    '&',
    '&#x',
    '<svg>',
    '<template>',
  ],
  ...['<select>', '<plaintext>', '<textarea>', '<font size=1>', '<frameset>', '<![CDATA[', '<div '],
]

/** Text files that become passages. */
export const texts: Target = {
  warm: { base: 'html', edits: [] },

  make(random) {
    const base = random.pick(Object.keys(files))
    const options: Json = { maxTokens: random.pick([1, 3, 20, 256]), overlap: 0 }
    return { base, edits: fileEdits(random, files, [base], tokens), plan: options }
  },

  async run({ base, edits, plan }, folder) {
    const bytes = changedFiles(files, edits).get(base) ?? (files[base] as Uint8Array)
    const path = join(folder, `text.${base}`)
    writeFileSync(path, bytes)
    let line = 1
    for await (const passage of readTexts(path, (plan ?? {}) as object)) {
      expect(/^\S(?:.*\S)?$/s.test(passage.text), 'passages have text and no space at their ends')
      expect(base === 'html' || passage.line >= line, 'lines rise')
      line = passage.line
    }
  },
}
