import type { Command } from './command.js'

export const importLabels: Command = {
  name: 'import-labels',
  summary: 'makes training data of candidates that were labelled by hand',
  arguments: [{ name: 'sheet', help: 'a file of `mine --format label-sheet` with labels' }],
  options: {
    output: { type: 'string', value: 'file', help: 'ends in .jsonl, .csv, .tsv or .parquet' },
    format: {
      type: 'string',
      help: 'columns of the result: query, positive, negative; or query, text, label',
      choices: ['triplet', 'labeled-pair'],
      fallback: 'triplet',
    },
    json: { type: 'boolean', help: 'numbers of rows as one JSON object' },
  },
  notes: [
    'The column label says whether the candidate answers the query: yes, y, 1, true or positive; no, n, 0, false or negative; ? or nothing',
    'for rows to leave out. Candidates that are answers become positives.',
  ].join('\n'),
  examples: [['npx sentence-torch import-labels sheet.csv --output triplets.jsonl', 'triplets of labels']],
  async run(values, io) {
    const [{ readLabelSheet }, { checkApart, checkDataOutput }, { textOf }] = await Promise.all([
      import('../recipes/negatives/label-sheet.js'),
      import('./data-output.js'),
      import('./command.js'),
    ])
    const [sheet] = values.words as [string]
    const output = checkDataOutput(textOf(values, 'output'), 'import-labels')
    checkApart([sheet], { '--output': output }, 'import-labels')
    const outputFormat = textOf(values, 'format') === 'labeled-pair' ? 'labeled-pair' : 'triplet'
    const { dataset, counts } = await readLabelSheet(sheet, { outputFormat, signal: io.signal })
    await dataset.toFile(output, { signal: io.signal })
    const { answers, negatives, open } = counts
    if (values.options.json) io.out(`${JSON.stringify({ output, rows: dataset.length, ...counts })}\n`)
    else
      io.err(
        `${answers} answers, ${negatives} negatives, ${open} without a label: ${dataset.length} rows → ${output}\n`,
      )
    return 0
  },
}
