import { readFileSync } from 'node:fs'
import { ChatTemplate } from '../../../lib/data/chat-template.js'
import { changedFiles, type Files, type Json } from '../case.js'
import { expect } from '../judge.js'
import { fileEdits } from '../mutate.js'
import type { Target } from './target.js'

const GOLDEN = new URL('../../../../test/parity/golden/logit-score/', import.meta.url)
const read = (name: string) => new Uint8Array(readFileSync(new URL(`${name}/chat_template.jinja`, GOLDEN)))
const files: Files = { flat: read('qwen3'), structured: read('qwen2'), gemma: read('gemma3') }

const tokens: Json[] = [
  ...[
    '{{',
    '}}',
    '{%',
    '%}',
    '{#',
    '#}',
    '{%-',
    '-%}',
    '{{-',
    '-}}',
    '"',
    "'",
    '\\',
    '\\x',
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
  ],
  ...['{% if %}', '{% endif %}', '{% else %}', '{% for m in messages %}', '{% endfor %}', '{% set x = x ~ x %}'],
  ...['{% macro f() %}', '{% endmacro %}', '{{ f() }}', '{% break %}', '{% generation %}', '{% call f() %}'],
  ...[
    'range(100000)',
    'range(1e9)',
    'namespace(x=1)',
    'raise_exception("x")',
    'strftime_now("%Q")',
    'messages',
    'loop.index',
  ],
  ...['| first', '| last', '| trim', '| tojson', '| length', '| default("x")', '| map(attribute="content")', '| join'],
  ...[
    '.split(" ")',
    '.strip("x")',
    '[0]',
    '[-1]',
    '[::-1]',
    '.content',
    '.constructor',
    '__proto__',
    'none',
    'true',
    '1',
    '-1',
  ],
  ...['~', '+', '*', '**', '//', '%', ' if ', ' else ', ' in ', ' not ', ' is ', ' and ', ',', ':', '=', '=='],
]

/** Chat templates, and a pair that passes them. */
export const template: Target = {
  warm: { base: 'flat', edits: [] },

  make(random) {
    const base = random.pick(Object.keys(files))
    return { base, edits: fileEdits(random, files, [base], tokens) }
  },

  async run({ base, edits }) {
    const bytes = changedFiles(files, edits).get(base) ?? (files[base] as Uint8Array)
    const compiled = await ChatTemplate.compile(new TextDecoder().decode(bytes), 'chat_template.jinja')
    const content = (text: string) => (base === 'structured' ? [{ type: 'text', text }] : text)
    const messages = [
      { role: 'system', content: content('a prompt') },
      { role: 'query', content: content('a 😀 query ') },
      { role: 'document', content: content('a document\n') },
    ]
    const text = compiled.render({
      messages,
      tools: null,
      documents: null,
      add_generation_prompt: true,
      bos_token: '<s>',
    })
    expect(typeof text === 'string', 'a template gives a text')
    expect(!text.includes('[object'), 'values become texts as Python writes them')
  },
}
