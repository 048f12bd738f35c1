// Runs the code blocks of a page of docs/, each as a program of its own, on a tiny model.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ExecutionContext } from 'ava'
import { packageRoot } from '#system'
import { hasPeers, peersRegister } from './peers.js'
import { tinyFolder } from './tiny-folder.js'

/** Hub ids in the pages, of which a tiny model takes the place. */
const MODELS = /'(?:sentence-transformers|cross-encoder)\/[\w.-]+'/g

/** The blocks of `page` in TypeScript or JavaScript, in order. */
export function blocksOf(page: string): string[] {
  const text = readFileSync(join(packageRoot, 'docs', page), 'utf8')
  return [...text.matchAll(/^```(?:ts|js)\n([\s\S]*?)^```$/gm)].map(([, block]) => block!)
}

/**
 * What each block prints. All run in one process, one after the other, in a folder inside of the package, where its name is known.
 * @param files by name, with their content
 */
export async function runBlocks(
  t: ExecutionContext,
  blocks: readonly string[],
  files: Readonly<Record<string, string>> = {},
): Promise<string[]> {
  mkdirSync(join(packageRoot, 'dist/run'), { recursive: true })
  const folder = mkdtempSync(join(packageRoot, 'dist/run/page-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const model = JSON.stringify(await tinyFolder(join(folder, 'model')))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  const marker = '--- next block'
  blocks.forEach((block, i) => {
    writeFileSync(join(folder, `${i}.mjs`), block.replace(MODELS, model))
  })
  const imports = blocks.map((_, i) => `await import('./${i}.mjs')\nconsole.log('${marker}')\n`)
  writeFileSync(join(folder, 'main.mjs'), imports.join(''))
  const args = [...(hasPeers ? ['--import', peersRegister] : []), 'main.mjs']
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder })
  return stdout.split(`${marker}\n`).slice(0, -1)
}
