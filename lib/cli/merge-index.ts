import type { Command } from './command.js'

export const mergeIndex: Command = {
  name: 'merge-index',
  summary: 'makes one index of several, and of folders of encode, without encoding again',
  arguments: [
    {
      name: 'input',
      help: 'indexes that the command index has made, and folders of encode --output-folder, in the order of the rows',
      isMany: true,
    },
  ],
  options: {
    output: { type: 'string', value: 'file', help: 'the index; needed' },
    precision: {
      type: 'string',
      help: 'how rows are compared before full vectors are; how vectors of tokens are stored',
      choices: ['float32', 'float16', 'int8', 'binary'],
      fallback: 'as in the inputs; of folders float32',
    },
    'score-function': {
      type: 'string',
      help: 'how rows are compared; int8 and binary: cosine or dot',
      choices: ['cosine', 'dot', 'euclidean', 'manhattan', 'maxsim', 'meanmaxsim'],
      fallback: 'as in the inputs; of folders as the model does',
    },
    json: { type: 'boolean', help: 'report rows and dimensions as one JSON object' },
  },
  examples: [
    ['npx sentence-torch merge-index a.index b.index --output all.index', 'two indexes of one model'],
    ['npx sentence-torch merge-index vectors --precision int8 --output docs.index', 'a folder of encode'],
  ],
  async run(values, io) {
    const { mergeIndexFiles } = await import('./merge-index-files.js')
    return mergeIndexFiles(values, io)
  },
}
