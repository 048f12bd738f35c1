import type { Command } from './command.js'

export const train: Command = {
  name: 'train',
  summary: 'fine-tunes a model as a config says, with numbers before and after',
  arguments: [{ name: 'config', help: 'a YAML or JSON file; `init` writes one' }],
  options: {
    set: { type: 'texts', value: 'key=value', help: 'change a member of the config: training.learningRate=3e-5' },
    budget: {
      type: 'string',
      value: 'time',
      help: 'seek loss, learning rate, batch size and epochs within this time: 90s, 10m, 1.5h',
    },
    nproc: { type: 'integer', value: 'count', least: 1, help: 'train by so many processes on this machine' },
    resume: { type: 'boolean', help: 'go on from the newest checkpoint in outputDir' },
    'skip-bad-rows': { type: 'boolean', help: 'leave out rows of train that cannot be read, and count them' },
    watch: {
      type: 'integer',
      value: 'port',
      alone: 0,
      least: 0,
      help: 'serve the report on this machine while training; without a port on any that is free',
    },
    stay: { type: 'boolean', help: 'with --watch: serve it after training, too, until Ctrl-C' },
    json: { type: 'boolean', help: 'the result as one JSON object' },
  },
  notes: [
    'The config is checked against a JSON Schema before anything is read; editors complete keys with it:',
    'node_modules/sentence-torch/schema/config.schema.json. Paths start from the working directory.',
    'Ctrl-C ends training with a checkpoint, unless training.saveStrategy is no; --resume goes on from it.',
  ].join('\n'),
  examples: [
    ['npx sentence-torch train pairs.yaml', 'as the file says'],
    ['npx sentence-torch train pairs.yaml --set training.numTrainEpochs=3 --set outputDir=runs/b', 'with changes'],
    [
      'npx sentence-torch train pairs.yaml --budget 10m',
      'the best settings that ten minutes find; the config is the first trial',
    ],
    ['npx sentence-torch train pairs.yaml --watch 8090', 'and a page that shows how it goes'],
    ['npx sentence-torch train pairs.yaml --resume', 'after Ctrl-C'],
    ['npx sentence-torch train pairs.yaml --nproc 2', 'by two processes, which share the rows of every batch'],
  ],
  async run(values, io) {
    const { trainConfig } = await import('./train-config.js')
    return trainConfig(values, io)
  },
}
