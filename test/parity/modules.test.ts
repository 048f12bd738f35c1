// Models of parts as sentence-transformers saves them: make_modules.py.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import test from 'ava'
import { SentenceTransformer } from '../../lib/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { report } from './report.js'

const FOLDER = fileURLToPath(new URL('../../../test/parity/golden/modules/', import.meta.url))

const TOLERANCE = 1e-6

interface Golden {
  texts: string[]
  shape: [number, number]
  embeddings: number[]
  /** Token embeddings of each text, which a WeightedLayerPooling changes. */
  tokens?: number[][]
  printed: string
}

for (const name of ['all', 'two-modes', 'static', 'static-cut', 'model2vec', 'model2vec-bytes']) {
  test(`${name}: embeddings and what is printed equal Python's, and stay so when the model is saved`, async (t) => {
    const golden: Golden = JSON.parse(readFileSync(`${FOLDER}${name}.json`, 'utf8'))
    const saved = await temporaryFolder(t)
    for (const folder of [`${FOLDER}${name}`, saved]) {
      const model = await SentenceTransformer.load(folder)
      const { data, shape } = await model.encode(golden.texts)
      t.deepEqual(shape, golden.shape)
      const largest = data.reduce((most, value, i) => Math.max(most, Math.abs(value - golden.embeddings[i]!)), 0)
      t.true(largest <= TOLERANCE, String(largest))
      report('modules', name, { deviation: largest, allowed: TOLERANCE })
      for (const [i, expected] of (golden.tokens ?? []).entries()) {
        const found = (await model.encode(golden.texts, { outputValue: 'token_embeddings' }))[i]!.data
        t.is(found.length, expected.length)
        t.true(
          found.every((value, k) => Math.abs(value - expected[k]!) <= TOLERANCE),
          golden.texts[i],
        )
      }
      t.is(String(model), golden.printed)
      t.is(inspect(model), golden.printed)
      if (folder !== saved) await model.save(saved)
      await model.dispose()
    }
  })
}
