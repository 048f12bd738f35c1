import type { Command } from './command.js'
import { LOAD_OPTIONS, MODEL_ARGUMENT } from './model-options.js'

export const search: Command = {
  name: 'search',
  summary: 'finds the texts that are nearest to queries',
  arguments: [
    MODEL_ARGUMENT,
    { name: 'corpus', help: 'the file of the texts, as for encode, or -; none with --index', isOptional: true },
  ],
  options: {
    query: { type: 'texts', value: 'text', help: 'what to search for; may be given several times' },
    queries: { type: 'string', value: 'file', help: 'a file of queries, as for encode, or -' },
    'top-k': { type: 'integer', value: 'n', help: 'texts for each query', fallback: '5', least: 1 },
    column: {
      type: 'string',
      value: 'name',
      help: 'the column of the texts',
      fallback: 'text, or the only one of texts',
    },
    embeddings: {
      type: 'string',
      value: 'file.npy',
      help: 'embeddings of the texts that encode --document has written',
    },
    index: {
      type: 'texts',
      value: 'file',
      help: 'an index that the command index has made, or a folder of encode --output-folder, in place of the corpus; may be given several times',
    },
    'rescore-multiplier': {
      type: 'integer',
      value: 'n',
      help: 'with --index of int8 or binary: candidates for each hit that are scored by their full vectors',
      fallback: '4; of binary 20',
      least: 1,
    },
    'truncate-dim': { type: 'integer', value: 'n', help: 'with --index: as it was given to index', least: 1 },
    'batch-size': { type: 'integer', value: 'n', help: 'texts that are computed together', fallback: '32', least: 1 },
    ...LOAD_OPTIONS,
    json: { type: 'boolean', help: 'a line of JSON for each query' },
  },
  notes:
    'The search is exact, by the similarity of the model, and texts and embeddings are in memory. With --index they are in its file.',
  examples: [
    ["npx sentence-torch search all-MiniLM-L6-v2 answers.txt --query 'How do I get a new card?'", 'one query'],
    ['npx sentence-torch search runs/a/model docs.jsonl --queries queries.txt --top-k 10 --json', 'many of them'],
    ['npx sentence-torch search runs/a/model --index docs.index --queries - --json', 'an index, queries from stdin'],
    [
      "npx sentence-torch search runs/a/model --index a.index --index b.index --query 'How?'",
      'two indexes of one model',
    ],
  ],
  async run(values, io) {
    const { searchTexts } = await import('./search-texts.js')
    return searchTexts(values, io)
  },
}
