// Installed folders that lie elsewhere than where they were installed, and homes that cannot be written to: what images of several
// stages do.
import { chmodSync, cpSync, mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { copyInstalled, installed } from '../installed.mjs'
import { checkResult, sandbox } from '../sandbox.mjs'
import { tool } from '../toolbox.mjs'

/** No user, not even root, can make a folder there. */
const NO_PLACE = '/proc/no-place'
const NOBODY = 65534

export const cases = [
  {
    name: 'copied',
    what: 'node_modules copied to another path; the first folder, its home and its cache are gone',
    async run(context) {
      const box = sandbox(context, 'copied', { node: await tool('node24') })
      await copyInstalled(context, box.app)
      const { node, folder } = await installed(context)
      renameSync(folder, `${folder}.away`)
      try {
        return { runtime: (await checkResult(context, () => box.run(node, ['check.mjs']))).runtime }
      } finally {
        renameSync(`${folder}.away`, folder)
      }
    },
  },
  {
    name: 'home-unset',
    what: 'no HOME',
    async run(context) {
      const box = await installed(context)
      const { HOME: _, ...env } = box.env
      return { runtime: (await checkResult(context, () => box.run(box.node, ['check.mjs'], { env }))).runtime }
    },
  },
  {
    name: 'home-read-only',
    what: 'a HOME and XDG folders that cannot be written to',
    async run(context) {
      const box = await installed(context)
      const env = { ...box.env, HOME: NO_PLACE, XDG_CACHE_HOME: join(NO_PLACE, 'cache'), HF_HOME: join(NO_PLACE, 'hf') }
      return { runtime: (await checkResult(context, () => box.run(box.node, ['check.mjs'], { env }))).runtime }
    },
  },
  {
    name: 'modules-read-only',
    what: 'a user who may write neither to node_modules nor to a home (USER nobody in an image)',
    async run(context) {
      const box = sandbox(context, 'modules-read-only')
      await copyInstalled(context, box.app)
      const node = join(box.folder, 'node')
      cpSync(await tool('node24'), node)
      const run = join(box.app, 'run')
      mkdirSync(run)
      // Root may write everywhere: as root, another user runs it.
      const root = process.getuid() === 0
      if (root)
        for (const [path, mode] of [
          [context.work, 0o755],
          [run, 0o777],
          [box.env.TMPDIR, 0o777],
        ])
          chmodSync(path, mode)
      else await box.run('chmod', ['-R', 'a-w', join(box.app, 'node_modules')], { env: process.env })
      try {
        const options = { env: { ...box.env, HOME: NO_PLACE }, ...(root && { uid: NOBODY, gid: NOBODY }) }
        return { runtime: (await checkResult(context, () => box.run(node, ['check.mjs'], options))).runtime }
      } finally {
        if (!root) await box.run('chmod', ['-R', 'u+w', join(box.app, 'node_modules')], { env: process.env })
      }
    },
  },
]
