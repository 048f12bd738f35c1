// linux-arm64 on another processor: npm installs for it, and qemu-user runs npm's Node for it.
import { join } from 'node:path'
import { arm64Node } from '../emulated.mjs'
import { installed } from '../installed.mjs'
import { measure } from '../measure.mjs'
import { Skip } from '../run-program.mjs'
import { checkResult, sandbox } from '../sandbox.mjs'
import { tool } from '../toolbox.mjs'

export const cases = [
  {
    name: 'arm64',
    what: 'npm install --cpu=arm64, run under qemu-user; losses as of the kernels without vector instructions here',
    async run(context) {
      if (process.arch === 'arm64') throw new Skip('this machine is one')
      if (!context.platforms.includes('linux-arm64')) throw new Skip('there is no tarball for linux-arm64')
      const emulated = arm64Node(join(context.work, 'arm64-node'))
      if ('missing' in emulated) throw new Skip(emulated.missing)
      const node = await tool('node24')
      const box = sandbox(context, 'arm64', { node })
      await box.run(node, [await tool('npm12'), 'install', '--cpu=arm64', 'sentence-torch'])
      const here = { model: context.model }
      const mine = await installed(context)
      const env = { ...mine.env, SENTENCE_TORCH_CPU: 'portable' }
      await checkResult(here, () => mine.run(node, ['check.mjs'], { env }))
      const [program, ...words] = emulated.words
      const { runtime, arch } = await checkResult(
        here,
        () => box.run(program, [...words, 'check.mjs'], { env: { ...box.env, PATH: process.env.PATH }, timeout: 900 }),
        1e-6,
      )
      if (arch !== 'arm64') throw new Error(`expected arm64 but found ${arch}`)
      return { runtime, ...measure(box.app), note: 'arm64 under qemu-user, losses equal to 1e-6' }
    },
  },
]
