// The configs that the pages of docs/recipes show are ones that `train` takes.
import { readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { readConfig } from '../../lib/cli/config.js'
import { RECIPES } from '../../lib/recipes/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'

const PAGES = new URL('../../../docs/recipes/', import.meta.url)

for (const name of readdirSync(PAGES)) {
  const page = readFileSync(new URL(name, PAGES), 'utf8')
  for (const [i, [, config]] of [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].entries()) {
    test(`${name}: config ${i + 1} is of a recipe and has its options`, async (t) => {
      const file = join(await temporaryFolder(t), 'config.yaml')
      await writeFile(file, config!)
      const { recipe } = await readConfig(
        file,
        [],
        RECIPES.map(({ name }) => name),
      )
      t.is(/^recipe: (\w+)/m.exec(config!)?.[1] ?? 'finetune', recipe)
    })
  }
}
