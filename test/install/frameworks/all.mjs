// npm run test:frameworks: the programs of this folder one after the other, with packages that are made once. `--packed DIR` takes
// those of a folder.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const here = fileURLToPath(new URL('.', import.meta.url))
const programs = readdirSync(here).filter((name) => !['all.mjs', 'harness.mjs'].includes(name))
const { values } = parseArgs({ options: { packed: { type: 'string' } } })
const work = mkdtempSync(join(tmpdir(), 'sentence-torch-frameworks-'))
const counts = [0, 0]
try {
  const packed = values.packed ? resolve(values.packed) : join(work, 'packed')
  if (!values.packed) {
    const addon = process.env.SENTENCE_TORCH_ADDON
    const options = ['--out', packed, ...(addon ? ['--addon', dirname(addon)] : [])]
    const { status } = spawnSync(process.execPath, [join(here, '../../../packaging/pack-all.mjs'), ...options], {
      stdio: 'inherit',
    })
    if (status !== 0) throw new Error(`pack:all ended with ${status}`)
  }
  for (const name of programs) {
    console.log(`--- ${name}`)
    const { stdout, status } = spawnSync(process.execPath, [join(here, name), '--packed', packed], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    process.stdout.write(stdout)
    const [, passed, failed] = /^(\d+) passed, (\d+) failed$/m.exec(stdout) ?? [0, 0, 1]
    counts[0] += Number(passed)
    counts[1] += Number(failed)
    // A program can end badly without a failed case.
    if (status !== 0 && Number(failed) === 0) counts[1]++
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}
console.log(`${counts[0]} passed, ${counts[1]} failed`)
if (counts[1] > 0) process.exitCode = 1
