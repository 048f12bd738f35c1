// The CUDA variant: which version is asked for, and where nvcc is.

import { existsSync } from 'node:fs'
import { command } from './system.mjs'
import { SetupError } from './toolchain.mjs'

/**
 * SENTENCE_TORCH_CUDA: `cpu` or a CUDA version.
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string}
 */
export function cudaVariant(env = process.env) {
  const variant = env.SENTENCE_TORCH_CUDA || 'cpu'
  if (variant !== 'cpu' && !/^\d+\.\d+$/.test(variant))
    throw new SetupError(`expected cpu or a CUDA version such as 13.0 for SENTENCE_TORCH_CUDA but received ${variant}`)
  if (variant !== 'cpu' && process.platform === 'darwin')
    throw new SetupError(`there is no CUDA on macOS: SENTENCE_TORCH_CUDA=${variant} cannot be built there`)
  return variant
}

/**
 * @param {{ env?: NodeJS.ProcessEnv, places?: string[] }} [options] `places`: where nvcc may be when nobody names it
 * @returns {string} the program
 */
export function findNvcc({ env = process.env, places = ['nvcc', '/usr/local/cuda/bin/nvcc'] } = {}) {
  const named = env.CUDACXX
  if (named) {
    if (existsSync(named) || works(named)) return named
    throw new SetupError(`CUDACXX names ${named}, which is not there`)
  }
  const found = places.find(works)
  if (found) return found
  throw new SetupError(
    [
      `the CUDA variant needs nvcc (looked for ${places.join(', ')}). What mends it:`,
      '  - install the CUDA toolkit, or name its nvcc in CUDACXX',
      '  - without root: python3 -m pip install nvidia-cuda-nvcc nvidia-nvvm nvidia-cuda-crt nvidia-cuda-cccl nvidia-cuda-runtime, then CUDACXX=<site-packages>/nvidia/cu13/bin/nvcc',
      '  - SENTENCE_TORCH_CUDA=cpu builds without it',
    ].join('\n'),
  )
}

/** @param {string} program */
function works(program) {
  return command(program, ['--version'])?.includes('release') ?? false
}
