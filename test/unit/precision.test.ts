import test from 'ava'
import type { DType } from '../../lib/native/types.js'
import { precisionWarnings, trainingPrecision } from '../../lib/training/arguments/precision.js'

test('bf16 switches a float32 model and leaves a bfloat16 one as it is', (t) => {
  t.is(trainingPrecision(true, { dtype: 'float32' }), 'bfloat16')
  t.is(trainingPrecision(true, { dtype: 'bfloat16' }), undefined)
  t.is(trainingPrecision(false, { dtype: 'float32' }), undefined)
  t.is(trainingPrecision(false, { dtype: 'bfloat16' }), undefined)
  // The engine refuses it there.
  t.is(trainingPrecision(true, { dtype: 'float64' }), 'bfloat16')
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

test('fp16 is refused but on the CPU, where the checks of a run tell of it', (t) => {
  const warnings = (device: string) =>
    precisionWarnings({ bf16: false, fp16: true }, { dtype: 'float32', device }, () => ({ fastDTypes: ['float32'] }))
  t.deepEqual(warnings('cpu'), [])
  t.throws(() => warnings('cuda:0'), { code: 'ERR_NOT_IMPLEMENTED', message: /bf16/ })
})
