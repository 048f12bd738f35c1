import type { Command } from './command.js'
import { LOAD_OPTIONS, MODEL_ARGUMENT } from './model-options.js'

export const encode: Command = {
  name: 'encode',
  summary: 'writes the embeddings of texts, of files or of stdin, in constant memory',
  arguments: [
    MODEL_ARGUMENT,
    {
      name: 'input',
      help: 'files (.txt: a text in each line; .jsonl, .json, .csv, .tsv, .parquet: a column), or -',
      isMany: true,
    },
  ],
  options: {
    output: {
      type: 'string',
      value: 'file',
      help: 'ends in .npy, .jsonl, .parquet or .f32 (raw float32)',
      fallback: 'stdout, as jsonl',
    },
    format: { type: 'string', help: "in place of the output's ending", choices: ['npy', 'jsonl', 'parquet', 'f32'] },
    column: {
      type: 'string',
      value: 'name',
      help: 'the column of the texts',
      fallback: 'text, or the only one of texts',
    },
    'with-text': { type: 'boolean', help: 'write the texts too (jsonl, parquet)' },
    query: { type: 'boolean', help: "texts are queries: the model's prompt for queries" },
    document: { type: 'boolean', help: "texts are documents: the model's prompt for documents" },
    prompt: { type: 'string', value: 'text', help: 'in front of every text' },
    'prompt-name': { type: 'string', value: 'name', help: "one of the model's prompts" },
    normalize: { type: 'boolean', help: 'divide every embedding by its length' },
    'truncate-dim': { type: 'integer', value: 'n', help: 'keep only the first dimensions', least: 1 },
    'batch-size': { type: 'integer', value: 'n', help: 'texts that are computed together', fallback: '32', least: 1 },
    shard: {
      type: 'string',
      value: 'i/n',
      help: 'only every n-th text, from the i-th on (1 ≤ i ≤ n): for n processes',
    },
    'skip-bad-rows': { type: 'boolean', help: 'leave out rows that are no text, and count them' },
    ...LOAD_OPTIONS,
    json: { type: 'boolean', help: 'report rows, dimensions and seconds as one JSON object; needs --output' },
  },
  examples: [
    ['npx sentence-torch encode all-MiniLM-L6-v2 texts.txt --output texts.npy', 'a text in each line'],
    [
      'npx sentence-torch encode runs/a/model docs.jsonl --column body --document --output docs.parquet',
      'a column of a file',
    ],
    ["echo 'How do I get a new card?' | npx sentence-torch encode all-MiniLM-L6-v2 -", 'stdin to stdout'],
  ],
  async run(values, io) {
    const { encodeTexts } = await import('./encode-texts.js')
    return encodeTexts(values, io)
  },
}
