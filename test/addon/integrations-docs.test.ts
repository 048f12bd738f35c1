// The blocks of docs/integrations.md run, those of frameworks where `npm run peers` has installed them.
import test from 'ava'
import { blocksOf, runBlocks } from '../helpers/page-programs.js'
import { hasPeers } from '../helpers/peers.js'

test('docs/integrations.md', async (t) => {
  const blocks = blocksOf('integrations.md')
  t.is(blocks.length, 4)
  const needsPeer = (block: string) => /from '(@langchain|@llamaindex|ai)\b/.test(block)
  t.is(blocks.filter(needsPeer).length, 3)
  const printed = await runBlocks(t, hasPeers ? blocks : blocks.filter((block) => !needsPeer(block)))
  t.regex(printed.at(-1)!, /^\[ 2, 32 \] float32 \[ -?\d[\d.e-]+, -?\d[\d.e-]+ \]\n\[ 1, 4 \] uint8\n$/)
  if (!hasPeers) return
  // Which text is the best is up to the tiny model.
  const text = /(Order a replacement in the app|We are open from 9 to 5|Rates are set every morning)\./.source
  t.regex(printed[0]!, new RegExp(`^${text} 0\\.\\d+\n$`))
  t.regex(printed[1]!, new RegExp(`^3 32 \\d+ \\[ '${text}' \\]\n$`))
  t.regex(printed[2]!, new RegExp(`^\\[ -?[\\d.]+, -?[\\d.]+, -?[\\d.]+ \\]\n${text} 0\\.\\d+\n$`))
})
