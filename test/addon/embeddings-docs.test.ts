// The blocks of docs/embeddings.md run, and print what they should of a tiny model.
import test from 'ava'
import { blocksOf, runBlocks } from '../helpers/page-programs.js'

test('docs/embeddings.md', async (t) => {
  const printed = await runBlocks(t, blocksOf('embeddings.md'), {
    'notes.md': 'The red cat is not black.\n\nRain and wind.\n',
  })
  t.is(printed.length, 4)
  t.regex(printed[0]!, /^32 \[ 2, 32 \] 32 64\nFloat32Array\(2\) \[ -?[\d.]+, -?[\d.]+ \]\n$/)
  t.is(printed[1], 'true\n[ 1, 32 ]\n')
  t.is(printed[2], '[ 3, 16 ] 6 48\n')
  t.is(printed[3], 'true\n')
})
