import type { Command } from './command.js'
import { LOAD_OPTIONS, MODEL_ARGUMENT } from './model-options.js'

const { revision, offline, device, 'max-length': maxLength } = LOAD_OPTIONS

export const exportCommand: Command = {
  name: 'export',
  summary: 'writes a model for other runtimes: ONNX, for onnxruntime and transformers.js',
  arguments: [MODEL_ARGUMENT],
  options: {
    format: { type: 'string', help: 'what to write', choices: ['onnx'], fallback: 'onnx' },
    dtype: {
      type: 'string',
      value: 'fp32,q8',
      help: 'of the weights, with commas: fp32 (onnx/model.onnx), q8 (onnx/model_quantized.onnx, 8 bits)',
      fallback: 'fp32',
    },
    output: { type: 'string', value: 'folder', help: 'where the folder goes; an older model there is replaced' },
    revision: revision!,
    offline: offline!,
    device: device!,
    'max-length': maxLength!,
    json: { type: 'boolean', help: 'folder and files with their bytes as one JSON object' },
  },
  notes: 'The folder also has the files of a saved model, so that sentence-transformers reads it.',
  examples: [
    ['npx sentence-torch export runs/a/model --output web', 'for onnxruntime, and transformers.js with dtype fp32'],
    ['npx sentence-torch export all-MiniLM-L6-v2 --format onnx --dtype fp32,q8 --output web', 'in 8 bits, too'],
  ],
  async run(values, io) {
    const { exportFolder } = await import('./export-folder.js')
    return exportFolder(values, io)
  },
}
