// 200,000 texts in shards that are killed:
// `node dist/test/kills/run.js encode [--kills 12] [--seed 1] [--texts 200000] [--model folder] [--dtype bfloat16] [--json]`.
// Without a model it is a tiny one, whose rows are computed as fast as they are written.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
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

export interface EncodingsToKill {
  /** Default: a tiny one. */
  model: string | undefined
  dtype: string | undefined
  texts: number
  kills: number
  seed: number
  /** Prints all that was measured. */
  json: boolean
}

/** @returns whether all is well */
export async function killEncodings(given: EncodingsToKill): Promise<boolean> {
  const { dtype, texts, kills, seed, json } = given
  const folder = await mkdtemp(join(tmpdir(), 'sentence-torch-'))
  const file = join(folder, 'texts.txt')
  await writeFile(file, lines(texts))
  const model = given.model ?? (await tinyFolder(join(folder, 'model')))
  const plan = { model, texts: file, folder, shards: 4, rowsPerFile: 5000, kills, seed, ...(dtype && { dtype }) }
  const found = await encodeAndKill(plan)
  const { whole, killed, faults } = found
  const rate = Math.round(texts / whole.seconds)
  const middle = Math.ceil(whole.memory.length / 2)
  const [half, end] = [whole.memory.slice(0, middle), whole.memory.slice(middle)].map((part) => Math.max(0, ...part))
  console.log(
    `encode, seed ${seed}: ${texts} texts in ${whole.seconds.toFixed(0)} s (${rate} a second), killed ${found.kills} times`,
  )
  console.log(`  memory at most ${half} MB in the first half, ${end} MB in the second`)
  console.log(
    `  of processes that were killed, and of those after them, ${Math.max(...killed.flatMap((run) => run.memory))} MB`,
  )
  for (const fault of faults) console.log(`  ${fault}`)
  if (json) {
    const { files, bytes } = found
    const conditions = {
      processor: cpus()[0]!.model,
      cores: cpus().length,
      model: given.model ?? 'tiny',
      dtype: dtype ?? 'float32',
    }
    const { shards, rowsPerFile } = plan
    const said = { ...conditions, texts, shards, rowsPerFile, seed, kills: found.kills, equal: faults.length === 0 }
    console.log(JSON.stringify({ ...said, files, bytes, whole, killed }))
  }
  if (faults.length > 0) console.log(`  the folders are in ${folder}`)
  else await rm(folder, { recursive: true })
  return faults.length === 0
}
