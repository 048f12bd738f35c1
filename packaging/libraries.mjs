// The shared libraries of LibTorch that an addon for the CPU needs, and binaries without the symbols that only a debugger reads.

import { copyFileSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { inspectBinary, neededLibraries as neededByElf } from '../install/binary.mjs'
import { command } from '../install/system.mjs'
import { PackError } from './pack-error.mjs'

/** Libraries of others: their licences ask for them as they came. */
const FOREIGN = /^lib(gomp|omp|gfortran|cudart|cupti|nvpl)/

/**
 * @typedef {object} Libtorch
 * @property {string} home the folder above
 * @property {string} root `torch` in the layout of the wheels, `libtorch` in that of the zip
 * @property {string} version
 * @property {string[]} libraries relative to `home`
 */

/**
 * What libtorch_cpu and libc10 need of their own folder and of those beside it, by what the libraries themselves say. A LibTorch of
 * the CPU alone so brings neither cudart nor cupti, one out of a CUDA wheel brings these two.
 * @param {string} path folder that holds lib/
 * @param {string} platform
 * @returns {{ home: string, root: string, libraries: string[] }}
 */
export function neededLibraries(path, platform) {
  const home = dirname(path)
  const suffix = platform.startsWith('darwin') ? 'dylib' : 'so'
  const places = [join(path, 'lib'), join(home, 'torch.libs'), join(home, 'nvidia/cu13/lib')]
  /** @type {Set<string>} */
  const found = new Set()
  const queue = [`libtorch_cpu.${suffix}`, `libc10.${suffix}`]
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const file = places.map((place) => join(place, String(name))).find(existsSync)
    if (!file || found.has(file)) continue
    found.add(file)
    queue.push(...neededNames(file, platform))
  }
  const isWheel = basename(path) === 'torch'
  const root = isWheel ? 'torch' : 'libtorch'
  // The unpacked zip may lie in a folder of any name.
  const libraries = [...found].map((file) => {
    const inside = file.slice(home.length + 1)
    return isWheel ? inside : join(root, inside.slice(basename(path).length + 1))
  })
  return { home, root, libraries: libraries.sort() }
}

/**
 * @param {string} file
 * @param {string} platform
 * @returns {string[]} names of the libraries that it names, those of the system too
 */
function neededNames(file, platform) {
  if (!platform.startsWith('darwin')) return neededByElf(file)
  const output = command('otool', ['-L', file])
  if (output === undefined)
    throw new PackError(`otool could not read ${file}: it is damaged, or the tools of Xcode are missing`)
  return [...output.matchAll(/^\s+@\S*\/(\S+\.dylib)/gm)].map(([, name]) => String(name))
}

/**
 * A copy without debug information and local symbols. macOS signs what it links, and a stripped file would have to be signed anew:
 * there it is copied as it is.
 * @param {string} source
 * @param {string} target
 * @param {string} platform
 */
export function copyStripped(source, target, platform) {
  checkMachine(source, platform)
  if (platform.startsWith('darwin') || FOREIGN.test(basename(source))) return copyFileSync(source, target)
  const program = stripProgram(platform)
  if (command(program, ['--strip-unneeded', '-o', target, source]) !== undefined) return
  const remedy = platform === 'linux-arm64' ? 'apt-get install binutils-aarch64-linux-gnu' : 'apt-get install binutils'
  throw new PackError(`${program} could not strip ${source}; where it is missing: ${remedy}`)
}

/** @param {string} platform */
function stripProgram(platform) {
  const own = platform === `${process.platform}-${process.arch}`
  if (own) return 'strip'
  return platform === 'linux-arm64' ? 'aarch64-linux-gnu-strip' : 'x86_64-linux-gnu-strip'
}

/**
 * Refuses a binary of another kind of machine.
 * @param {string} file
 * @param {string} platform
 */
function checkMachine(file, platform) {
  if (inspectBinary(file).machine === platform) return
  const name = platform.replace('darwin-', 'macOS ').replace('linux-', 'Linux ')
  throw new PackError(`${file} is no binary for ${name}: --addon and --libtorch name the folders of ${platform}`)
}

