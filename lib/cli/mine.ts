import type { Command } from './command.js'
import { LOAD_OPTIONS, MODEL_ARGUMENT } from './model-options.js'

export const mine: Command = {
  name: 'mine',
  summary: 'adds hard negatives to pairs: near texts that are not the answers',
  arguments: [MODEL_ARGUMENT, { name: 'pairs', help: 'a file with a column of anchors and one of positives' }],
  options: {
    output: { type: 'string', value: 'file', help: 'ends in .jsonl, .csv, .tsv or .parquet' },
    columns: {
      type: 'string',
      value: 'a,b',
      help: 'the columns of anchors and positives',
      fallback: 'the first two of texts',
    },
    corpus: { type: 'string', value: 'file', help: 'more texts to search in, as for encode' },
    negatives: { type: 'integer', value: 'n', help: 'negatives for each pair', fallback: '3', least: 1 },
    format: {
      type: 'string',
      help: 'columns of the result',
      choices: ['triplet', 'n-tuple', 'labeled-pair', 'labeled-list'],
      fallback: 'triplet',
    },
    'relative-margin': {
      type: 'number',
      value: 'share',
      help: 'negatives score less than the positive by this share (0.05)',
    },
    'absolute-margin': { type: 'number', value: 'x', help: 'negatives score less than the positive by this much' },
    'max-score': { type: 'number', value: 'x', help: 'leave out candidates with a higher score' },
    'min-score': { type: 'number', value: 'x', help: 'leave out candidates with a lower score' },
    'range-min': { type: 'integer', value: 'n', help: 'best candidates to skip', least: 0 },
    'range-max': { type: 'integer', value: 'n', help: 'best candidates to look at', least: 1 },
    sampling: { type: 'string', help: 'which candidates are taken', choices: ['top', 'random'], fallback: 'top' },
    seed: { type: 'integer', value: 'n', help: 'of random sampling', fallback: '42', least: 0 },
    'cross-encoder': {
      type: 'string',
      value: 'model',
      help: 'scores candidates in place of the model; needs a margin or a limit',
    },
    scores: { type: 'boolean', help: 'write the scores too' },
    'batch-size': { type: 'integer', value: 'n', help: 'texts that are computed together', fallback: '32', least: 1 },
    'skip-bad-rows': { type: 'boolean', help: 'leave out rows that cannot be read, and count them' },
    ...LOAD_OPTIONS,
    json: { type: 'boolean', help: 'numbers of rows as one JSON object' },
  },
  examples: [
    ['npx sentence-torch mine all-MiniLM-L6-v2 pairs.jsonl --output triplets.jsonl --relative-margin 0.05', 'triplets'],
    [
      'npx sentence-torch mine runs/a/model pairs.jsonl --output five.jsonl --negatives 5 --format n-tuple',
      'five in a row',
    ],
  ],
  async run(values, io) {
    const { mineNegatives } = await import('./mine-negatives.js')
    return mineNegatives(values, io)
  },
}
