// What `npm run docs` makes is checked in, and can be read.
import test from 'ava'
import { resolveArguments } from '../../lib/training/arguments/arguments.js'
import { ARGUMENTS } from '../../lib/training/arguments/table/index.js'
import { fillPage, table, wrap } from '../docs/page.js'
import { generated, readGenerated } from '../docs/write.js'

for (const [path, text] of await generated()) {
  test(`${path} is what the source says: npm run docs`, (t) => {
    t.is(readGenerated(path), text)
  })

  if (path.endsWith('.md')) {
    test(`${path}: no row of a table is longer than 250 characters`, (t) => {
      const rows = text.split('\n').filter((line) => line.startsWith('|'))
      t.true(rows.length > (path.startsWith('docs/recipes/') ? 2 : 4))
      t.deepEqual(
        rows.filter((row) => row.length > 250),
        [],
      )
    })
  }
}

test('every argument is documented, and its default is one that it takes', (t) => {
  for (const [name, { doc, default: fallback, check }] of Object.entries(ARGUMENTS)) {
    t.regex(doc, /^[A-Z`][^\n]*[.]$/, name)
    t.notThrows(() => check(name, fallback), name)
  }
  t.deepEqual(Object.keys(resolveArguments()), Object.keys(ARGUMENTS))
})

test('a page has a place for every part, and no other', (t) => {
  const page = 'a\n<!-- generated: x -->\nold\n<!-- end -->\nb\n'
  t.is(fillPage(page, { x: 'new' }), 'a\n<!-- generated: x -->\n\nnew\n\n<!-- end -->\nb\n')
  t.throws(() => fillPage(page, {}), { message: /part x/ })
  t.throws(() => fillPage(page, { x: '', y: '' }), { message: /no place for y/ })
})

test('tables and comments are laid out', (t) => {
  t.is(table(['a', 'b'], [['1 | 2', '3']]), '| a | b |\n|---|---|\n| 1 \\| 2 | 3 |')
  t.deepEqual(wrap('one two three', 7), ['one two', 'three'])
})
