/** `sentence-torch install cuda`: finds the package with the addon for CUDA, which is then filled. */
import { fillCuda } from '#cuda-libtorch'
import { packageRoot } from '#system'
import { SentenceTorchError } from '../errors.js'
import { addCommand, findPackage, versionOf } from './find-package.js'

const NAME = '@sentence-torch/linux-x64-cuda13'

export interface CudaPlace {
  from?: string
  /** The folder of this package; tests name others. */
  root?: string
  cwd?: string
}

export async function installCuda({ from, root = packageRoot, cwd = process.cwd() }: CudaPlace): Promise<void> {
  const version = versionOf(root)
  const here = `${process.platform}-${process.arch}`
  if (here !== 'linux-x64')
    throw new SentenceTorchError('ERR_UNSUPPORTED', `There is an addon for CUDA for linux-x64 alone, not for ${here}`)
  const folder = findPackage(NAME, version, [root, cwd])
  if (folder === undefined)
    throw new SentenceTorchError('ERR_NOT_FOUND', `${NAME} is not installed: ${addCommand(`${NAME}@${version}`, root)}`)
  await fillCuda({ folder, from })
}
