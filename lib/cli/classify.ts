import type { Command } from './command.js'
import { LOAD_OPTIONS } from './model-options.js'

export const classify: Command = {
  name: 'classify',
  summary: 'tells the class of texts, of files or of stdin, in constant memory',
  arguments: [
    { name: 'model', help: 'a classifier (the model of a run of fewShot): a folder, or a hub id' },
    {
      name: 'input',
      help: 'files (.txt: a text in each line; .jsonl, .json, .csv, .tsv, .parquet: a column), or -',
      isMany: true,
    },
  ],
  options: {
    output: { type: 'string', value: 'file', help: 'a file of JSON lines', fallback: 'stdout' },
    column: {
      type: 'string',
      value: 'name',
      help: 'the column of the texts',
      fallback: 'text, or the only one of texts',
    },
    probabilities: { type: 'boolean', help: 'write the probability of every label' },
    'batch-size': { type: 'integer', value: 'n', help: 'texts that are computed together', fallback: '32', least: 1 },
    'skip-bad-rows': { type: 'boolean', help: 'leave out rows that are no text, and count them' },
    ...LOAD_OPTIONS,
  },
  examples: [
    ["echo 'My card has not arrived.' | npx sentence-torch classify runs/intents/model -", 'stdin to stdout'],
    [
      'npx sentence-torch classify runs/intents/model mails.jsonl --column body --output classes.jsonl',
      'a column of a file',
    ],
  ],
  async run(values, io) {
    const { classifyTexts } = await import('./classify-texts.js')
    return classifyTexts(values, io)
  },
}
