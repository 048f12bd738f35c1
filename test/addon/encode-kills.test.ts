// Two kills of a small corpus; `npm run test:kills -- encode` does many, of 200,000 texts.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { encodeAndKill } from '../helpers/encode-kills.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

test('shards that are killed and started again give the bytes of an undisturbed run', async (t) => {
  const folder = await temporaryFolder(t)
  const texts = Array.from({ length: 3000 }, (_, i) => `${tinyWords[i % 37]} ${tinyWords[(i * 7) % 40]} ${i}`)
  writeFileSync(join(folder, 'texts.txt'), texts.join('\n'))
  const model = await tinyFolder(join(folder, 'model'))
  const plan = { model, texts: join(folder, 'texts.txt'), folder, shards: 2, rowsPerFile: 500, kills: 2, seed: 1 }
  const { faults } = await encodeAndKill(plan)
  t.deepEqual(faults, [])
})
