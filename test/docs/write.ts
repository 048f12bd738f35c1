// `npm run docs`: writes what is made from the source. test/unit/docs.test.ts compares.
import { readFileSync, writeFileSync } from 'node:fs'
import { argv } from 'node:process'
import { fileURLToPath } from 'node:url'
import { argumentTypes, trainingPage } from './arguments.js'
import { cliPage } from './cli.js'
import { configSchemaText } from './config-schema.js'
import { lossesPage } from './losses.js'
import { fillPage } from './page.js'
import { recipePages } from './recipes.js'

const ROOT = new URL('../../../', import.meta.url)

/** The files that are made, whole or in part, by their paths in the repository. */
export async function generated(): Promise<Map<string, string>> {
  const page = (path: string, parts: Record<string, string>) => fillPage(readGenerated(path), parts)
  return new Map([
    ['lib/training/arguments/types.ts', argumentTypes()],
    ['docs/training.md', page('docs/training.md', trainingPage())],
    ['docs/losses.md', page('docs/losses.md', await lossesPage())],
    ['schema/config.schema.json', configSchemaText()],
    ['docs/cli.md', page('docs/cli.md', cliPage())],
    ...recipePages(readGenerated),
  ])
}

export function readGenerated(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8')
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  for (const [path, text] of await generated()) writeFileSync(new URL(path, ROOT), text)
}
