import type { Command } from './command.js'

export const quantize: Command = {
  name: 'quantize',
  summary: 'makes embeddings smaller: 8 bits or 1 bit for each value',
  arguments: [{ name: 'input', help: 'a file of embeddings that encode has written (.npy, float32)' }],
  options: {
    output: { type: 'string', value: 'file.npy', help: 'int8 and binary: int8; uint8 and ubinary: uint8' },
    precision: {
      type: 'string',
      help: 'binary and ubinary pack 8 values into a byte',
      choices: ['int8', 'uint8', 'binary', 'ubinary'],
    },
    calibration: {
      type: 'string',
      value: 'file.npy',
      help: 'embeddings that give the ranges of int8 and uint8',
      fallback: 'the input itself',
    },
    json: { type: 'boolean', help: 'rows and bytes as one JSON object' },
  },
  examples: [
    ['npx sentence-torch quantize docs.npy --precision int8 --output docs-int8.npy', 'a quarter of the size'],
    [
      'npx sentence-torch quantize queries.npy --precision int8 --calibration docs.npy --output q.npy',
      'ranges of others',
    ],
  ],
  async run(values, io) {
    const { quantizeFile } = await import('./quantize-file.js')
    return quantizeFile(values, io)
  },
}
