// Texts of all lengths in every number type, output and batch size: the same vectors whatever is beside them.
import {
  assert,
  assertClose,
  assertFinite,
  loadAddon,
  loadTiny,
  texts,
  tinyBatch,
  tinyEncoder,
  tinySpec,
} from '../support.mjs'

const some = ['', ...texts(60, 1, 40), 'unknown words here']
for (const dtype of ['float32', 'bfloat16']) {
  const model = await loadTiny({ dtype })
  const all = await model.encode(some)
  assertFinite(all.data, dtype)
  for (const batchSize of [1, 3, 1000]) {
    const again = await model.encode(some, { batchSize, normalizeEmbeddings: true, truncateDim: 7 })
    assert.deepEqual(again.shape, [some.length, 7])
    for (let i = 0; i < some.length; i++) assert.ok(Math.abs(Math.hypot(...again.row(i)) - 1) < 1e-5)
  }
  const tokens = await model.encode(some, { outputValue: 'token_embeddings' })
  for (const { data } of tokens) assertFinite(data, 'token embeddings')
  for (const i of [0, 5, 61])
    assertClose(await model.encode(some[i]), all.row(i), dtype === 'float32' ? 1e-6 : 0.05, `text ${i} alone`)
}

// int8 is refused where the processor lacks it.
try {
  const model = await loadTiny({ dtype: 'int8' })
  assertFinite((await model.encode(some)).data, 'int8')
} catch (error) {
  assert.match(error.code, /ERR_(UNSUPPORTED|NOT_IMPLEMENTED|INVALID_ARGUMENT)/)
}

// All poolings and modules, in float64 too, at the boundary.
const addon = loadAddon()
const modes = ['cls', 'mean', 'max', 'mean_sqrt_len_tokens', 'weightedmean', 'lasttoken']
const dense = (inFeatures, outFeatures, activation) => ({
  type: 'Dense',
  inFeatures,
  outFeatures,
  bias: true,
  activation,
})
for (const dtype of ['float32', 'float64', 'bfloat16']) {
  for (const include of [true, false]) {
    const modules = [
      { type: 'Pooling', modes, includePrompt: include },
      dense(32 * modes.length, 24, 'tanh'),
      dense(24, 5, 'gelu'),
      { type: 'Normalize' },
    ]
    const encoder = await tinyEncoder(addon, tinySpec({}, { modules, dtype, pooler: true }))
    for (const lengths of [[1], [40], [1, 40, 2, 39], Array.from({ length: 100 }, (_, i) => 1 + ((i * 7) % 40))]) {
      const batch = {
        ...tinyBatch(lengths),
        promptLengths: Int32Array.from(lengths, (length) => Math.min(3, length - 1)),
      }
      const out = new Float32Array(lengths.length * 5)
      await encoder.encode(batch, out)
      assertFinite(out, `${dtype}, ${lengths.length} rows`)
      const pooled = new Float32Array(lengths.length * 32)
      await encoder.encode(batch, pooled, 'pooler_output')
      assertFinite(pooled, 'pooler output')
    }
    await encoder.dispose()
  }
}
