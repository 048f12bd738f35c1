import { join } from 'node:path'
import { fromNative, SentenceTorchError } from '../../errors.js'
import { openSafetensors, type TensorSource, writeSafetensors } from '../../io/safetensors.js'
import { checkFinite } from '../../models/finite.js'
import type { NativeTrainer, TensorInfo } from '../../native/types.js'

const FILE = 'optimizer.safetensors'
/** Bytes per transfer to or from the engine. */
const RANGE_BYTES = 64 * 1024 * 1024

/** Writes `optimizer.safetensors`: the state of the optimiser for every trained tensor. @param gradients see `stateTensors` */
export async function saveOptimizer(
  folder: string,
  native: Pick<NativeTrainer, 'tensors' | 'dump'>,
  gradients: boolean,
): Promise<void> {
  const sources = stateTensors(native, gradients).map(({ name, shape }): TensorSource => {
    return { name, shape, dtype: 'F32', data: () => dump(native, name, elements(shape)) }
  })
  await writeSafetensors(join(folder, FILE), sources, { format: 'pt' })
}

/**
 * Loads the state of the optimiser from a checkpoint.
 * @throws ERR_NOT_FOUND, ERR_INVALID_TENSORS: one error that lists everything that is missing, unknown or of another shape;
 * or the first tensor with a value that is not finite
 */
export async function loadOptimizer(
  folder: string,
  native: Pick<NativeTrainer, 'tensors' | 'load'>,
  gradients: boolean,
): Promise<void> {
  const file = await openSafetensors(join(folder, FILE))
  try {
    const expected = stateTensors(native, gradients)
    const known = new Set(expected.map(({ name }) => name))
    const problems = [...file.tensors.keys()].filter((name) => !known.has(name)).map((name) => `unknown: ${name}`)
    for (const { name, shape } of expected) {
      const found = file.tensors.get(name)
      if (found === undefined) problems.push(`missing: ${name} [${shape}]`)
      else if (found.dtype !== 'F32' || String(found.shape) !== String(shape)) {
        problems.push(`${name} is ${found.dtype} [${found.shape}], expected F32 [${shape}]`)
      }
    }
    if (problems.length > 0) {
      const message = `${join(folder, FILE)} does not fit this trainer:\n  ${problems.join('\n  ')}`
      throw new SentenceTorchError('ERR_INVALID_TENSORS', message)
    }
    for (const { name, shape } of expected) {
      const total = elements(shape) * 4
      for (let start = 0; start < total; start += RANGE_BYTES) {
        const data = await file.read(name, start, Math.min(start + RANGE_BYTES, total))
        const range = { name, start: start / 4, dtype: 'F32', data } as const
        checkFinite([range], join(folder, FILE))
        await native.load([range]).catch((error) => {
          throw fromNative(error, 'Trainer.load')
        })
      }
    }
  } finally {
    await file.close()
  }
}

/** @param gradients whether to include the gradients of the losses' parameters: with `compat` they are kept from step to step */
function stateTensors(native: Pick<NativeTrainer, 'tensors'>, gradients: boolean): TensorInfo[] {
  return native.tensors().filter(({ name }) => {
    return /^(exp_avg|exp_avg_sq|square_avg)\./.test(name) || (gradients && name.startsWith('grad.loss.'))
  })
}

async function* dump(
  native: Pick<NativeTrainer, 'dump'>,
  name: string,
  total: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const step = RANGE_BYTES / 4
  for (let start = 0; start < total; start += step) {
    const data = new Uint8Array(Math.min(step, total - start) * 4)
    try {
      await native.dump([{ name, start, dtype: 'F32', data }])
    } catch (error) {
      throw fromNative(error, 'Trainer.dump')
    }
    yield data
  }
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1)
}
