import type { Command } from './command.js'
import { LOAD_OPTIONS } from './model-options.js'

export const compare: Command = {
  name: 'compare',
  summary: 'compares models on one page: similarities of sentences, and metrics with intervals',
  arguments: [
    { name: 'model', help: 'folders, or ids of the Hugging Face hub; all are compared with the first', isMany: true },
  ],
  options: {
    sentences: { type: 'string', value: 'file', help: 'texts whose similarities are drawn, 40 at most; - is stdin' },
    on: {
      type: 'texts',
      value: 'data',
      help: 'a file or folder, or kind=file with sts, pairs, triplets, nli, beir or banking77; may be given several times',
    },
    columns: { type: 'string', value: 'a,b,c', help: 'columns of the files of --on, in this order', fallback: 'all' },
    output: { type: 'string', value: 'file.html', help: 'the page', fallback: 'comparison.html' },
    ...LOAD_OPTIONS,
    json: { type: 'boolean', help: 'metrics and intervals as one JSON object' },
  },
  notes: [
    'sts and triplets have a score for each row, so that a paired bootstrap gives the 95 % interval of the difference to the first model.',
    'Models are loaded one after another.',
  ].join('\n'),
  examples: [
    ['npx sentence-torch compare base runs/a/model --sentences sentences.txt', 'two heat maps side by side'],
    ['npx sentence-torch compare base runs/a/model --on sts=stsb/test.tsv --output ab.html', 'is the difference real?'],
  ],
  async run(values, io) {
    const { compareModels } = await import('./compare-models.js')
    return compareModels(values, io)
  },
}
