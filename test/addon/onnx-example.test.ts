// The example of onnxruntime-node and transformers.js, with a real model; skipped where they are not installed.
import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { temporaryFolder } from '../helpers/model-folders.js'
import { hasShared, MINILM } from '../helpers/shared.js'

const path = fileURLToPath(new URL('../../../examples/onnx/main.mjs', import.meta.url))

function isInstalled(): boolean {
  try {
    for (const name of ['onnxruntime-node', '@huggingface/transformers']) createRequire(path).resolve(name)
    return hasShared
  } catch {
    return false
  }
}

const run = isInstalled() ? test : test.skip

run('onnxruntime-node and transformers.js give what encode gives', async (t) => {
  const args = [path, MINILM, join(await temporaryFolder(t), 'exported')]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  const found = [...stdout.matchAll(/^(.*): difference (.*), cosine (.*)$/gm)]
  t.deepEqual(
    found.map(([, name]) => name),
    ['onnxruntime-node', 'transformers.js, fp32', 'transformers.js, q8'],
  )
  for (const [, name, difference, cosine] of found) {
    if (name!.endsWith('q8')) t.true(Number(cosine) >= 0.99, `${name}: ${cosine}`)
    else t.true(Number(difference) <= 1e-5, `${name}: ${difference}`)
  }
})
