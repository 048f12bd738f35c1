import type { DType, RuntimeInfo } from '../native/types.js'

/** What of a model decides. */
interface Computes {
  dtype: DType
  device: string
}

/** What `bf16` asks the engine to compute in; undefined: as the model was loaded. */
export function trainingPrecision(bf16: boolean, model: Pick<Computes, 'dtype'>): 'bfloat16' | undefined {
  return bf16 && model.dtype !== 'bfloat16' ? 'bfloat16' : undefined
}

/** A warning where `bf16` makes training slower. */
export function precisionWarning(
  bf16: boolean,
  model: Computes,
  runtime: () => Pick<RuntimeInfo, 'fastDTypes'>,
): string | undefined {
  if (trainingPrecision(bf16, model) === undefined || model.device !== 'cpu') return undefined
  if (runtime().fastDTypes.includes('bfloat16')) return undefined
  return 'bf16: this processor has neither AMX nor AVX512-BF16, so bfloat16 is emulated and slower than float32'
}
