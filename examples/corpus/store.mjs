// node examples/corpus/store.mjs [folder]
//
// Puts the vectors of a folder into Qdrant, some thousand at a time and in order, so that a call that was stopped goes on behind the
// points that are there.
import { EncodedFiles } from 'sentence-torch'
import { ask } from './qdrant.mjs'

/** Points of a request: some megabytes of JSON. */
const POINTS = 500

const vectors = await EncodedFiles.open(process.argv[2] ?? 'vectors')
if ((await ask('GET', '')) === undefined)
  await ask('PUT', '', { vectors: { size: vectors.dimension, distance: 'Cosine', on_disk: true } })
const { count: there } = await ask('POST', '/points/count', { exact: true })

for await (const { first, rows, texts } of vectors.blocks()) {
  const [count, width] = rows.shape
  for (let start = Math.max(0, there - first); start < count; start += POINTS) {
    const points = Array.from({ length: Math.min(POINTS, count - start) }, (_, i) => {
      const row = start + i
      const vector = Array.from(rows.data.subarray(row * width, (row + 1) * width))
      return { id: first + row, vector, payload: { text: texts[row] } }
    })
    await ask('PUT', '/points?wait=true', { points })
  }
}
console.log(`${(await ask('POST', '/points/count', { exact: true })).count} points, ${there} of them were there`)
