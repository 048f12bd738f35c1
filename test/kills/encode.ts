// 200,000 texts in shards that are killed: `node dist/test/kills/run.js encode [--kills 12] [--seed 1] [--texts 200000] [--model folder]`.
// Without a model it is a tiny one, whose rows are computed as fast as they are written.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeAndKill } from '../helpers/encode-kills.js'
import { tinyFolder } from '../helpers/tiny-folder.js'

const COLOURS = ['blue', 'red', 'green', 'black', 'white', 'yellow', 'brown']
const THINGS = [
  'lamp',
  'violin',
  'coat',
  'rug',
  'drill',
  'chess set',
  'bicycle',
  'cup of tea',
  'telescope',
  'old book',
  'door',
]

/** Short texts, all different. */
function* lines(count: number) {
  for (let i = 0; i < count; i++) yield `a ${COLOURS[i % 7]} ${THINGS[i % 11]}, number ${i}\n`
}

/** @returns whether all is well */
export async function killEncodings(
  given: string | undefined,
  texts: number,
  kills: number,
  seed: number,
): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'sentence-torch-'))
  const file = join(folder, 'texts.txt')
  await writeFile(file, lines(texts))
  const model = given ?? (await tinyFolder(join(folder, 'model')))
  const plan = { model, texts: file, folder, shards: 4, rowsPerFile: 5000, kills, seed }
  const { kills: count, memory, seconds, faults } = await encodeAndKill(plan)
  const rate = Math.round(texts / seconds)
  console.log(
    `encode, seed ${seed}: ${texts} texts in ${seconds.toFixed(0)} s (${rate} a second), killed ${count} times`,
  )
  console.log(`  memory at most ${memory.half} MB in the first half, ${memory.end} MB in the second`)
  for (const fault of faults) console.log(`  ${fault}`)
  if (faults.length > 0) console.log(`  the folders are in ${folder}`)
  else await rm(folder, { recursive: true })
  return faults.length === 0
}
