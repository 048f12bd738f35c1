import type { Command } from './command.js'
import { LOAD_OPTIONS, MODEL_ARGUMENT } from './model-options.js'

const { 'max-length': maxLength, ...others } = LOAD_OPTIONS

export const label: Command = {
  name: 'label',
  summary: 'labels pairs of texts with the scores of a cross-encoder',
  arguments: [
    { ...MODEL_ARGUMENT, help: 'a cross-encoder: a folder, or the id of a model of the Hugging Face hub' },
    { name: 'pairs', help: 'a file with two columns of texts' },
  ],
  options: {
    output: { type: 'string', value: 'file', help: 'ends in .jsonl, .csv, .tsv or .parquet' },
    columns: { type: 'string', value: 'a,b', help: 'the columns of the texts', fallback: 'the first two of texts' },
    activation: {
      type: 'string',
      help: 'applied to the logits',
      choices: ['sigmoid', 'identity', 'tanh', 'relu', 'silu', 'softmax'],
      fallback: "the model's",
    },
    name: {
      type: 'string',
      value: 'column',
      help: 'the new column: a number, or a list for several labels',
      fallback: 'score',
    },
    'batch-size': { type: 'integer', value: 'n', help: 'pairs that are computed together', fallback: '32', least: 1 },
    'skip-bad-rows': { type: 'boolean', help: 'leave out rows that cannot be read, and count them' },
    ...others,
    'max-length': maxLength!,
    json: { type: 'boolean', help: 'the number of rows as one JSON object' },
  },
  examples: [
    [
      'npx sentence-torch label cross-encoder/stsb-roberta-base pairs.jsonl --output silver.jsonl',
      'scores for a bi-encoder',
    ],
    [
      'npx sentence-torch label runs/ce/model pairs.tsv --columns a,b --activation identity --output logits.tsv',
      'logits',
    ],
  ],
  async run(values, io) {
    const { labelPairs } = await import('./label-pairs.js')
    return labelPairs(values, io)
  },
}
