// Memory that is taken away from a call that is under way: by a transfer, by a resize, by the end of a thread. Each program runs in
// its own process, which must not end by a signal.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { loadAddon } from '../../lib/native/load.js'
import type { ConfigObject } from '../../lib/native/types.js'
import { tinyBatch, tinyEncoder, tinySpec, tinyTrainerSpec } from '../helpers/tiny-model.js'

const script = fileURLToPath(new URL('../helpers/caller-memory.js', import.meta.url))

async function outcomes(mode: string): Promise<Record<string, string>> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', script, mode], { timeout: 300_000 })
  return JSON.parse(stdout) as Record<string, string>
}

function every(t: ExecutionContext, found: Record<string, string>, expected: readonly string[], count: number): void {
  t.is(Object.keys(found).length, count)
  for (const [name, outcome] of Object.entries(found)) t.true(expected.includes(outcome), `${name}: ${outcome}`)
}

test('searches', async (t) => {
  const found = await outcomes('search')
  const copied = Object.entries(found).filter(([name]) => name.endsWith('copied'))
  every(t, Object.fromEntries(copied), ['right'], 11)
  // A part that was copied before its memory went is searched, of another there is nothing left.
  every(t, found, ['right', 'ERR_INVALID_ARGUMENT'], 20)
})

test('what a loss in TypeScript is given, its parameters, and what encode gave', async (t) => {
  every(t, await outcomes('train'), ['right'], 1)
})

test('threads that end while they search and train', async (t) => {
  every(t, await outcomes('threads'), ['right'], 1)
})

test('the engine borrows no memory that can shrink, that others can write to, or that is gone', async (t) => {
  const addon = loadAddon()
  const encoder = await tinyEncoder(addon)
  const trainer = new addon.Trainer(encoder, tinyTrainerSpec())
  const batch = tinyBatch([3, 5])
  const bytes = 4 * 2 * encoder.embeddingDimension
  const Resizable = ArrayBuffer as unknown as new (bytes: number, options: { maxByteLength: number }) => ArrayBuffer
  const gone = new ArrayBuffer(bytes)
  const view = new Float32Array(gone)
  structuredClone(gone, { transfer: [gone] })
  const unsafe: [RegExp, Float32Array][] = [
    [/a resizable ArrayBuffer/, new Float32Array(new Resizable(bytes, { maxByteLength: 2 * bytes }))],
    [/a SharedArrayBuffer/, new Float32Array(new SharedArrayBuffer(bytes))],
    [/an ArrayBuffer that was transferred/, view],
  ]
  const width = encoder.embeddingDimension
  const rows = () => new Float32Array(2 * width)
  for (const [message, array] of unsafe) {
    const range = () => {
      const isGone = array === view
      const data = new Uint8Array(isGone ? new ArrayBuffer(8) : (array.buffer as ArrayBuffer))
      if (isGone) structuredClone(data.buffer, { transfer: [data.buffer] })
      return [{ name: '0.encoder.layer.0.output.dense.bias', start: 0, dtype: 'F32' as const, data }]
    }
    const calls: Record<string, () => Promise<unknown>> = {
      out: () => encoder.encode(batch, array),
      'ranges[0].data': () => encoder.load(range()),
      embed: () => trainer.embed(batch, array, { lr: 0 }),
      queries: () => addon.topK(array, rows(), width, 1, 'dot', new Float32Array(2), new Int32Array(2)),
      corpus: () => addon.topK(rows(), array, width, 1, 'dot', new Float32Array(2), new Int32Array(2)),
    }
    calls['Encoder.dump'] = () => encoder.dump(range())
    calls['Trainer.dump'] = () => trainer.dump(range())
    if (array !== view) {
      calls.indices = () =>
        addon.topK(
          rows(),
          rows(),
          width,
          1,
          'dot',
          new Float32Array(2),
          new Int32Array(array.buffer as ArrayBuffer, 0, 2),
        )
      calls.scores = () =>
        addon.topK(
          rows(),
          rows(),
          width,
          1,
          'dot',
          new Float32Array(array.buffer as ArrayBuffer, 0, 2),
          new Int32Array(2),
        )
    }
    for (const [name, call] of Object.entries(calls)) {
      const error = await t.throwsAsync(call(), { code: 'ERR_INVALID_ARGUMENT', message }, name)
      t.regex(
        error!.message,
        /Expected an ArrayBuffer of fixed size for (out|ranges\[0\]\.data|queries|corpus|scores|indices) but/,
      )
    }
  }
  await trainer.dispose()
  await encoder.dispose()
})

test('sizes that no model, batch or search has are refused before anything is made of them', async (t) => {
  const addon = loadAddon()
  const refused = (config: ConfigObject, message: RegExp) =>
    t.throws(() => new addon.Encoder(tinySpec(config)), { code: 'ERR_INVALID_MODEL', message })
  refused({ num_hidden_layers: 1e9 }, /from 1 to 4096 as num_hidden_layers in config.json, found 1000000000/)
  refused({ hidden_size: 1e9 }, /from 1 to 10000000 as hidden_size/)
  refused({ vocab_size: 9e15 }, /from 1 to 10000000 as vocab_size/)
  refused({ hidden_size: 2 ** 20, intermediate_size: 2 ** 20 }, /at most 68719476736 parameters/)
  refused({ hidden_size: 1e30 }, /an integer from 1 to 10000000 as hidden_size/)
  refused({ hidden_size: -32 }, /an integer from 1 to 10000000 as hidden_size/)
  refused({ layer_norm_eps: -1 }, /layer_norm_eps/)

  const encoder = await tinyEncoder(addon)
  const batch = tinyBatch([3, 5])
  const width = encoder.embeddingDimension
  const code = 'ERR_INVALID_ARGUMENT'
  const out = new Float32Array(2 * width)
  const guide = { guide: new Float32Array(2), guideDimension: 2 ** 53 - 1 }
  await t.throwsAsync(encoder.encode({ ...batch, ...guide }, out), {
    code,
    message: /18014398509481982 values of guide/,
  })
  const labels = { labels: new Float32Array(2), labelShape: new Array<number>(1e6).fill(1) }
  await t.throwsAsync(encoder.encode({ ...batch, ...labels }, out), { code, message: /at most 8 whole numbers/ })
  const targets = { targets: { ids: Int32Array.of(99), offsets: new Int32Array(0) } }
  await t.throwsAsync(encoder.encode({ ...batch, ...targets }, out), { code, message: /target offsets/ })
  const rows = new Float32Array(4)
  const call = addon.topK(rows, rows, 1, 2 ** 53 - 1, 'dot', new Float32Array(1), new Int32Array(1))
  await t.throwsAsync(call, { code, message: /k of at most 4/ })
  const loss = (shape: number[]) => tinyTrainerSpec({ type: 'Custom', parameters: { w: { shape } } })
  for (const shape of [[2 ** 32, 2 ** 32], [1e15], [1e30], [0.5], [-1]]) {
    t.throws(() => new addon.Trainer(encoder, loss(shape)), { code })
  }
  await encoder.dispose()
})
