import type { Command } from './command.js'
import { LOAD_OPTIONS } from './model-options.js'

export const pull: Command = {
  name: 'pull',
  summary: 'downloads models and data sets of the Hugging Face hub into the cache that Python shares',
  arguments: [{ name: 'id', help: 'ids of models, or with --dataset of data sets', isMany: true }],
  options: {
    dataset: { type: 'boolean', help: 'the ids are those of data sets' },
    'cross-encoder': { type: 'boolean', help: 'a bare name means a model of cross-encoder/' },
    subset: { type: 'string', value: 'name', help: 'the configuration of a data set' },
    split: { type: 'string', value: 'name', help: 'the split of a data set', fallback: 'train' },
    revision: LOAD_OPTIONS.revision!,
    json: { type: 'boolean', help: 'ids and paths as one JSON object' },
  },
  examples: [
    ['npx sentence-torch pull all-MiniLM-L6-v2', 'then HF_HUB_OFFLINE=1 needs no network'],
    [
      'npx sentence-torch pull --dataset sentence-transformers/all-nli --subset triplet --split dev',
      'a split of a data set',
    ],
  ],
  async run(values, io) {
    const { pullFiles } = await import('./pull-files.js')
    return pullFiles(values, io)
  },
}
