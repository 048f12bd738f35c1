// `npm run build:cuda-check`: builds the CUDA variant without a GPU and without a CUDA toolkit, and checks what can be checked
// there. nvcc, the CUDA libraries and a LibTorch for CUDA come from Python wheels, into a virtual environment of their own (5 GB);
// the addon goes into a build folder of its own. What is there already is kept: run it again after a failure.

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cudaArchitectures } from './fatbin.mjs'
import { command, packageRoot } from './system.mjs'
import { SetupError } from './toolchain.mjs'

export const CUDA = '13.0'
/** LibTorch for CUDA 13.0 with all that it needs, and what makes nvcc. */
export const WHEELS = [
  'torch==2.13.0',
  ...['nvcc', 'crt', 'cccl', 'runtime'].map((name) => `nvidia-cuda-${name}==${CUDA}.*`),
  `nvidia-nvvm==${CUDA}.*`,
]
/** What the addon's own kernels are compiled for: machine code, and PTX for cards to come. */
export const ARCHITECTURES = ['sm_80', 'sm_90', 'compute_90']
const USAGE = `usage: npm run build:cuda-check [-- --venv <folder>] [--build <folder>] [--python <program>] [--force]

  --venv <folder>     virtual environment with the wheels (default .venv-cuda); made when it is missing
  --build <folder>    where the addon is built (default build-cuda)
  --python <program>  makes the virtual environment (default python3)
  --force             compiles even where nothing has changed`

/**
 * @param {string[]} args
 * @returns {{ venv: string, build: string, python: string, force: boolean }} with absolute folders
 */
export function parseArguments(args) {
  const options = { venv: '.venv-cuda', build: 'build-cuda', python: 'python3', force: false }
  for (let i = 0; i < args.length; i++) {
    const name = /** @type {string} */ (args[i])
    if (name === '--force') options.force = true
    else if (name === '--venv' || name === '--build' || name === '--python') {
      const value = args[++i]
      if (!value || value.startsWith('--')) throw new SetupError(`${name} needs a value\n${USAGE}`)
      options[/** @type {'venv' | 'build' | 'python'} */ (name.slice(2))] = value
    } else throw new SetupError(`unknown argument ${name}\n${USAGE}`)
  }
  return { ...options, venv: resolve(packageRoot, options.venv), build: resolve(packageRoot, options.build) }
}

/**
 * What is in a virtual environment: where LibTorch and nvcc are.
 * @param {string} venv
 * @returns {{ torch: string, nvcc: string } | undefined} undefined unless both are there
 */
export function findWheels(venv) {
  const lib = join(venv, 'lib')
  const pythons = existsSync(lib) ? readdirSync(lib).filter((name) => name.startsWith('python3')) : []
  for (const python of pythons) {
    const packages = join(lib, python, 'site-packages')
    const torch = join(packages, 'torch')
    const nvcc = join(packages, 'nvidia', 'cu13', 'bin', 'nvcc')
    if (existsSync(join(torch, 'lib', 'libtorch_cuda.so')) && existsSync(nvcc)) return { torch, nvcc }
  }
  return undefined
}

/**
 * What the addon of the CUDA variant must say on this machine.
 * @param {{ cuda: string | null, devices: { name: string, description: string }[] }} runtime
 * @returns {string} what was found; throws otherwise
 */
export function judgeRuntime(runtime) {
  if (runtime.cuda !== CUDA) throw new Error(`expected runtime().cuda to be ${CUDA} but found ${runtime.cuda}`)
  const first = runtime.devices[0]
  const text = 'CUDA build, no device, using CPU'
  if (first?.name.startsWith('cuda:'))
    return `CUDA build, ${runtime.devices.length - 1} device(s): ${first.description}`
  if (first?.name !== 'cpu' || !first.description.includes(text))
    throw new Error(`expected the device cpu described as "${text}" but found ${JSON.stringify(runtime.devices)}`)
  return text
}

/** @param {string} line */
const say = (line) => void process.stderr.write(`cuda-check: ${line}\n`)

/**
 * @param {string} program
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
function run(program, args, env = {}) {
  const { status, error } = spawnSync(program, args, {
    cwd: packageRoot,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  })
  if (error || status !== 0)
    throw new SetupError(`${program} ${args.slice(0, 3).join(' ')} … ended with ${error?.message ?? status}`)
}

/**
 * The wheels, downloaded unless a finished run has left them.
 * @param {string} venv
 * @param {string} python
 */
function provideWheels(venv, python) {
  const marker = join(venv, 'sentence-torch.json')
  const wanted = JSON.stringify(WHEELS)
  const found = findWheels(venv)
  if (found && existsSync(marker) && readFileSync(marker, 'utf8') === wanted) {
    say(`wheels: ${venv} has them`)
    return found
  }
  const pip = join(venv, 'bin', 'python')
  if (!existsSync(pip)) run(python, ['-m', 'venv', venv])
  say(`wheels: ${WHEELS.join(', ')} into ${venv} (5 GB)`)
  const options = ['--disable-pip-version-check', '--only-binary=:all:', '--progress-bar', 'off', '--quiet']
  run(pip, ['-m', 'pip', 'install', ...options, ...WHEELS])
  const installed = findWheels(venv)
  if (!installed) throw new SetupError(`${venv} has no torch for CUDA or no nvcc after the installation`)
  writeFileSync(marker, wanted)
  return installed
}

/** @param {string[]} args */
function main(args) {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new SetupError(`the wheels of CUDA ${CUDA} are for linux-x64; this is ${process.platform}-${process.arch}`)
  const { venv, build, python, force } = parseArguments(args)
  const start = Date.now()
  const { torch, nvcc } = provideWheels(venv, python)
  say(`nvcc: ${command(nvcc, ['--version'])?.match(/release.*/)?.[0]}`)
  const env = { SENTENCE_TORCH_CUDA: CUDA, SENTENCE_TORCH_LIBTORCH: torch, SENTENCE_TORCH_BUILD: build, CUDACXX: nvcc }
  run(process.execPath, ['install/build.mjs', ...(force ? ['--force'] : [])], env)

  const addon = join(build, 'Release', 'sentence_torch.node')
  const architectures = cudaArchitectures(readFileSync(addon))
  const missing = ARCHITECTURES.filter((name) => !architectures.includes(name))
  if (missing.length)
    throw new SetupError(`the addon has no CUDA code for ${missing.join(', ')}, only for ${architectures.join(', ')}`)
  say(`CUDA code in the addon: ${architectures.join(', ')}`)
  // In a process of its own: a crash of native code must not look like a pass.
  run(process.execPath, ['install/cuda-check-addon.mjs'], { SENTENCE_TORCH_ADDON: addon, SENTENCE_TORCH_LIBTORCH: '' })
  say(`passed in ${((Date.now() - start) / 1000).toFixed(0)} s`)
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    main(process.argv.slice(2))
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    say(error.message)
    process.exitCode = 1
  }
}
