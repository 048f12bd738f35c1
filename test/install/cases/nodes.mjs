// Every version of Node that is supported runs the same installed folder.
import { installed } from '../installed.mjs'
import { checkResult } from '../sandbox.mjs'
import { tool } from '../toolbox.mjs'

export const cases = ['20.17', '20', '22', '24', '26'].map((version) => ({
  name: `node-${version}`,
  what: `the installed folder of Node 24 under Node ${version}`,
  async run(context) {
    const node = await tool(`node${version}`)
    const box = await installed(context)
    const { runtime } = await checkResult(context, () => box.run(node, ['check.mjs']))
    if (!runtime.startsWith(`node ${version}.`)) throw new Error(`expected Node ${version} but found ${runtime}`)
    return { runtime }
  },
}))
