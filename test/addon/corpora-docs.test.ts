// The program of docs/corpora.md runs, and prints what it should of a tiny model.
import test from 'ava'
import { blocksOf, runBlocks } from '../helpers/page-programs.js'

test('docs/corpora.md', async (t) => {
  const printed = await runBlocks(t, blocksOf('corpora.md'), {})
  t.is(printed.length, 1)
  const text = printed[0]!.replaceAll(/\s+/g, ' ')
  t.regex(
    text,
    /^0 \[ 2, 32 \] \[.*\] 2 \[ 1, 32 \] \[ 'Rates are set every morning\.' \] \[ \{ corpusId: \d, score: [\d.]+, text: '/,
  )
})
