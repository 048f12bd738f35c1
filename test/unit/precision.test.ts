import test from 'ava'
import type { DType } from '../../lib/native/types.js'
import { precisionWarnings, trainingPrecision } from '../../lib/training/arguments/precision.js'

test('bf16 switches a float32 model and leaves a bfloat16 one as it is', (t) => {
  const precision = (bf16: boolean, dtype: DType) => trainingPrecision({ bf16, fp16: false }, { dtype, device: 'cpu' })
  t.is(precision(true, 'float32'), 'bfloat16')
  t.is(precision(true, 'bfloat16'), undefined)
  t.is(precision(false, 'float32'), undefined)
  t.is(precision(false, 'bfloat16'), undefined)
  // The engine refuses it there.
  t.is(precision(true, 'float64'), 'bfloat16')
})

test('a warning where bfloat16 is emulated, nowhere else', (t) => {
  const warning = (bf16: boolean, dtype: DType, device: string, fastDTypes: DType[]) =>
    precisionWarnings({ bf16, fp16: false }, { dtype, device }, () => ({ fastDTypes }))[0]
  t.regex(warning(true, 'float32', 'cpu', ['float32', 'float64'])!, /emulated and slower/)
  t.is(warning(true, 'float32', 'cpu', ['float32', 'bfloat16']), undefined)
  t.is(warning(true, 'float32', 'cuda:0', ['float32']), undefined)
  t.is(warning(false, 'float32', 'cpu', ['float32']), undefined)
  t.is(warning(true, 'bfloat16', 'cpu', ['float32']), undefined)
})

test('fp16 is float16 on a GPU; on the CPU the model computes as it is, and the checks of a run tell of it', (t) => {
  const fp16 = { bf16: false, fp16: true }
  for (const [dtype, device, expected] of [
    ['float32', 'cuda:0', 'float16'],
    ['bfloat16', 'cuda:0', 'float16'],
    ['float32', 'cpu', undefined],
    ['bfloat16', 'cpu', undefined],
  ] as const) {
    t.is(trainingPrecision(fp16, { dtype, device }), expected)
    t.deepEqual(
      precisionWarnings(fp16, { dtype, device }, () => ({ fastDTypes: ['float32'] })),
      [],
    )
  }
})
