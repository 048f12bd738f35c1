// One kill each, at a random moment; `npm run test:kills` does many, of more recipes.
import test from 'ava'
import { temporaryFolder } from '../helpers/model-folders.js'
import { killAndCompare } from '../helpers/recipe-kills.js'

for (const recipe of ['genq', 'tsdae']) {
  test.serial(`${recipe}: killed and started again, the same result, and no stage twice`, async (t) => {
    const { count, faults } = await killAndCompare(recipe, await temporaryFolder(t), 1, 1)
    t.is(count, 1)
    t.deepEqual(faults, [])
  })
}
