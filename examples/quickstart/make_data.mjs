// Makes data/train.jsonl and data/test.jsonl from the Banking77 files in ../shared/data/banking77 (see data/README.md):
//   node examples/quickstart/make_data.mjs
// Training texts: the first ten of each category that are not in the test split. Test texts: the whole test split.
import { readFileSync, writeFileSync } from 'node:fs'

const PER_CATEGORY = 10
const source = new URL('../../../shared/data/banking77/', import.meta.url)
const target = new URL('./data/', import.meta.url)

const rows = (name) =>
  readFileSync(new URL(name, source), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

const held = new Set(rows('test.jsonl').map((row) => row.text))
const taken = new Map()
const train = rows('train.jsonl').filter(({ text, category }) => {
  const count = taken.get(category) ?? 0
  if (held.has(text) || count === PER_CATEGORY) return false
  taken.set(category, count + 1)
  return true
})

writeFileSync(new URL('train.jsonl', target), train.map((row) => `${JSON.stringify(row)}\n`).join(''))
writeFileSync(new URL('test.jsonl', target), readFileSync(new URL('test.jsonl', source)))
console.log(`${train.length} training texts of ${taken.size} categories, ${held.size} distinct test texts`)
