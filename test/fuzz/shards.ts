import { readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { parts, withLength } from './safetensors-parts.js'

type Header = Record<string, { data_offsets: [number, number] }>

/** Makes two files and an index of a folder's model.safetensors. */
export async function shard(folder: string): Promise<void> {
  const whole = join(folder, 'model.safetensors')
  const { header, data } = parts(await readFile(whole))
  const entries = Object.entries(JSON.parse(Buffer.from(header).toString()) as Header).filter(
    ([name]) => name !== '__metadata__',
  )
  const weightMap: Record<string, string> = {}
  const half = entries.length >> 1
  for (const [i, part] of [entries.slice(0, half), entries.slice(half)].entries()) {
    const file = join(folder, `model-0000${i + 1}-of-00002.safetensors`)
    const start = part[0]![1].data_offsets[0]
    const moved = part.map(([name, entry]) => {
      weightMap[name] = basename(file)
      const [from, to] = entry.data_offsets
      return [name, { ...entry, data_offsets: [from - start, to - start] }]
    })
    const end = part.at(-1)![1].data_offsets[1]
    await writeFile(file, withLength(Buffer.from(JSON.stringify(Object.fromEntries(moved))), data.subarray(start, end)))
  }
  const index = { metadata: { total_size: data.length }, weight_map: weightMap }
  await writeFile(`${whole}.index.json`, JSON.stringify(index))
  await rm(whole)
}
