import type { Command } from './command.js'
import { LOAD_OPTIONS, MODEL_ARGUMENT } from './model-options.js'

export const index: Command = {
  name: 'index',
  summary: 'embeds texts, of files or of stdin, into an index for search',
  arguments: [
    MODEL_ARGUMENT,
    {
      name: 'input',
      help: 'files (.txt: a text in each line; .jsonl, .json, .csv, .tsv, .parquet: a column), or -',
      isMany: true,
    },
  ],
  options: {
    output: { type: 'string', value: 'file', help: 'the index; needed' },
    add: {
      type: 'boolean',
      help: 'add to the index that is there; the rows are held in memory until all are embedded',
    },
    precision: {
      type: 'string',
      help: 'how rows are compared before full vectors are; how vectors of tokens are stored, which float16 is for',
      choices: ['float32', 'float16', 'int8', 'binary'],
      fallback: 'float32',
    },
    'score-function': {
      type: 'string',
      help: 'how rows are compared; int8 and binary: cosine or dot',
      choices: ['cosine', 'dot', 'euclidean', 'manhattan'],
      fallback: "the model's",
    },
    column: {
      type: 'string',
      value: 'name',
      help: 'the column of the texts',
      fallback: 'text, or the only one of texts',
    },
    prompt: { type: 'string', value: 'text', help: "in front of every text (default: the model's for documents)" },
    'prompt-name': { type: 'string', value: 'name', help: "one of the model's prompts" },
    'truncate-dim': { type: 'integer', value: 'n', help: 'keep only the first dimensions', least: 1 },
    'batch-size': { type: 'integer', value: 'n', help: 'texts that are computed together', fallback: '32', least: 1 },
    'skip-bad-rows': { type: 'boolean', help: 'leave out rows that are no text, and count them' },
    ...LOAD_OPTIONS,
    json: { type: 'boolean', help: 'report rows, dimensions and seconds as one JSON object' },
  },
  examples: [
    ['npx sentence-torch index all-MiniLM-L6-v2 docs.jsonl --precision int8 --output docs.index', 'a column of a file'],
    ['npx sentence-torch index all-MiniLM-L6-v2 more.txt --add --output docs.index', 'more texts'],
  ],
  async run(values, io) {
    const { indexTexts } = await import('./index-texts.js')
    return indexTexts(values, io)
  },
}
