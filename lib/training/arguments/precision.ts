import type { DType, RuntimeInfo } from '../../native/types.js'
import type { TrainingArguments } from './arguments.js'

/** Where and how a model computes. */
interface Computes {
  dtype: DType
  device: string
}

type Precisions = Readonly<Pick<TrainingArguments, 'bf16' | 'fp16'>>

/**
 * The precision of a training; undefined: the precision in which the model was loaded. On the CPU `fp16` changes nothing: accelerate has
 * neither float16 nor a loss scaler there. Health checks warn of it.
 */
export function trainingPrecision({ bf16, fp16 }: Precisions, model: Computes): 'bfloat16' | 'float16' | undefined {
  if (fp16 && model.device !== 'cpu') return 'float16'
  return bf16 && model.dtype !== 'bfloat16' ? 'bfloat16' : undefined
}

/** Warns if `bf16` makes training slower. */
export function precisionWarnings(
  args: Precisions,
  model: Computes,
  runtime: () => Pick<RuntimeInfo, 'fastDTypes'>,
): string[] {
  if (trainingPrecision(args, model) === undefined || model.device !== 'cpu') return []
  if (runtime().fastDTypes.includes('bfloat16')) return []
  return ['bf16: this processor has neither AMX nor AVX512-BF16, so bfloat16 is emulated and slower than float32']
}
