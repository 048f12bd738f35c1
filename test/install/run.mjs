// `npm run test:install`: the packed packages, published on a loopback registry and installed with every package manager, on several
// versions of Node and of Debian, copied from place to place, and damaged. `-- --help` says what can be chosen.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { tinyFolder } from '../../dist/test/helpers/tiny-folder.js'
import { cpuModel } from '../../install/system.mjs'
import { cases as arm64 } from './cases/arm64.mjs'
import { cases as copies } from './cases/copies.mjs'
import { cases as debian } from './cases/debian.mjs'
import { cases as failures } from './cases/failures.mjs'
import { cases as image } from './cases/image.mjs'
import { cases as managers } from './cases/managers.mjs'
import { cases as nodes } from './cases/nodes.mjs'
import { cases as program } from './cases/program.mjs'
import { packedTarballs } from './packed.mjs'
import { publish, startRegistry, warm } from './registry.mjs'
import { ProgramError, Skip } from './run-program.mjs'

const all = [...managers, ...nodes, ...copies, ...program, ...debian, ...image, ...arm64, ...failures]

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean' },
    packed: { type: 'string' },
    json: { type: 'string' },
    keep: { type: 'boolean' },
    list: { type: 'boolean' },
    help: { type: 'boolean' },
  },
})

if (values.help) {
  console.log(`npm run test:install -- [options]
  --only a,b     these cases, and those whose names begin with one of these words (see --list)
  --quick        the cases that need nothing but npm, in less than two minutes
  --packed DIR   tarballs that are packed already; without it: npm run pack:all
  --json FILE    writes the table of seconds and sizes
  --keep         leaves the folders of the cases, and says where
  --list         lists the cases`)
} else if (values.list) {
  for (const { name, what } of all) console.log(`${name.padEnd(24)} ${what}`)
} else {
  await main(choose())
}

function choose() {
  const words = values.only?.split(',')
  for (const word of words ?? [])
    if (!all.some(({ name }) => matches(name, word)))
      throw new Error(`--only: no case is or begins with ${JSON.stringify(word)}; --list lists them`)
  return all.filter(
    ({ name, quick }) => (!values.quick || quick) && (words?.some((word) => matches(name, word)) ?? true),
  )
}

function matches(name, word) {
  return name === word || name.startsWith(`${word}-`)
}

async function main(chosen) {
  const work = mkdtempSync(join(tmpdir(), 'sentence-torch-matrix-'))
  const counts = { passed: 0, failed: 0, skipped: 0 }
  const rows = []
  const skipAll = (reason) => {
    for (const { name } of chosen) console.log(`skipped  ${name}: ${reason}`)
    counts.skipped = chosen.length
  }
  let registry
  try {
    if (process.platform !== 'linux') throw new Skip('the matrix runs on Linux')
    const model = await tinyFolder(join(work, 'model'))
    const { tarballs, platforms, sizes } = await packedTarballs(values.packed && resolve(values.packed), work)
    const registryFolder = join(work, 'registry')
    mkdirSync(registryFolder)
    registry = await startRegistry(registryFolder)
    await publish(registry, tarballs)
    const warmFolder = join(work, 'warm')
    mkdirSync(warmFolder)
    await warm(registry, warmFolder)
    const context = { work, model, registry, tarballs, platforms }
    for (const one of chosen) rows.push(await runCase(one, context, counts))
    if (values.json) writeTable(values.json, sizes, rows)
  } catch (error) {
    if (error instanceof Skip) skipAll(error.message)
    else {
      console.log(`failed   before the cases: ${error instanceof ProgramError ? error.message : error.stack}`)
      counts.failed++
    }
  } finally {
    await registry?.stop()
    if (values.keep) console.log(`kept: ${work}`)
    else rmSync(work, { recursive: true, force: true })
  }
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
  if (counts.failed > 0) process.exitCode = 1
}

async function runCase({ name, what, run }, context, counts) {
  const row = { name, what }
  try {
    Object.assign(row, await run(context))
    counts.passed++
    console.log(`passed   ${name}: ${describe(row)}`)
    return { ...row, outcome: 'passed' }
  } catch (error) {
    const outcome = error instanceof Skip ? 'skipped' : 'failed'
    counts[outcome]++
    console.log(`${outcome.padEnd(8)} ${name}: ${error.message}`)
    return { ...row, outcome, reason: error.message }
  } finally {
    // Each takes 350 MB.
    if (!values.keep)
      for (const made of [name, `${name}-first`]) rmSync(join(context.work, made), { recursive: true, force: true })
  }
}

function describe({ tool, runtime, install, seconds, packages, megabytes, note }) {
  const parts = [tool, runtime]
  if (install) parts.push(`installed in ${install.toFixed(1)} s`)
  if (seconds) parts.push(`first embedding after ${seconds.toFixed(1)} s`)
  if (packages) parts.push(`${packages} packages, ${megabytes} MB`)
  parts.push(note)
  return parts.filter(Boolean).join(', ')
}

function writeTable(file, sizes, rows) {
  mkdirSync(dirname(resolve(file)), { recursive: true })
  const table = { date: new Date().toISOString(), processor: cpuModel(), tarballs: sizes, cases: rows }
  writeFileSync(file, `${JSON.stringify(table, null, 2)}\n`)
}
