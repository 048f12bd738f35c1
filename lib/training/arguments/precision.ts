import { SentenceTorchError } from '../../errors.js'
import type { DType, RuntimeInfo } from '../../native/types.js'
import type { TrainingArguments } from './arguments.js'

/** Where and how a model computes. */
interface Computes {
  dtype: DType
  device: string
}

/** The precision of a training with or without `bf16`; undefined: the precision in which the model was loaded. */
export function trainingPrecision(bf16: boolean, model: Pick<Computes, 'dtype'>): 'bfloat16' | undefined {
  return bf16 && model.dtype !== 'bfloat16' ? 'bfloat16' : undefined
}

/**
 * Warns if `bf16` makes training slower.
 * @throws ERR_NOT_IMPLEMENTED for `fp16` on another device than the CPU
 */
export function precisionWarnings(
  { bf16, fp16 }: Readonly<Pick<TrainingArguments, 'bf16' | 'fp16'>>,
  model: Computes,
  runtime: () => Pick<RuntimeInfo, 'fastDTypes'>,
): string[] {
  if (fp16 && model.device !== 'cpu') {
    throw new SentenceTorchError(
      'ERR_NOT_IMPLEMENTED',
      `fp16 is not built for ${model.device}; use bf16, which is as fast and needs no loss scaling`,
    )
  }
  if (trainingPrecision(bf16, model) === undefined || model.device !== 'cpu') return []
  if (runtime().fastDTypes.includes('bfloat16')) return []
  return ['bf16: this processor has neither AMX nor AVX512-BF16, so bfloat16 is emulated and slower than float32']
}
