import type { Command } from './command.js'
import { LOAD_OPTIONS, MODEL_ARGUMENT } from './model-options.js'

export const evaluate: Command = {
  name: 'evaluate',
  summary: 'measures a model or cross-encoder on data: similarity, triplets, retrieval, Banking77',
  arguments: [MODEL_ARGUMENT],
  options: {
    on: {
      type: 'texts',
      value: 'data',
      help: 'a file or folder, or kind=file with sts, pairs, triplets, nli, beir or banking77; may be given several times',
    },
    columns: { type: 'string', value: 'a,b,c', help: 'columns of the file, in this order', fallback: 'all' },
    'truncate-dim': { type: 'integer', value: 'n', help: 'compare only the first dimensions', least: 1 },
    'cross-encoder': {
      type: 'string',
      value: 'model',
      help: 'on beir: also ranks what the model finds, for a table of quality, time and pairs scored',
    },
    'top-k': {
      type: 'integer',
      value: 'n',
      help: 'with --cross-encoder: documents that are ranked again',
      fallback: '100',
      least: 1,
    },
    'all-pairs': { type: 'boolean', help: 'with --cross-encoder: also let it rank all documents alone' },
    output: { type: 'string', value: 'folder', help: 'where the CSV files of the evaluators go', fallback: 'none' },
    'skip-bad-rows': { type: 'boolean', help: 'leave out rows that cannot be read, and count them' },
    ...LOAD_OPTIONS,
    json: { type: 'boolean', help: 'all metrics as one JSON object' },
  },
  notes: [
    'Without a kind the data decide: two columns of texts and a score are sts, with labels 0 and 1 pairs; three columns of texts are',
    'triplets; a folder with corpus.jsonl is beir; one with train and test is banking77.',
    'A cross-encoder is measured by correlation (sts), classification (pairs, nli) and reranking (triplets; beir, of the 100 best by words).',
  ].join('\n'),
  examples: [
    ['npx sentence-torch evaluate all-MiniLM-L6-v2 --on stsb/dev.tsv', "Spearman's correlation"],
    ['npx sentence-torch evaluate runs/a/model --on sick.tsv --columns sentence1,sentence2,score', 'chosen columns'],
    ['npx sentence-torch evaluate runs/a/model --on beir=cranfield --on banking77=banking77 --json', 'two evaluations'],
    [
      'npx sentence-torch evaluate all-MiniLM-L6-v2 --on cranfield --cross-encoder cross-encoder/ms-marco-MiniLM-L6-v2',
      'is re-ranking worth its time?',
    ],
  ],
  async run(values, io) {
    const { evaluateModel } = await import('./evaluate-model.js')
    return evaluateModel(values, io)
  },
}
