// Builds the addon for linux-arm64 on Linux with another processor: `node packaging/build-arm64.mjs` writes
// build-arm64/Release/{boot,sentence_torch}.node and build-arm64/libtorch.json. test/install/arm64.mjs runs it.
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { freemem } from 'node:os'
import { join } from 'node:path'
import { LibtorchError, resolveLibtorch } from '../install/libtorch.mjs'
import { command, cores, packageRoot } from '../install/system.mjs'

const COMPILER = 'aarch64-linux-gnu-g++'
const BYTES_PER_JOB = 1.2e9
const build = join(packageRoot, 'build-arm64')

/** @param {string[]} args */
function cmake(args) {
  const { status, error } = spawnSync('cmake', args, { cwd: packageRoot, stdio: 'inherit' })
  if (status !== 0) throw new Error(`cmake ${args.join(' ')} failed${error ? `: ${error.message}` : ''}`)
}

async function main() {
  const compiler = command(COMPILER, ['--version'])?.split('\n')[0]
  if (!compiler) throw new Error(`${COMPILER} was not found. What mends it: sudo apt-get install g++-aarch64-linux-gnu`)
  // The environment speaks of this machine's LibTorch.
  const { SENTENCE_TORCH_LIBTORCH: _, ...env } = process.env
  const libtorch = await resolveLibtorch({ platform: 'linux-arm64', env: { ...env, SENTENCE_TORCH_CUDA: 'cpu' } })
  console.error(`LibTorch ${libtorch.version} for arm64: ${libtorch.path}\n${compiler}`)
  mkdirSync(build, { recursive: true })
  rmSync(join(build, 'libtorch.json'), { force: true })
  const generator = command('ninja', ['--version']) ? ['-G', 'Ninja'] : []
  cmake([
    ...[
      '-S',
      packageRoot,
      '-B',
      build,
      ...generator,
      `-DCMAKE_TOOLCHAIN_FILE=${join(packageRoot, 'cmake/aarch64.cmake')}`,
    ],
    ...[
      `-DLIBTORCH=${libtorch.path}`,
      '-DCMAKE_BUILD_TYPE=Release',
      `-DCMAKE_LIBRARY_OUTPUT_DIRECTORY=${join(build, 'Release')}`,
    ],
  ])
  const { allowed, quota } = cores()
  const jobs = Math.max(1, Math.min(allowed, Math.ceil(quota ?? allowed), Math.floor(freemem() / BYTES_PER_JOB)))
  cmake(['--build', build, '--parallel', String(jobs)])
  const { path, version, variant } = libtorch
  writeFileSync(join(build, 'libtorch.json'), `${JSON.stringify({ path, version, variant }, null, 2)}\n`)
}

try {
  await main()
} catch (error) {
  console.error(`build-arm64: ${error instanceof LibtorchError ? error.message : /** @type {Error} */ (error).message}`)
  process.exitCode = 1
}
