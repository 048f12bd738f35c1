import type { Command } from './command.js'

export const init: Command = {
  name: 'init',
  summary: 'looks at a file of training data and writes a config for train, with comments',
  arguments: [{ name: 'data', help: 'a file: .jsonl, .json, .csv, .tsv or .parquet' }],
  options: {
    model: {
      type: 'string',
      value: 'folder or id',
      help: 'the model to start from',
      fallback: 'sentence-transformers/all-MiniLM-L6-v2',
    },
    output: {
      type: 'string',
      value: 'file',
      help: 'the config',
      fallback: "the data's name with .yaml, in the working directory",
    },
    columns: {
      type: 'string',
      value: 'a,b,c',
      help: 'columns to take, in this order',
      fallback: 'those that are texts or labels',
    },
    'run-folder': { type: 'string', value: 'folder', help: "the run's folder", fallback: "runs/ and the data's name" },
    'cross-encoder': {
      type: 'boolean',
      help: 'a config for a cross-encoder, which reads two texts together; of a local model that is one it is understood',
    },
    force: { type: 'boolean', help: 'write over a config that is there' },
    json: { type: 'boolean', help: 'what was seen and written, as one JSON object' },
  },
  examples: [
    ['npx sentence-torch init pairs.jsonl', 'writes pairs.yaml'],
    [
      'npx sentence-torch init sts.tsv --columns sentence1,sentence2,score --model runs/a/model',
      'chosen columns, another model',
    ],
    ['npx sentence-torch init answers.jsonl --cross-encoder', 'query, passage, label: a model that ranks passages'],
  ],
  async run(values, io) {
    const { writeConfig } = await import('./write-config.js')
    return writeConfig(values, io)
  },
}
