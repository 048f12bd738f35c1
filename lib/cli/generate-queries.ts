import type { Command } from './command.js'
import { SERVICE_OPTIONS } from './service-options.js'

export const generateQueries: Command = {
  name: 'generate-queries',
  summary: 'writes queries for the passages of documents into files of pairs',
  arguments: [
    {
      name: 'docs',
      help: 'folders and files of text (.txt, .md, .html), which are cut into passages; or one table with a column of passages',
      isMany: true,
    },
  ],
  options: {
    output: { type: 'string', value: 'folder', help: 'where pairs_0000.tsv, … go: 1,024 pairs each' },
    t5: { type: 'string', value: 'model', help: 'a folder, or the id of a T5 of the hub that writes queries' },
    endpoint: { type: 'string', value: 'url', help: 'a service with the API of chat completions: https://…/v1' },
    model: { type: 'string', value: 'name', help: 'the model of the service' },
    prompt: { type: 'string', value: 'text', help: 'what the service is asked, with {passage} and {n}' },
    ...SERVICE_OPTIONS,
    queries: { type: 'integer', value: 'n', help: 'queries for each passage', fallback: '3', least: 1 },
    seed: { type: 'integer', value: 'n', help: 'decides the draws', fallback: '42', least: 0 },
    'dry-run': { type: 'boolean', help: 'only show what would be asked, and of about how many tokens' },
    json: { type: 'boolean', help: 'report as one JSON object' },
  },
  notes: [
    'Text files are cut at 300 tokens of the T5, for a service at 300 words. A run that was stopped goes on when the same command is given',
    'again. The pairs are training data for `recipes.genq` and `recipes.multipleNegatives`.',
  ].join('\n'),
  examples: [
    [
      'npx sentence-torch generate-queries docs --t5 doc2query/msmarco-t5-base-v1 --output queries',
      'with a model of this package',
    ],
    [
      'npx sentence-torch generate-queries docs.jsonl --endpoint https://api.openai.com/v1 --model gpt-4.1-mini --key-variable OPENAI_API_KEY --output queries --dry-run',
      'what a service would be asked',
    ],
  ],
  async run(values, io) {
    const { writeQueryFiles } = await import('./write-query-files.js')
    return writeQueryFiles(values, io)
  },
}
