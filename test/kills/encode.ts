// 200,000 texts in shards that are killed: `node dist/test/kills/run.js encode [--kills 12] [--seed 1] [--texts 200000]`.
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { encodeAndKill } from '../helpers/encode-kills.js'
import { MINILM } from '../helpers/shared.js'

const maker = fileURLToPath(new URL('../../../examples/corpus/make-texts.mjs', import.meta.url))

/** @returns whether all is well */
export async function killEncodings(texts: number, kills: number, seed: number): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'sentence-torch-'))
  const file = join(folder, 'texts.jsonl')
  spawnSync(process.execPath, [maker, file, String(texts)], { stdio: 'inherit' })
  const plan = { model: MINILM, texts: file, folder, shards: 4, rowsPerFile: 5000, kills, seed }
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
