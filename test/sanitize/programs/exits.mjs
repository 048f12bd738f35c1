// Processes that end in the middle of jobs: by exit, by an exception, by running out of work.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { assert } from '../support.mjs'

const script = fileURLToPath(new URL('../../../dist/test/helpers/binding-worker.js', import.meta.url))
for (const [mode, expected] of Object.entries({ exit: 7, throw: 1, 'exit-beside-worker': 7, pending: 0 })) {
  for (let i = 0; i < 2; i++) {
    const child = spawn(process.execPath, [script, mode], { stdio: ['ignore', 'ignore', 'pipe'], timeout: 300_000 })
    let errors = ''
    child.stderr.on('data', (chunk) => {
      errors += chunk
    })
    const [code, signal] = await once(child, 'close')
    assert.deepEqual({ mode, code, signal }, { mode, code: expected, signal: null }, errors)
  }
}
