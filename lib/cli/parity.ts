import type { Command } from './command.js'
import { LOAD_OPTIONS, MODEL_ARGUMENT } from './model-options.js'

export const parity: Command = {
  name: 'parity',
  summary: "compares a model's vectors with those of sentence-transformers in Python",
  arguments: [MODEL_ARGUMENT],
  options: {
    texts: {
      type: 'string',
      value: 'file',
      help: 'texts to compare, one a line; - for stdin',
      fallback: 'some of ours',
    },
    python: { type: 'string', value: 'program', help: 'a Python that has sentence-transformers', fallback: 'python3' },
    vectors: {
      type: 'string',
      value: 'file',
      help: 'vectors of the texts from Python, saved before (.npy of float32, .json, .jsonl), in place of --python',
    },
    tolerance: {
      type: 'number',
      value: 'x',
      help: 'largest difference of a value, as a share of the longest vector',
      fallback: '1e-4',
      least: 0,
    },
    ...LOAD_OPTIONS,
    json: { type: 'boolean', help: 'the result as one JSON object' },
  },
  notes: [
    'The exit code is 1 where the vectors differ. Python computes on the CPU and downloads nothing. For --vectors:',
    'numpy.save("vectors.npy", model.encode(open("texts.txt").read().splitlines()))',
  ].join('\n'),
  examples: [
    ['npx sentence-torch parity runs/a/model --python .venv/bin/python', 'some texts of ours'],
    ['npx sentence-torch parity all-MiniLM-L6-v2 --texts texts.txt --vectors vectors.npy', 'without Python'],
    ['npx sentence-torch parity all-MiniLM-L6-v2 --dtype bfloat16 --tolerance 0.05', 'how far bfloat16 is away'],
  ],
  async run(values, io) {
    const { compareParity } = await import('./compare-parity.js')
    return compareParity(values, io)
  },
}
