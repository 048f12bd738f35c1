import type { Command } from './command.js'
import { LOAD_OPTIONS, MODEL_ARGUMENT } from './model-options.js'

export const search: Command = {
  name: 'search',
  summary: 'finds the texts of an index that are most similar to queries',
  arguments: [
    MODEL_ARGUMENT,
    { name: 'queries', help: 'files of queries, as for index, or -', isMany: true, isOptional: true },
  ],
  options: {
    index: { type: 'string', value: 'file', help: 'the index; needed' },
    query: { type: 'texts', value: 'text', help: 'a query; may be given several times' },
    'top-k': { type: 'integer', value: 'n', help: 'hits of a query', fallback: '10', least: 1 },
    'rescore-multiplier': {
      type: 'integer',
      value: 'n',
      help: 'candidates for each hit that are scored by their full vectors (int8, binary)',
      fallback: '4; of binary 20',
      least: 1,
    },
    column: {
      type: 'string',
      value: 'name',
      help: 'the column of the queries',
      fallback: 'text, or the only one of texts',
    },
    prompt: { type: 'string', value: 'text', help: "in front of every query (default: the model's for queries)" },
    'prompt-name': { type: 'string', value: 'name', help: "one of the model's prompts" },
    'truncate-dim': { type: 'integer', value: 'n', help: 'as it was given to index', least: 1 },
    ...LOAD_OPTIONS,
    json: { type: 'boolean', help: 'a line of JSON for each query: { query, hits: [{ corpusId, score, text }] }' },
  },
  examples: [
    ["npx sentence-torch search all-MiniLM-L6-v2 --index docs.index --query 'How do I get a new card?'", 'one query'],
    [
      'npx sentence-torch search all-MiniLM-L6-v2 questions.txt --index docs.index --top-k 3 --json',
      'queries of a file',
    ],
  ],
  async run(values, io) {
    const { searchTexts } = await import('./search-texts.js')
    return searchTexts(values, io)
  },
}
