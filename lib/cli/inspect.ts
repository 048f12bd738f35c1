import type { Command } from './command.js'
import { LOAD_OPTIONS, MODEL_ARGUMENT } from './model-options.js'

export const inspect: Command = {
  name: 'inspect',
  summary: "shows a model's modules, settings, sizes and tensors, without loading its weights",
  arguments: [MODEL_ARGUMENT],
  options: {
    tensors: { type: 'boolean', help: 'list all tensors with dtype and shape' },
    revision: LOAD_OPTIONS.revision!,
    offline: LOAD_OPTIONS.offline!,
    json: { type: 'boolean', help: 'as one JSON object' },
  },
  examples: [
    ['npx sentence-torch inspect all-MiniLM-L6-v2', 'a model of the hub, which is downloaded once'],
    ['npx sentence-torch inspect runs/a/model --tensors', 'a folder, with its tensors'],
  ],
  async run(values, io) {
    const { inspectModel } = await import('./inspect-model.js')
    return inspectModel(values, io)
  },
}
