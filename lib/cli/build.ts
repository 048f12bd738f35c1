import type { Command } from './command.js'

export const build: Command = {
  name: 'build',
  summary: 'builds the native addon from its sources, for this machine',
  options: { force: { type: 'boolean', help: 'also where what is built is up to date' } },
  notes: [
    'The sources are those of a clone, or the package @sentence-torch/build, which npm fetches where it is not installed.',
    'LibTorch is downloaded, unless SENTENCE_TORCH_LIBTORCH names a folder that holds it.',
    'SENTENCE_TORCH_BUILD names another folder to build into, SENTENCE_TORCH_ADDON an addon that lies elsewhere.',
  ].join('\n'),
  examples: [
    ['npx sentence-torch build', 'builds where nothing is built yet'],
    ['SENTENCE_TORCH_BUILD=$HOME/built npx sentence-torch build --force', 'builds anew, into another folder'],
  ],
  async run({ options }) {
    const { buildAddon } = await import('./build-addon.js')
    return buildAddon({ force: options.force === true })
  },
}