/**
 * The licences of the libraries that go along, by the name of the file in the package.
 * @param {Libtorch} libtorch
 * @param {string} texts folder of the texts that the repository keeps
 * @param {string} platform
 * @returns {{ index: string, files: Record<string, string> }}
 */
export function licencesOf({ home, version, libraries }, texts, platform) {
  const read = (/** @type {string} */ name) => readFileSync(join(texts, name), 'utf8')
  const names = libraries.map((file) => basename(file))
  const has = (/** @type {RegExp} */ pattern) => names.filter((name) => pattern.test(name))
  const thirdParty = read('pytorch-third-party.txt')
  if (!thirdParty.split('\n')[0]?.includes(`PyTorch ${version} `))
    throw new PackError(
      `packaging/licences are not those of LibTorch ${version}: renew them, as packaging/licences/README.md says`,
    )
  /** @type {Record<string, string>} */
  const files = { 'pytorch.txt': read('pytorch.txt'), 'pytorch-third-party.txt': thirdParty }
  const lines = [
    `libtorch_cpu, libc10: LibTorch ${version}, the PyTorch authors; BSD 3-Clause (licences/pytorch.txt), with parts of others`,
    '  (licences/pytorch-third-party.txt).',
  ]
  if (platform === 'linux-x64') {
    files['mkl.txt'] = read('mkl.txt')
    files['mkl-third-party.txt'] = read('mkl-third-party.txt')
    lines.push(
      'libtorch_cpu holds Intel oneMKL; Intel Simplified Software License (licences/mkl.txt, mkl-third-party.txt).',
    )
  }
  const gcc = has(/^lib(gomp|gfortran)/)
  if (gcc.length) {
    files['gcc-runtime.txt'] = read('gcc-runtime.txt')
    lines.push(
      `${gcc.join(', ')}: GCC's runtime, the Free Software Foundation; GPL 3 with the GCC Runtime Library Exception 3.1`,
      '  (licences/gcc-runtime.txt). It is the file that PyTorch distributes; its sources are those of GCC, https://gcc.gnu.org.',
    )
  }
  if (has(/^libomp\./).length)
    lines.push('libomp: LLVM OpenMP; Apache-2.0 with LLVM exceptions (licences/pytorch-third-party.txt).')
  const arm = has(/^libarm_compute/)
  if (arm.length) {
    files['arm-compute-library.txt'] = read('arm-compute-library.txt')
    lines.push(`${arm.join(', ')}: Arm Compute Library; MIT (licences/arm-compute-library.txt).`)
  }
  const nvidia = has(/^lib(cudart|cupti|nvpl)/)
  if (nvidia.length) {
    files['nvidia.txt'] = nvidiaLicence(home)
    lines.push(
      `${nvidia.join(', ')}: NVIDIA; redistributed unchanged under NVIDIA's End User License Agreement`,
      '  (licences/nvidia.txt). libtorch_cpu needs them to load; nothing here computes on a GPU.',
    )
    if (has(/^libnvpl/).length)
      lines.push('  The NVIDIA Performance Libraries (libnvpl_*) have a supplement: https://docs.nvidia.com/nvpl.')
  }
  const index = `This package holds libraries of several authors, each under its own licence. Files are named relative to this one.\n\n${lines.join('\n')}\n`
  return { index, files }
}

/** @param {string} home */
function nvidiaLicence(home) {
  const folder = readdirSync(home).find((name) => /^nvidia_cuda_runtime-.*\.dist-info$/.test(name))
  const file = folder && join(home, folder, 'licenses/License.txt')
  if (file && existsSync(file)) return readFileSync(file, 'utf8').replaceAll('\r\n', '\n')
  throw new PackError(
    `${home} holds NVIDIA's libraries without their licence (nvidia_cuda_runtime-*.dist-info/licenses/License.txt); ` +
      'remove the folder and let `node install/libtorch.mjs --print` fetch it again',
  )
}
