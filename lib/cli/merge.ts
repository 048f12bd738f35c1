import type { Command } from './command.js'

export const merge: Command = {
  name: 'merge',
  summary: 'merges models of one architecture into a new one, tensor by tensor',
  arguments: [{ name: 'models', help: 'folders, or ids of models of the Hugging Face hub', isMany: true }],
  options: {
    output: { type: 'string', value: 'folder', help: 'where the merged model goes; needed' },
    method: {
      type: 'string',
      help: 'how they are merged',
      choices: ['linear', 'slerp', 'task_arithmetic', 'ties', 'model_stock'],
      fallback: 'linear',
    },
    base: {
      type: 'string',
      value: 'model',
      help: 'what the others are compared with (task_arithmetic, ties, model_stock)',
    },
    weight: {
      type: 'string',
      value: 'w,w,…',
      help: 'a number for all, or one for each model but the base',
      fallback: '1',
    },
    density: { type: 'string', value: 'd,d,…', help: 'share of a task vector that is kept (ties)', fallback: '1' },
    lambda: {
      type: 'number',
      value: 'n',
      help: 'factor of what is added to the base (task_arithmetic, ties)',
      fallback: '1',
    },
    t: {
      type: 'number',
      value: 'n',
      help: 'place between the first model, 0, and the second, 1 (slerp)',
      fallback: '0.5',
    },
    normalize: {
      type: 'string',
      help: 'divide by the sum of the weights',
      choices: ['true', 'false'],
      fallback: 'true; of task_arithmetic false',
    },
    rescale: { type: 'boolean', help: 'give a trimmed task vector the sum of sizes that it had (ties)' },
    'filter-wise': { type: 'boolean', help: 'a cosine for each row of a tensor (model_stock)' },
    dtype: {
      type: 'string',
      help: 'in which numbers are computed with',
      choices: ['float32', 'float64'],
      fallback: 'float32',
    },
    'out-dtype': {
      type: 'string',
      help: 'in which the model is written',
      choices: ['float32', 'float64', 'float16', 'bfloat16'],
      fallback: '--dtype',
    },
    revision: { type: 'string', help: 'branch, tag or commit of models of the hub', fallback: 'main' },
    offline: { type: 'boolean', help: 'never download' },
    json: { type: 'boolean', help: 'report the result as one JSON object' },
  },
  notes: 'Two words with --method slerp; --base may be one of the models. docs/merging.md has the formulas.',
  examples: [
    ['npx sentence-torch merge runs/a/model runs/b/model --weight 0.6,0.4 --output models/merged', 'a weighted mean'],
    [
      'npx sentence-torch merge runs/a/model runs/b/model --method ties --base all-MiniLM-L6-v2 --density 0.3 --output models/merged',
      'what both have learnt, added to their base',
    ],
  ],
  async run(values, io) {
    const { mergeFolders } = await import('./merge-folders.js')
    return mergeFolders(values, io)
  },
}
