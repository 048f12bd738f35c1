// Saves a folder again and again in a process of its own: `node save-worker.js '<SaveRequest as JSON>'`.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceFolder } from '../../lib/io/atomic.js'

export interface SaveRequest {
  target: string
  /** Every file says it, with the number of the save. */
  name: string
  /** Endless without. */
  times?: number
}

/** The files of save number `i`: every other one has a folder more. */
export function filesOf(name: string, i: number): Record<string, string> {
  const text = `${name} ${i} `
  const files = { 'config.json': text, 'model.safetensors': text.repeat(5_000), '1_Pooling/config.json': text }
  return i % 2 === 0 ? { ...files, '2_Dense/config.json': text } : files
}

/** What a model's folder keeps of the old files. */
export const isForeign = (path: string) => !/^(config\.json|model\.safetensors|\d_[^/]*)$/.test(path)

if (process.argv[2] !== undefined) {
  const { target, name, times = Number.POSITIVE_INFINITY } = JSON.parse(process.argv[2]) as SaveRequest
  for (let i = 0; i < times; i++) {
    const fill = async (folder: string) => {
      for (const [path, content] of Object.entries(filesOf(name, i))) {
        await mkdir(join(folder, path, '..'), { recursive: true })
        await writeFile(join(folder, path), content)
      }
    }
    await replaceFolder(target, fill, { keepUnknown: isForeign })
    if (i === 0) process.stdout.write('saved\n')
  }
}
