// Runs a recipe on tiny data in a process of its own, which may be killed: `node recipe-worker.js recipe folder name`.
// Every line of the recipe's log is a line of stdout.
import { RECIPES } from '../../lib/recipes/index.js'
import { tinyOptions } from './tiny-recipes.js'

const [recipe, folder, name] = process.argv.slice(2) as [string, string, string]
const options = await tinyOptions(recipe, folder, name)
const more = recipe === 'adaptivePretraining' ? { method: 'mlm' } : {}
await RECIPES.find((each) => each.name === recipe)!.run(
  { ...options, ...more },
  { resume: true, log: (line) => process.stdout.write(`${line}\n`) },
)
