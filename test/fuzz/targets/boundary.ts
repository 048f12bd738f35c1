import { loadAddon } from '../../../lib/native/load.js'
import type { EncoderSpec, NativeAddon, NativeEncoder, NativeTrainer, TrainerSpec } from '../../../lib/native/types.js'
import { loadRandom } from '../../helpers/tiny-model.js'
import type { Json } from '../case.js'
import { expect } from '../judge.js'
import { type Call, encoderSpec, type Program, program, samples, WARM } from '../native-calls.js'
import { GETTER, NativeValues } from '../native-values.js'
import type { Target } from './target.js'

const LARGE = 2000
const DTYPES = ['float32', 'bfloat16', 'float64', 'int8']
const sizes = [
  'vocab_size',
  'hidden_size',
  'num_hidden_layers',
  'intermediate_size',
  'max_position_embeddings',
  'type_vocab_size',
]

let addon: NativeAddon

/** All functions of the addon, in any order, with any arguments. */
export const boundary: Target = {
  native: true,
  warm: { base: 'addon', edits: [], plan: WARM },

  async open() {
    addon = loadAddon()
  },

  make: (random) => ({ base: 'addon', edits: [], plan: program(random) }),

  async run({ plan }) {
    const { encoder: spec = encoderSpec, trainer, buffers = {}, calls = [] } = (plan ?? {}) as Program
    const values = new NativeValues()
    for (const [name, value] of Object.entries(buffers)) {
      const view = values.of(value)
      if (ArrayBuffer.isView(view)) values.buffers.set(name, view)
    }
    const encoder = makeEncoder(values.of(spec))
    values.objects.set('encoder', encoder).set('addon', addon)
    await loadRandom(encoder)
    const disposed = new addon.Encoder(encoderSpec as unknown as EncoderSpec)
    void disposed.dispose()
    values.objects.set('disposed', disposed)
    if (trainer !== undefined)
      values.objects.set('trainer', new addon.Trainer(encoder, values.of(trainer) as TrainerSpec))
    const results = await Promise.allSettled((Array.isArray(calls) ? calls : []).map((call) => carryOut(values, call)))
    await Promise.allSettled(
      ['trainer', 'encoder'].map((name) => (values.objects.get(name) as NativeTrainer | undefined)?.dispose()),
    )
    let first: unknown
    for (const result of results) {
      if (result.status === 'fulfilled') continue
      const { message, code } = (result.reason ?? {}) as { message?: string; code?: string }
      // What a getter or a proxy throws comes back as it was thrown.
      if (code === undefined && (message?.includes(GETTER) || message?.includes('has been revoked'))) continue
      // The error that matters most.
      if (first === undefined || typeof code !== 'string' || code === 'ERR_LIBTORCH') first = result.reason
    }
    if (first !== undefined) throw first
  },
}

/** What takes much memory takes it by right: who calls the addon has compared the sizes with a file. */
function makeEncoder(spec: unknown): NativeEncoder {
  const { config } = (spec ?? {}) as { config?: Record<string, unknown> }
  const isLarge = sizes.some((name) => typeof config?.[name] === 'number' && config[name] > LARGE)
  return new addon.Encoder(
    (isLarge ? { ...(spec as object), config: { ...config, hidden_size: -1 } } : spec) as EncoderSpec,
  )
}

async function carryOut(values: NativeValues, { on, call, args }: Call): Promise<void> {
  if (on === 'memory') return move(values, call, args)
  const target = values.objects.get(on) as Record<string, (...given: unknown[]) => unknown> | undefined
  const given = (Array.isArray(args) ? args : []).map((value) => values.of(value))
  if (target === undefined || typeof call !== 'string') return
  // It takes its time by design.
  if (call === 'measureMachine' && DTYPES.some((dtype) => [given[0]].flat().includes(dtype))) return
  if (call === 'new Encoder') void makeEncoder(given[0]).dispose()
  else if (call === 'new Trainer') void new addon.Trainer(given[0] as NativeEncoder, given[1] as TrainerSpec).dispose()
  else if (Object.hasOwn(samples, call) && typeof target[call] === 'function') await target[call](...given)
  if (call === 'encode') expect(ArrayBuffer.isView(given[1]), 'encode takes only typed arrays')
}

function move(values: NativeValues, call: string, [name, size]: Json[]): void {
  const buffer = values.buffers.get(String(name))?.buffer as (ArrayBuffer & { resize?(size: number): void }) | undefined
  try {
    if (call === 'transfer' && buffer) structuredClone(buffer, { transfer: [buffer] })
    if (call === 'resize') buffer?.resize?.(Number(size))
  } catch {
    // Memory that cannot move stays.
  }
}
