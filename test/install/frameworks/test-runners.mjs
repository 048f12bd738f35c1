// node test/install/frameworks/test-runners.mjs: the package in tests of vitest and jest.

import { join } from 'node:path'
import { addFiles, attempt, expect, main, printEmbedding, project, Skip, test, versionOf } from './harness.mjs'

const body = (assertion) => `
${printEmbedding().replace("console.log('embedding ' + JSON.stringify([...data]))", assertion)}
`
const vitestFile = `import { expect, test } from 'vitest'
import { SentenceTransformer } from 'sentence-torch'

test('embeds', async () => {${body('expect(data.length).toBe(32)')}})
`
const jestEsm = `import { expect, test } from '@jest/globals'
import { SentenceTransformer } from 'sentence-torch'

test('embeds', async () => {${body('expect(data.length).toBe(32)')}})
`
const jestCommon = `const { SentenceTransformer } = require('sentence-torch')

test('embeds', async () => {${body('expect(data.length).toBe(32)')}})
`

async function passes(folder, file, args, options = {}) {
  const { status, stdout, stderr } = await attempt(
    options.program ?? process.execPath,
    [...(options.node ?? []), join(folder, 'node_modules', file), ...args],
    { cwd: folder, env: { CI: '1', NO_COLOR: '1' } },
  )
  expect(status === 0 && /1 passed/.test(stdout + stderr), `ended with ${status}:\n${(stdout + stderr).slice(-3000)}`)
}

let vitest
for (const pool of ['forks', 'threads']) {
  test(`vitest, ${pool}`, async () => {
    vitest ??= await project('vitest', { packages: ['vitest'], files: { 'embed.test.mjs': vitestFile } })
    await passes(vitest, 'vitest/vitest.mjs', ['run', `--pool=${pool}`])
    return `vitest ${versionOf(vitest, 'vitest')}`
  })
}

const node24 = `node-linux-${process.arch}`
let jest
const setUpJest = async () => {
  jest ??= await project('jest', { packages: ['jest', ...(process.platform === 'linux' ? [`${node24}@24`] : [])] })
  return jest
}

test('jest with ES modules', async () => {
  const folder = await setUpJest()
  addFiles(folder, {
    'esm/embed.test.mjs': jestEsm,
    'esm.config.json': JSON.stringify({ rootDir: 'esm', testMatch: ['**/*.test.mjs'], transform: {} }),
  })
  await passes(folder, 'jest/bin/jest.js', ['--config', 'esm.config.json'], { node: ['--experimental-vm-modules'] })
  return `jest ${versionOf(folder, 'jest')}`
})

test('jest with a CommonJS test that imports', async () => {
  const folder = await setUpJest()
  const imported = jestCommon
    .replace(/^const.*\n/, '')
    .replace('=> {', "=> {\n  const { SentenceTransformer } = await import('sentence-torch')")
  addFiles(folder, { 'late/embed.test.js': imported, 'late.config.json': JSON.stringify({ rootDir: 'late' }) })
  await passes(folder, 'jest/bin/jest.js', ['--config', 'late.config.json'], { node: ['--experimental-vm-modules'] })
})

test('jest with a CommonJS test that requires, in Node 24', async () => {
  if (process.platform !== 'linux') throw new Skip('Node is taken from its packages for Linux')
  const folder = await setUpJest()
  addFiles(folder, { 'common/embed.test.js': jestCommon, 'common.config.json': JSON.stringify({ rootDir: 'common' }) })
  const program = join(folder, 'node_modules', node24, 'bin/node')
  const options = { program, node: ['--experimental-vm-modules'] }
  await passes(folder, 'jest/bin/jest.js', ['--config', 'common.config.json'], options)
  return `node ${versionOf(folder, node24)}`
})

await main('test runners')
