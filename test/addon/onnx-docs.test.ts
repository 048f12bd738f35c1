// The first block of docs/onnx.md runs; the second needs transformers.js, which examples/onnx runs where it is installed.
import test from 'ava'
import { blocksOf, runBlocks } from '../helpers/page-programs.js'

test('docs/onnx.md', async (t) => {
  const [exporting, ...others] = blocksOf('onnx.md')
  t.is(others.length, 1)
  const listing = `console.log((await import('node:fs')).readdirSync('models/web/onnx').join())\n`
  t.deepEqual(await runBlocks(t, [`${exporting}\n${listing}`]), ['model.onnx,model_quantized.onnx\n'])
})
