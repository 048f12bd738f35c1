import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { writeSafetensors } from '../../lib/io/safetensors.js'
import type { TensorInfo, TensorRange } from '../../lib/native/types.js'
import { loadLossTensors, readLossTensors, saveLossTensors } from '../../lib/training/checkpoint/loss-tensors.js'
import { TrainingAbortedError } from '../../lib/training/run/result.js'
import { FakeEngine, prepare } from '../helpers/fake-trainer.js'
import { temporaryFolder } from '../helpers/model-folders.js'

const bias = { shape: [3], data: Float32Array.of(1, 2, 3) }
const weight = { shape: [3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) }

/** An engine whose loss owns a weight [3, 2] and a bias [3]. */
class Owner {
  readonly loaded: TensorRange[] = []
  tensors(): TensorInfo[] {
    const infos = [
      { name: 'loss.classifier.weight', shape: [3, 2] },
      { name: 'loss.classifier.bias', shape: [3] },
      { name: 'grad.loss.classifier.bias', shape: [3] },
      { name: 'exp_avg.0.encoder.weight', shape: [9] },
    ]
    return infos.map((info) => ({ ...info, group: 'decay' }))
  }
  async load(ranges: TensorRange[]): Promise<void> {
    this.loaded.push(...ranges)
  }
}

test('tensors that fit are loaded under the names of the engine', async (t) => {
  const engine = new Owner()
  await loadLossTensors(engine, { 'classifier.bias': bias, 'classifier.weight': weight })
  t.deepEqual(
    engine.loaded.map(({ name, start, dtype, data }) => [
      name,
      start,
      dtype,
      [...new Float32Array(data.slice().buffer)],
    ]),
    [
      ['loss.classifier.weight', 0, 'F32', [1, 2, 3, 4, 5, 6]],
      ['loss.classifier.bias', 0, 'F32', [1, 2, 3]],
    ],
  )
})

test('all that does not fit is listed, and nothing is loaded', async (t) => {
  const engine = new Owner()
  const wrong = { 'classifier.weight': { shape: [2, 3], data: weight.data }, extra: bias }
  const error = await t.throwsAsync(loadLossTensors(engine, wrong), { code: 'ERR_INVALID_TENSORS' })
  t.regex(error!.message, /classifier\.weight has shape \[2,3\] and 6 elements, expected \[3,2\]/)
  t.regex(error!.message, /classifier\.bias is missing/)
  t.regex(error!.message, /extra is unknown/)
  const short = { 'classifier.weight': { shape: [3, 2], data: bias.data }, 'classifier.bias': bias }
  await t.throwsAsync(loadLossTensors(engine, short), { message: /3 elements, expected \[3,2\]/ })
  const infinite = { shape: [3], data: Float32Array.of(0, Number.POSITIVE_INFINITY, 0) }
  await t.throwsAsync(loadLossTensors(engine, { 'classifier.weight': weight, 'classifier.bias': infinite }), {
    message: /classifier\.bias is Infinity at element 1/,
  })
  await t.throwsAsync(loadLossTensors({ ...engine, tensors: () => [], load: engine.load }, { bias }), {
    message: /bias is unknown \(the loss owns no tensors\)/,
  })
  t.deepEqual(engine.loaded, [])
})

test('loss.safetensors: written and read; gone where the loss owns nothing', async (t) => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'loss.safetensors')
  await saveLossTensors(folder, { 'classifier.bias': bias, 'classifier.weight': weight })
  t.deepEqual(await readLossTensors(path), { 'classifier.bias': bias, 'classifier.weight': weight })
  await saveLossTensors(folder, {})
  t.false(existsSync(path))
  await t.throwsAsync(readLossTensors(path), { code: 'ERR_NOT_FOUND' })
  await writeFile(path, 'something else')
  await t.throwsAsync(readLossTensors(path), { code: 'ERR_INVALID_FILE' })
  await writeSafetensors(path, [{ name: 'a', dtype: 'F64', shape: [1], data: new Uint8Array(8) }])
  await t.throwsAsync(readLossTensors(path), { code: 'ERR_INVALID_TENSORS', message: /F32 for a .* found F64/ })
})

function owning(): FakeEngine {
  const engine = new FakeEngine()
  engine.owned.set('loss.scale', Float32Array.of(4, 5))
  engine.owned.set('grad.loss.scale', Float32Array.of(0, 0))
  return engine
}
const expected = { scale: { shape: [2], data: Float32Array.of(4, 5) } }

test('a run ends with them, in its result and in its checkpoints', async (t) => {
  const outputDir = await temporaryFolder(t)
  const { train } = prepare({ outputDir, saveStrategy: 'steps', saveSteps: 3 }, { engine: owning() })
  t.deepEqual((await train()).lossTensors, expected)
  for (const step of [3, 5]) {
    t.deepEqual(await readLossTensors(join(outputDir, `checkpoint-${step}`, 'loss.safetensors')), expected)
  }
  // The same output folder, a loss that owns nothing.
  const { train: second } = prepare({ outputDir, saveStrategy: 'steps', saveSteps: 3 })
  t.deepEqual((await second()).lossTensors, {})
  t.false(existsSync(join(outputDir, 'checkpoint-3', 'loss.safetensors')))
  t.true(existsSync(join(outputDir, 'checkpoint-3', 'trainer_state.json')))
})

test('an aborted run has them too', async (t) => {
  const controller = new AbortController()
  const onStepEnd = () => controller.abort()
  const { train } = prepare({}, { engine: owning(), signal: controller.signal, callbacks: [{ onStepEnd }] })
  const error = await t.throwsAsync<TrainingAbortedError>(train(), { instanceOf: TrainingAbortedError })
  t.deepEqual(error!.result.lossTensors, expected)
})
