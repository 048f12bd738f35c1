// Chat templates against transformers' own: texts, and the places of faults.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { ChatTemplate } from '../../lib/data/chat-template.js'
import { equal } from './report.js'

const FILE = fileURLToPath(new URL('../../../test/parity/golden/logit-score/golden.json', import.meta.url))
const { pairs, templates } = JSON.parse(readFileSync(FILE, 'utf8')) as {
  pairs: [string, string][]
  templates: { cases: { template: string; structured: boolean; texts: string[] }[]; specials: Record<string, string> }
}

for (const [i, { template, structured, texts }] of templates.cases.entries()) {
  test(`texts equal those of transformers: template ${i}`, async (t) => {
    const compiled = await ChatTemplate.compile(template, 'chat_template.jinja')
    const content = (text: string) => (structured ? [{ type: 'text', text }] : text)
    const found = ['', 'the dog: '].flatMap((prompt) =>
      pairs.map(([first, second]) => {
        const pair = [
          { role: 'query', content: content(first) },
          { role: 'document', content: content(second) },
        ]
        const messages = prompt === '' ? pair : [{ role: 'system', content: content(prompt) }, ...pair]
        const values = { ...templates.specials, messages, tools: null, documents: null, add_generation_prompt: false }
        return compiled.render(values)
      }),
    )
    t.deepEqual(found, texts)
    equal('chat-templates', 'texts')
  })
}

const MESSAGES = { messages: [{ role: 'query', content: 'a' }] }

for (const [name, template, line] of [
  [
    'a call of raise_exception',
    '{{ bos }}\n{% for m in messages %}\n  {{ raise_exception("no " + m.role) }}\n{% endfor %}',
    3,
  ],
  ['a filter that there is not', 'a\n\n{# two\nlines #}\n{{ messages | unheard_of }}', 5],
  ['a member of nothing', '{% if true -%}\n{{ missing.content }}\n{% endif %}', 2],
  ['a string with tags in it', '{{ "{% if %}" }}\n{{ nothing["a"]["b"] }}', 2],
  ['too long a range', 'x\n{% for i in range(1000000000) %}a{% endfor %}', 2],
] as const) {
  test(`a template that fails names file and line: ${name}`, async (t) => {
    const compiled = await ChatTemplate.compile(template, 'model/chat_template.jinja')
    const error = t.throws(() => compiled.render(MESSAGES), { code: 'ERR_INVALID_MODEL' })
    t.true(error?.message.includes(`model/chat_template.jinja:${line} fails: `), error?.message)
  })
}

for (const [name, template, line] of [
  ['an unknown statement', 'a\n{% unheard of %}', 2],
  ['an expression that does not end', 'a\n\n{{ messages[0 }}', 3],
  ['a wrong end', '{% for m in messages %}\n{{ m }}\n{% endif %}\n', 3],
  ['a character of no meaning', '{% if true %}\n{{ a ? b }}\n{% endif %}', 2],
  ['a block without an end', '{{ a }}\n{% if a %}\nb\n', 2],
] as const) {
  test(`a template that cannot be read names file and line: ${name}`, async (t) => {
    const error = await t.throwsAsync(ChatTemplate.compile(template, 'tokenizer_config.json (chat_template)'), {
      code: 'ERR_INVALID_MODEL',
    })
    t.true(
      error?.message.includes(`tokenizer_config.json (chat_template):${line} cannot be understood: `),
      error?.message,
    )
  })
}

test('templates that are too long, or have too much white space, are refused', async (t) => {
  const refused = (source: string, message: RegExp) =>
    t.throwsAsync(ChatTemplate.compile(source, 'chat_template.jinja'), { code: 'ERR_INVALID_MODEL', message })
  await refused(`a\n{{ messages }}${' '.repeat(2001)}`, /chat_template\.jinja:2 has more than 2000 spaces/)
  await refused('a'.repeat(2 ** 20 + 1), /chat_template\.jinja has 1048577 characters/)
  await t.notThrowsAsync(ChatTemplate.compile(`${' '.repeat(2000)}{{ messages }}`, 'chat_template.jinja'))
})
