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
      help: 'ends in .npy, .jsonl, .parquet, .safetensors or .f32 (raw float32)',
      fallback: 'stdout, as jsonl',
    },
    'output-folder': {
      type: 'string',
      value: 'folder',
      help: 'in place of --output: files of rows with a manifest, which the same call completes after it was stopped',
    },
    format: {
      type: 'string',
      help: "in place of the output's ending; in a folder parquet, npy or safetensors",
      choices: ['npy', 'jsonl', 'parquet', 'safetensors', 'f32'],
    },
    'rows-per-file': {
      type: 'integer',
      value: 'n',
      help: 'with --output-folder: what is lost at most when it is stopped',
      fallback: '10000',
      least: 1,
    },
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
    precision: {
      type: 'string',
      help: 'bits of a number; int8 and uint8 need --calibration',
      choices: ['float32', 'int8', 'uint8', 'binary', 'ubinary'],
      fallback: 'float32',
    },
    calibration: {
      type: 'string',
      value: 'file.npy',
      help: 'float32 embeddings that give the ranges of int8 and uint8',
    },
    'batch-size': { type: 'integer', value: 'n', help: 'texts that are computed together', fallback: '32', least: 1 },
    shard: {
      type: 'string',
      value: 'i/n',
      help: 'for n processes: only every n-th text, from the i-th on (1 ≤ i ≤ n); with --output-folder every n-th file',
    },
    'skip-bad-rows': { type: 'boolean', help: 'leave out rows that are no text, and count them' },
    ...LOAD_OPTIONS,
    json: {
      type: 'boolean',
      help: 'report rows, dimensions and seconds as one JSON object; needs --output or --output-folder',
    },
  },
  examples: [
    ['npx sentence-torch encode all-MiniLM-L6-v2 texts.txt --output texts.npy', 'a text in each line'],
    [
      'npx sentence-torch encode runs/a/model docs.jsonl --column body --document --output docs.parquet',
      'a column of a file',
    ],
    [
      'npx sentence-torch encode all-MiniLM-L6-v2 docs.jsonl --output-folder vectors --shard 1/4',
      'one of four processes, which may be stopped and called again',
    ],
    ["echo 'How do I get a new card?' | npx sentence-torch encode all-MiniLM-L6-v2 -", 'stdin to stdout'],
  ],
  notes:
    'Rows of a sparse encoder are written as jsonl, parquet or safetensors (indices and values), and so are those of a multi-vector encoder\n(a list for each token).',
  async run(values, io) {
    const { encodeTexts } = await import('./encode-texts.js')
    return encodeTexts(values, io)
  },
}
