// Candidates that people label, and what comes of their labels.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import { readLabelSheet, writeLabelSheet } from '../../lib/recipes/negatives/label-sheet.js'
import { temporaryFolder } from '../helpers/model-folders.js'

const TRIPLETS = Dataset.fromColumns({
  question: ['1', '1', '1', 'who, "he"?'],
  answer: ['p', 'p', 'p2', 'a\nb'],
  negative: ['7', 'n2', '7', 'n, 3'],
  scores: [
    [0.9, 0.5],
    [0.9, 0.4],
    [0.8, 0.5],
    [0.7, 0.31239],
  ],
})

for (const ending of ['csv', 'jsonl']) {
  test(`a sheet is written, labelled and read again: ${ending}`, async (t) => {
    const path = join(await temporaryFolder(t), `sheet.${ending}`)
    t.is(await writeLabelSheet(TRIPLETS, path), 3)
    const text = readFileSync(path, 'utf8')
    if (ending === 'csv') {
      const rows = [
        'query,positive,candidate,score,label',
        '1,p,7,0.5,',
        '1,p,n2,0.4,',
        '"who, ""he""?","a\nb","n, 3",0.3124,',
      ]
      t.deepEqual(text.replaceAll('\r', '').trim(), rows.join('\n'))
    } else
      t.deepEqual(JSON.parse(text.split('\n')[0]!), {
        query: '1',
        positive: 'p',
        candidate: '7',
        score: 0.5,
        label: '',
      })
    // What a person does with it.
    const labels = ['YES', 'no', '0']
    let row = 0
    const labelled =
      ending === 'csv'
        ? text.replace(/,(\r?\n|$)/g, (_, end) => `,${labels[row++]}${end}`)
        : text.replace(/"label":""/g, () => `"label":"${labels[row++]}"`)
    writeFileSync(path, labelled)
    const { dataset, counts } = await readLabelSheet(path)
    t.deepEqual(counts, { answers: 1, negatives: 2, open: 0 })
    t.deepEqual(
      [...dataset],
      [
        { query: '1', positive: 'p', negative: 'n2' },
        { query: '1', positive: '7', negative: 'n2' },
        { query: 'who, "he"?', positive: 'a\nb', negative: 'n, 3' },
      ],
    )
    const pairs = await readLabelSheet(path, { outputFormat: 'labeled-pair' })
    t.deepEqual(pairs.dataset.column('text'), ['p', '7', 'n2', 'a\nb', 'n, 3'])
    t.deepEqual(pairs.dataset.labels(), [1, 1, 0, 1, 0])
  })
}

test('labels in all their forms; columns in any order, scores left out', async (t) => {
  const path = join(await temporaryFolder(t), 'sheet.jsonl')
  const forms = [1, 0, true, false, 'Yes', 'n', 'Positive', 'NEGATIVE', ' y ', null, '', '?', 'unsure']
  const rows = forms.map((label, i) => ({ label, candidate: `c${i}`, query: 'q', positive: 'p', note: 'seen' }))
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  const { counts } = await readLabelSheet(path)
  t.deepEqual(counts, { answers: 5, negatives: 4, open: 4 })
})

const CSV = 'query,positive,candidate,label\n'
const faults: [content: string, message: RegExp][] = [
  [`${CSV}q,p,c,no\nq,p,d,maybe\n`, /Expected yes, no or nothing .*"label", line 3 of .*found "?maybe/],
  [`${CSV}q,p,c,no\nq,p,d,1\nq,p,c,yes\n`, /one label .* line 4 of .* another one in line 2 of/],
  [`${CSV}q,,c,no\n`, /column "positive", line 2 of .*found an empty one/],
  [`${CSV}q,p,c,\nq,p,d,yes\n`, /labelled as negatives in .*found 1 answers, 0 negatives, 1 rows without a label/],
  ['query,positive,candidate\nq,p,c\n', /label/],
]
for (const [content, message] of faults) {
  test(`refused, with the line: ${content.slice(CSV.length).replaceAll('\n', ' | ')}`, async (t) => {
    const path = join(await temporaryFolder(t), 'sheet.csv')
    writeFileSync(path, content)
    await t.throwsAsync(readLabelSheet(path), { code: 'ERR_INVALID_DATA', message })
  })
}

test('other triplets, other endings', async (t) => {
  const expected = { code: 'ERR_INVALID_ARGUMENT' }
  await t.throwsAsync(writeLabelSheet(TRIPLETS.removeColumns(['scores']), 'a.csv'), expected)
  await t.throwsAsync(writeLabelSheet(TRIPLETS, 'a.parquet'), expected)
  await t.throwsAsync(readLabelSheet('a.csv', { outputFormat: 'n-tuple' as never }), expected)
})
