// Embeddings of tiny random models of every configuration, against PyTorch.
import test from 'ava'
import { loadAddon } from '../../lib/native/load.js'
import type { PackedBatch } from '../../lib/native/types.js'
import { report } from './report.js'
import {
  encode,
  floats,
  golden,
  goldenTensors,
  ints,
  makeEncoder,
  maxDifference,
  pick,
  section,
  worstCosine,
} from './support.js'

const TOLERANCE = 1e-5

interface Rows {
  batch: PackedBatch
  expected: Float32Array
}

for (const [base, { config, weights: weightsFile, tokenRows, pipelines }] of Object.entries(golden.encoding)) {
  const tensors = goldenTensors(`encoding-${base}`)
  const weights = goldenTensors(weightsFile)
  const all: PackedBatch = {
    ids: ints(tensors, 'ids'),
    offsets: ints(tensors, 'offsets'),
    tokenTypes: ints(tensors, 'tokenTypes'),
    columns: 1,
  }
  const positions = config.max_position_embeddings as number

  for (const [name, { modules, dimension, promptLength, rows }] of Object.entries(pipelines)) {
    const own = section(tensors, `${name}/weights/`)
    const make = (dtype: 'float32' | 'float64' | 'bfloat16' = 'float32') =>
      makeEncoder(config, modules, new Map([...weights, ...own]), dtype)
    const given = (): Rows => {
      const batch = rows ? pick(all, rows) : all
      if (promptLength !== undefined) batch.promptLengths = new Int32Array(rows!.length).fill(promptLength)
      return { batch, expected: floats(tensors, `${name}/sentence_embedding`) }
    }

    test(`${base}/${name}: sentence embeddings of every length equal PyTorch's`, async (t) => {
      const { batch, expected } = given()
      const encoder = await make()
      t.is(encoder.embeddingDimension, dimension)
      t.is(loadAddon().describe('bert', config).positions, positions)
      const difference = maxDifference(await encode(encoder, batch), expected)
      t.true(difference <= TOLERANCE, `off by ${difference}`)
      report('encoding', 'encode', { deviation: difference, allowed: TOLERANCE })
      await encoder.dispose()
    })

    test(`${base}/${name}: float64 is closer still`, async (t) => {
      const { batch, expected } = given()
      const encoder = await make('float64')
      const difference = maxDifference(await encode(encoder, batch), expected)
      t.true(difference <= 1e-6, `off by ${difference}`)
      report('encoding', 'encode', { part: 'float64', deviation: difference, allowed: 1e-6 })
      await encoder.dispose()
    })

    test(`${base}/${name}: bfloat16 keeps the direction`, async (t) => {
      const { batch, expected } = given()
      const encoder = await make('bfloat16')
      const cosine = worstCosine(await encode(encoder, batch), expected, dimension)
      t.true(cosine >= 0.999, `cosine ${cosine}`)
      await encoder.dispose()
    })
  }

  const first = Object.values(pipelines)[0]!

  test(`${base}: token embeddings and pooler output equal PyTorch's`, async (t) => {
    const encoder = await makeEncoder(config, first.modules, weights)
    const tokens = await encode(encoder, pick(all, tokenRows), 'token_embeddings')
    t.true(maxDifference(tokens, floats(tensors, 'token_embeddings')) <= TOLERANCE)
    const pooled = await encode(encoder, all, 'pooler_output')
    t.true(maxDifference(pooled, floats(tensors, 'pooler_output')) <= TOLERANCE)
    await encoder.dispose()
  })

  // Of vectors of length 1 where there is such a pipeline: 1e-6 is a few units in the last place of larger ones.
  const [unitName, unit] = Object.entries(pipelines).find(
    ([, { modules }]) => modules.at(-1)!.type === 'Normalize',
  ) ?? ['', first]
  for (const [dtype, tolerance] of [
    ['float32', 1e-6],
    ['float64', 1e-7],
  ] as const) {
    test(`${base}: a packed batch equals its rows one at a time (${dtype})`, async (t) => {
      const own = section(tensors, `${unitName}/weights/`)
      const encoder = await makeEncoder(config, unit.modules, new Map([...weights, ...own]), dtype)
      const together = await encode(encoder, all)
      const width = encoder.embeddingDimension
      const lengths = new Set<number>()
      for (let row = 0; row < all.offsets.length - 1; row++) {
        const alone = await encode(encoder, pick(all, [row]))
        const difference = maxDifference(alone, together.subarray(row * width, (row + 1) * width))
        const length = all.offsets[row + 1]! - all.offsets[row]!
        lengths.add(length)
        t.true(difference <= tolerance, `a row of ${length} tokens is off by ${difference}`)
      }
      t.is(lengths.size, positions, 'every length from 1 to the last position is here')
      await encoder.dispose()
    })
  }

  test(`${base}: the same batch gives the same bits, in another encoder too`, async (t) => {
    const one = await makeEncoder(config, first.modules, weights)
    const two = await makeEncoder(config, first.modules, weights)
    const results = [await encode(one, all), await encode(one, all), await encode(two, all)]
    t.deepEqual(results[1], results[0])
    t.deepEqual(results[2], results[0])
    await Promise.all([one.dispose(), two.dispose()])
  })

  test(`${base}: dropout has no part in encoding`, async (t) => {
    const dropout = { ...config, hidden_dropout_prob: 0.5, attention_probs_dropout_prob: 0.5 }
    const [without, withDropout] = await Promise.all([
      makeEncoder(config, first.modules, weights),
      makeEncoder(dropout, first.modules, weights),
    ])
    t.deepEqual(await encode(withDropout, all), await encode(without, all))
    await Promise.all([without.dispose(), withDropout.dispose()])
  })

  test(`${base}: absent token types are type 0`, async (t) => {
    const encoder = await makeEncoder(config, first.modules, weights)
    const { ids, offsets } = all
    const zeros = { ids, offsets, columns: 1, tokenTypes: new Int32Array(ids.length) }
    const absent = await encode(encoder, { ids, offsets, columns: 1 })
    t.deepEqual(absent, await encode(encoder, zeros))
    if ((config.type_vocab_size as number) > 1) t.notDeepEqual(absent, await encode(encoder, all))
    await encoder.dispose()
  })
}
