// A loop by hand: tensors, scopes, a parameter beside the model, passes that are left without backward(), errors that depend on values,
// and a second thread with tensors of its own. No tensor is left at the end.
import { Worker } from 'node:worker_threads'
import * as T from 'sentence-torch/tensor'
import { assert, assertFinite, loadTiny, texts } from '../support.mjs'

const { scope, tensor, forward, optim } = T

const worker = new Worker(
  `import('sentence-torch/tensor').then(async ({ scope, parameter, randn, liveTensors }) => {
    for (let i = 0; i < 50; i++) {
      await scope(async () => {
        const x = parameter(randn([8, 8], i))
        const loss = x.matmul(x.transpose()).softmax(1).log().mean()
        await loss.backward()
        await x.grad().data()
        x.dispose()
      })
    }
    if (liveTensors() !== 0) process.exit(1)
  })`,
  { eval: true },
)
const ended = new Promise((resolve) => worker.once('exit', resolve))

const model = await loadTiny()
const weight = scope(() => T.parameter(T.rand([3, 96], 1).sub(0.5)))
const optimizer = new optim.AdamW(model, { lr: 1e-3, maxGradNorm: 1, parameters: { weight } })
for (let step = 0; step < 6; step++) {
  const features = await Promise.all([1, 2].map((seed) => model.tokenize(texts(8, seed * 10 + step))))
  await scope(async () => {
    const [u, v] = forward(model, features, step % 2 ? { miniBatchSize: 3 } : {})
    if (step === 2) forward(model, features)
    const logits = T.cat([u, v, u.sub(v).abs()], 1).matmul(weight.transpose())
    const targets = tensor(
      Array.from({ length: 8 }, (_, i) => i % 3),
      { dtype: 'int64' },
    )
    const loss = T.crossEntropy(logits, targets)
    await loss.backward()
    const [, encoded] = await Promise.all([optimizer.step(), model.encode(texts(5))])
    assertFinite(encoded.data, 'encoded beside a step')
    assert.ok(Number.isFinite(await loss.item()))
    await assert.rejects(T.zeros([2]).indexSelect(0, targets).data(), { code: 'ERR_INVALID_ARGUMENT' })
  })
}
const late = forward(model, await model.tokenize(texts(3)))
await optimizer.dispose()
await assert.rejects(late.sum().backward(), { code: 'ERR_DISPOSED' })
// The parameter beside the model outlives its optimizer, is trained alone by another, and a model goes before backward().
const probe = new optim.AdamW(model, { lr: 1e-3, parameters: { weight } })
const stale = weight.mul(weight).sum()
await weight.sum().backward()
assert.ok((await probe.step()).gradNorm > 0)
await assert.rejects(stale.backward(), { message: /^The weights were updated/ })
const orphan = forward(model, await model.tokenize(texts(3)))
await orphan.data()
await model.dispose()
await assert.rejects(orphan.sum().backward(), { code: 'ERR_DISPOSED' })
await probe.dispose()
await weight.sum().backward()
assert.equal(await ended, 0)
