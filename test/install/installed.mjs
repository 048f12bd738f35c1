// One installation that several cases share: npm 12, Node 24.
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { addCheck, sandbox } from './sandbox.mjs'
import { tool } from './toolbox.mjs'

/**
 * Installed when it is first asked for.
 * @param {object} context
 * @returns {Promise<import('./sandbox.mjs').Sandbox & { node: string }>}
 */
export function installed(context) {
  context.installed ??= install(context)
  return context.installed
}

async function install(context) {
  const node = await tool('node24')
  const box = sandbox(context, 'installed', { node })
  await box.run(node, [await tool('npm12'), 'install', 'sentence-torch'])
  return { ...box, node }
}

/**
 * A project with a copy of the installed node_modules.
 * @param {object} context
 * @param {string} folder where to
 */
export async function copyInstalled(context, folder) {
  const { app } = await installed(context)
  cpSync(join(app, 'node_modules'), join(folder, 'node_modules'), { recursive: true, verbatimSymlinks: true })
  // Not the .npmrc, which a next stage does not have either.
  for (const name of ['package.json', 'package-lock.json'])
    writeFileSync(join(folder, name), readFileSync(join(app, name)))
  addCheck(context, folder)
}
