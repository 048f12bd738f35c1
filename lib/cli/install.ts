import { type Command, given } from './command.js'

export const install: Command = {
  name: 'install',
  summary: 'brings what is too large for a package: LibTorch for CUDA',
  arguments: [
    {
      name: 'what',
      help: 'what to bring',
      choices: { cuda: 'LibTorch for CUDA 13 (2.5 GB), into the package @sentence-torch/linux-x64-cuda13' },
    },
  ],
  options: {
    from: {
      type: 'string',
      value: 'folder or address',
      help: 'where the wheels lie, in place of the Python package index',
    },
  },
  notes: 'Without network: `python3 -m pip download` elsewhere, and --from names the folder with the wheels.',
  examples: [
    ['npx sentence-torch install cuda', 'from the Python package index'],
    ['npx sentence-torch install cuda --from wheels', 'from a folder, without network'],
  ],
  async run(values) {
    const { installCuda } = await import('./install-cuda.js')
    await installCuda(given(values, { from: 'from' }))
    return 0
  },
}
