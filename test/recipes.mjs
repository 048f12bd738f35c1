// `npm run test:recipes`: the tests of recipes with those that `npm test` leaves out, which train for a minute each.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const { status } = spawnSync('npx', ['ava', 'dist/test/addon/recipe-*.test.js', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, SENTENCE_TORCH_TEST_RECIPES: '1' },
})
process.exitCode = status ?? 1
