import type { Command } from './command.js'
import { LOAD_OPTIONS, MODEL_ARGUMENT } from './model-options.js'
import { SERVICE_OPTIONS } from './service-options.js'

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
      help: 'columns of the result; label-sheet is a file for labelling by hand, which import-labels reads',
      choices: ['triplet', 'n-tuple', 'labeled-pair', 'labeled-list', 'label-sheet'],
      fallback: 'triplet',
    },
    difficulty: {
      type: 'string',
      help: 'a margin of 0.05, and ranks from 1 (hard), 11 to 50 (semi-hard) or 101 to 1,000 (easy); single options count before it',
      choices: ['easy', 'semi-hard', 'hard'],
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
    endpoint: {
      type: 'string',
      value: 'url',
      help: 'a service with the API of chat completions (https://…/v1), which judges candidates or writes negatives',
    },
    'endpoint-model': { type: 'string', value: 'name', help: 'the model of the service' },
    ask: {
      type: 'string',
      help: 'judge: does the candidate answer the query? Then it is left out. write: negatives, in place of a search',
      choices: ['judge', 'write'],
      fallback: 'judge',
    },
    prompt: {
      type: 'string',
      value: 'text',
      help: 'what the service is asked, with {query} and {passage}; to write, also with {n}',
    },
    ...SERVICE_OPTIONS,
    answers: {
      type: 'string',
      value: 'file',
      help: 'where its answers are kept, so that none is asked for twice',
      fallback: '<output>.answers.jsonl',
    },
    'dry-run': { type: 'boolean', help: 'only show what the service would be asked, and how often' },
    report: { type: 'string', value: 'file.html', help: 'a page with scores, refused candidates and samples' },
    scores: { type: 'boolean', help: 'write the scores too' },
    'batch-size': { type: 'integer', value: 'n', help: 'texts that are computed together', fallback: '32', least: 1 },
    'skip-bad-rows': { type: 'boolean', help: 'leave out rows that cannot be read, and count them' },
    ...LOAD_OPTIONS,
    json: { type: 'boolean', help: 'numbers of rows as one JSON object' },
  },
  examples: [
    ['npx sentence-torch mine all-MiniLM-L6-v2 pairs.jsonl --output triplets.jsonl --difficulty hard', 'triplets'],
    [
      'npx sentence-torch mine runs/a/model pairs.jsonl --output five.jsonl --negatives 5 --format n-tuple',
      'five in a row',
    ],
    [
      'npx sentence-torch mine runs/a/model pairs.jsonl --output t.jsonl --endpoint http://localhost:11434/v1 --endpoint-model qwen3',
      'without candidates that a language model takes for answers',
    ],
    [
      'npx sentence-torch mine runs/a/model pairs.jsonl --output sheet.csv --format label-sheet --report mining.html',
      'to look at, and to label by hand',
    ],
  ],
  async run(values, io) {
    const { mineNegatives } = await import('./mine-negatives.js')
    return mineNegatives(values, io)
  },
}
