import { access, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { WEIGHT_FILES } from '../io/tensor-file.js'
import { unusable } from './hub-files.js'

/** The file of a module's weights, or the index of its shards. @throws ERR_INVALID_MODEL, ERR_UNSUPPORTED without one */
export async function weightFile(root: string, module: string): Promise<string> {
  for (const name of WEIGHT_FILES) {
    const path = join(root, module, name)
    if (await exists(path)) return path
  }
  const files = await readdir(join(root, module)).catch(() => [])
  throw unusable(root, [join(module, WEIGHT_FILES[0])], new Set(files.map((name) => join(module, name))))
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
