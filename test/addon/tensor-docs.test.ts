// The blocks of docs/tensor.md run, one after the other as one program, and print what they say.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { tinyFolder } from '../helpers/tiny-folder.js'

const root = fileURLToPath(new URL('../../../', import.meta.url))

test('docs/tensor.md', async (t) => {
  // Inside of the package: there its name is known.
  mkdirSync(join(root, 'dist/run'), { recursive: true })
  const folder = mkdtempSync(join(root, 'dist/run/tensor-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const model = await tinyFolder(join(folder, 'model'))
  const page = readFileSync(join(root, 'docs/tensor.md'), 'utf8')
  const blocks = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, block]) => block!)
  t.is(blocks.length, 3)
  const program = blocks.join('\n').replace('sentence-transformers/all-MiniLM-L6-v2', model)
  const file = join(folder, 'page.mjs')
  writeFileSync(file, program)
  const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: folder })
  const expected = [...program.matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)].map(([, text]) => text)
  const printed = stdout.split('\n')
  for (const text of expected) t.true(printed.includes(text!), `${text} in ${stdout}`)
  t.is(expected.length, 2)
})
