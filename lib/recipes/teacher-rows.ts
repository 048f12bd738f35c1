/** What a teacher says of texts: rows of numbers in the files of a stage, computed once and kept. */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { throwIfAborted } from '../io/abort.js'
import { openSafetensors, writeSafetensors } from '../io/safetensors.js'
import { type Embeddings, embeddings } from '../models/embeddings.js'
import type { RecipeRun } from './recipe-run.js'
import type { StageInputs } from './stages.js'

/** Rows of a file: what a run that is stopped computes again at most. */
const FILE_ROWS = 4096
const TENSOR = 'rows'

type Rows = Pick<Embeddings, 'data' | 'shape'>

/**
 * A stage that computes rows in order, `rows-<first>.safetensors` by file. A file appears when it is complete, so a run that was
 * stopped goes on behind the last one.
 * @param inputs all that decides the rows
 * @param compute rows `start` to `end`
 */
export async function teacherStage(
  run: RecipeRun,
  name: string,
  inputs: StageInputs,
  count: number,
  compute: (start: number, end: number) => Promise<Rows>,
): Promise<{ key: string; rows: Embeddings }> {
  const stage = await run.stages.run(name, inputs, async ({ folder }) => {
    for (let start = 0; start < count; start += FILE_ROWS) {
      const path = join(folder, `rows-${String(start).padStart(9, '0')}.safetensors`)
      if (existsSync(path)) continue
      throwIfAborted(run.signal, `Stage ${name}`)
      const end = Math.min(start + FILE_ROWS, count)
      const { data, shape } = await compute(start, end)
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      await writeSafetensors(path, [{ name: TENSOR, dtype: 'F32', shape, data: bytes }])
      run.log(`${name}: ${end} of ${count}`)
    }
  })
  return { key: stage.key, rows: await readRows(stage.folder) }
}

/** All rows of a stage's folder. @throws ERR_INVALID_FILE */
async function readRows(folder: string): Promise<Embeddings> {
  const parts: Rows[] = []
  const files = (await readdir(folder)).filter((name) => name.endsWith('.safetensors')).sort()
  for (const file of files) {
    const opened = await openSafetensors(join(folder, file))
    try {
      const { shape } = opened.tensors.get(TENSOR)!
      const data = new Float32Array(shape[0]! * shape[1]!)
      await opened.readInto(TENSOR, 0, new Uint8Array(data.buffer))
      parts.push({ data, shape: [shape[0]!, shape[1]!] })
    } finally {
      await opened.close()
    }
  }
  const width = parts[0]!.shape[1]
  const rows = parts.reduce((sum, { shape }) => sum + shape[0], 0)
  const all = new Float32Array(rows * width)
  let start = 0
  for (const { data } of parts) {
    all.set(data, start)
    start += data.length
  }
  return embeddings(all, rows, width)
}

/** Each row as the label of a dataset. */
export function rowLabels(rows: Embeddings): number[][] {
  return Array.from({ length: rows.shape[0] }, (_, i) => Array.from(rows.row(i)))
}

/** Loads a teacher when it is first asked for: not where its numbers are there already. */
export async function withTeacher<M extends { dispose(): Promise<void> }, T>(
  load: () => Promise<M>,
  work: (teacher: () => Promise<M>) => Promise<T>,
): Promise<T> {
  let teacher: Promise<M> | undefined
  try {
    return await work(() => {
      teacher ??= load()
      return teacher
    })
  } finally {
    await teacher?.then(
      (model) => model.dispose(),
      () => {},
    )
  }
}
