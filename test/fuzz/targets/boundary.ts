import { loadAddon } from '../../../lib/native/load.js'
import type { EncoderSpec, NativeAddon, NativeEncoder, NativeTrainer, TrainerSpec } from '../../../lib/native/types.js'
import { loadRandom } from '../../helpers/tiny-model.js'
import type { Json } from '../case.js'
import { expect, judge } from '../judge.js'
import { type Call, encoderSpec, type Program, program, samples, WARM } from '../native-calls.js'
import { NativeValues, nameIn } from '../native-values.js'
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
    try {
      await carryOutAll((plan ?? {}) as Program)
    } catch (error) {
      if (!isCallers(error)) throw error
    }
  },
}

async function carryOutAll({ encoder: spec = encoderSpec, trainer, buffers = {}, calls = [] }: Program): Promise<void> {
  if (isLarge(spec)) return
  const values = new NativeValues()
  for (const [name, value] of Object.entries(buffers)) {
    const view = values.of(value)
    if (ArrayBuffer.isView(view)) values.buffers.set(name, view)
  }
  const encoder = new addon.Encoder(values.of(spec) as EncoderSpec)
  values.objects.set('encoder', encoder).set('addon', addon).set('tensors', new addon.Tensors())
  await loadRandom(encoder)
  const disposed = new addon.Encoder(encoderSpec as unknown as EncoderSpec)
  void disposed.dispose()
  values.objects.set('disposed', disposed)
  if (trainer !== undefined) {
    values.objects.set('trainer', new addon.Trainer(encoder, values.of(trainer) as TrainerSpec))
  }
  const results = await Promise.allSettled((Array.isArray(calls) ? calls : []).map((call) => carryOut(values, call)))
  const made = ['trainer', 'encoder'].map((name) => values.objects.get(name) as NativeTrainer | undefined)
  await Promise.allSettled(made.map((object) => object?.dispose()))
  const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
  const [first] = errors.filter((error) => !isCallers(error)).sort((a, b) => weight(b) - weight(a))
  if (first !== undefined) throw first
}

/** What a getter or a proxy of the caller throws comes back as it was thrown. */
function isCallers(error: unknown): boolean {
  const { message, code } = (error ?? {}) as { message?: unknown; code?: unknown }
  return code === undefined && typeof message === 'string' && /a getter of the case|has been revoked/.test(message)
}

/** How much an error says, among those of one program. */
function weight(error: unknown): number {
  return 'kind' in judge(error, true) ? 1 : 0
}

/** What takes much memory takes it by right: who calls the addon has compared the sizes with a file. */
function isLarge(spec: Json): boolean {
  if (typeof spec !== 'object' || spec === null) return false
  return Object.entries(spec).some(([name, value]) => {
    const isLong =
      name === 'shape' && Array.isArray(value) && value.some((size) => typeof size !== 'number' || size > 50)
    return isLong || (sizes.includes(name) && typeof value === 'number' && value > LARGE) || isLarge(value)
  })
}

async function carryOut(values: NativeValues, { on, call, args }: Call): Promise<void> {
  if (on === 'memory') return move(values, call, args)
  const target = values.objects.get(on) as Record<string, (...given: unknown[]) => unknown> | undefined
  if (target === undefined || typeof call !== 'string' || isLarge(args)) return
  const given = (Array.isArray(args) ? args : []).map((value) => values.of(value))
  // It takes time and memory by design.
  if (call === 'measureMachine' && [given[0]].flat().every((dtype) => DTYPES.includes(dtype as string))) return
  if (call === 'new Encoder') void new addon.Encoder(given[0] as EncoderSpec).dispose()
  else if (call === 'new Trainer') void new addon.Trainer(given[0] as NativeEncoder, given[1] as TrainerSpec).dispose()
  else if (Object.hasOwn(samples, call) && typeof target[call] === 'function') await target[call](...given)
  if (call === 'encode') expect(ArrayBuffer.isView(given[1]), 'encode takes only typed arrays')
}

function move(values: NativeValues, call: string, [name, size]: Json[]): void {
  const buffer = values.buffers.get(nameIn(name))?.buffer as (ArrayBuffer & { resize?(size: number): void }) | undefined
  try {
    if (call === 'transfer' && buffer) structuredClone(buffer, { transfer: [buffer] })
    if (call === 'resize') buffer?.resize?.(size as number)
  } catch {
    // Memory that cannot move stays.
  }
}
