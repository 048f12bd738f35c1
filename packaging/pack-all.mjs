// npm run pack:all: all packages of one platform as tarballs, the same bytes from the same files, and a table of their sizes.

import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { LibtorchError, resolveLibtorch } from '../install/libtorch.mjs'
import { inspectLibtorch } from '../install/libtorch-folder.mjs'
import { packageRoot } from '../install/system.mjs'
import { CUDA_PACKAGE, PLATFORMS } from './manifests.mjs'
import { PackError } from './pack-error.mjs'
import { rootManifest, stageBuild, stageCuda, stageLibtorch, stageMain, stagePlatform } from './stage.mjs'
import { makeTarball } from './tarball.mjs'

const HELP = `npm run pack:all -- [options]
  --out <folder>        where the tarballs go (default build/packages)
  --platform <name>     ${PLATFORMS.join(', ')} (default: this one)
  --addon <folder>      the built boot.node and sentence_torch.node (default build/Release; build-arm64/Release for linux-arm64)
  --libtorch <folder>   the LibTorch whose libraries are packed (default: as for a build)
  --cuda <folder>       a build for CUDA (default build-cuda/Release); without one its package is left out
  --json                the sizes as JSON on stdout`

/** @param {string} line */
const say = (line) => void process.stderr.write(`${line}\n`)

/** @param {string[]} args */
async function main(args) {
  const options = parseOptions(args)
  if (options.help) return console.log(HELP)
  const { platform, addon, cuda } = options
  const root = rootManifest()
  const libtorch = await findLibtorch(platform, options.libtorch)
  say(`LibTorch ${libtorch.version}: ${libtorch.path}`)

  mkdirSync(options.out, { recursive: true })
  const work = mkdtempSync(join(options.out, '.packing-'))
  try {
    /** @type {[string, (folder: string) => void | Promise<void>][]} */
    const packages = [
      // First what is most often missing.
      ['addon', (folder) => stagePlatform(folder, root, { platform, addon, libtorch: libtorch.version })],
      ['main', (folder) => stageMain(folder, root)],
      ['build', (folder) => stageBuild(folder, root)],
      ['libtorch', (folder) => stageLibtorch(folder, root, { platform, ...libtorch })],
    ]
    if (platform === 'linux-x64' && existsSync(cuda)) packages.push(['cuda', (folder) => stageCuda(folder, root, cuda)])
    else if (platform === 'linux-x64')
      say(`${CUDA_PACKAGE} is left out: ${cuda} is not there (npm run build:cuda-check makes it, --cuda names another)`)
    const packed = []
    for (const [name, stage] of packages) {
      const folder = join(work, name)
      mkdirSync(folder)
      await stage(folder)
      packed.push(await makeTarball(folder, work))
    }
    // All of them, or none.
    const moved = packed.map((entry) => ({ ...entry, file: join(options.out, basename(entry.file)) }))
    packed.forEach((entry, i) => {
      renameSync(entry.file, moved[i]?.file ?? '')
    })
    if (options.json) console.log(JSON.stringify(moved, null, 2))
    else printTable(moved)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** @param {string[]} args */
function parseOptions(args) {
  const text = /** @type {const} */ ({ type: 'string' })
  const flag = /** @type {const} */ ({ type: 'boolean', default: false })
  let values
  try {
    const options = { out: text, platform: text, addon: text, libtorch: text, cuda: text, json: flag, help: flag }
    values = parseArgs({ args, options }).values
  } catch (error) {
    throw new PackError(`${error instanceof Error ? error.message : error}\n${HELP}`)
  }
  const here = `${process.platform}-${process.arch}`
  const platform = values.platform ?? here
  if (!PLATFORMS.includes(platform))
    throw new PackError(`--platform: one of ${PLATFORMS.join(', ')} is expected, found ${platform}`)
  const own = platform === here ? 'build/Release' : `build-${platform.split('-')[1]}/Release`
  const folder = (/** @type {string | undefined} */ value, /** @type {string} */ otherwise) =>
    value ? resolve(value) : join(packageRoot, otherwise)
  return {
    platform,
    out: folder(values.out, 'build/packages'),
    addon: folder(values.addon, own),
    cuda: folder(values.cuda, 'build-cuda/Release'),
    libtorch: values.libtorch && resolve(values.libtorch),
    json: values.json,
    help: values.help,
  }
}

/**
 * @param {string} platform
 * @param {string | undefined} chosen a LibTorch, or a folder that holds one
 * @returns {Promise<{ path: string, version: string }>}
 */
async function findLibtorch(platform, chosen) {
  if (!chosen) {
    // What the environment names is for this machine.
    const own = platform === `${process.platform}-${process.arch}` ? process.env.SENTENCE_TORCH_LIBTORCH : ''
    const env = { ...process.env, SENTENCE_TORCH_LIBTORCH: own, SENTENCE_TORCH_CUDA: 'cpu' }
    return resolveLibtorch({ platform, log: say, env })
  }
  const inside = ['', 'torch', 'libtorch']
    .map((name) => join(chosen, name))
    .find((path) => existsSync(join(path, 'lib')))
  const { path, version, problem } = inspectLibtorch(inside ?? chosen)
  if (!path || !version) throw new PackError(`--libtorch: ${problem}`)
  return { path, version }
}

/** @param {import('./tarball.mjs').Packed[]} packed */
function printTable(packed) {
  const kilobytes = (/** @type {number} */ bytes) => `${Math.round(bytes / 1000).toLocaleString('en')} kB`
  const rows = packed.map(({ name, version, packed, unpacked, files }) => [
    `${name}@${version}`,
    kilobytes(packed),
    kilobytes(unpacked),
    String(files.length),
  ])
  const head = ['package', 'packed', 'unpacked', 'files']
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)))
  for (const row of [head, ...rows])
    console.log(row.map((cell, i) => (i ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join('  '))
  console.log(`in ${relative(process.cwd(), dirname(packed[0]?.file ?? '')) || '.'}`)
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof PackError || error instanceof LibtorchError)) throw error
  say(`pack:all: ${error.message}`)
  process.exitCode = 1
}
