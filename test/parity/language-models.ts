// Losses with a language-model head as the trainer prepares them.
import { join } from 'node:path'
import { type losses, SentenceTransformer } from '../../lib/index.js'
import { openSafetensors } from '../../lib/io/safetensors.js'
import { LanguageModelWeights } from '../../lib/models/language-model.js'
import { loadAddon } from '../../lib/native/load.js'
import type { NativeTrainer, PackedBatch } from '../../lib/native/types.js'
import { LossSet } from '../../lib/training/batches/loss-set.js'
import { PretrainedLosses } from '../../lib/training/run/pretrained.js'
import { tinyTrainerSpec } from '../helpers/tiny-model.js'

/** The loss of a batch, where its parameters come from the checkpoint. */
export async function firstLoss(folder: string, loss: losses.Loss, batch: PackedBatch): Promise<number> {
  await using model = await SentenceTransformer.load(folder)
  const pretrained = await PretrainedLosses.open(model, new LossSet<losses.Loss>(loss), (nameOrPath) =>
    LanguageModelWeights.open(model.source, nameOrPath),
  )
  const { Trainer } = loadAddon()
  let native: NativeTrainer | undefined
  try {
    native = new Trainer(model.encoder, { ...tinyTrainerSpec(), losses: pretrained.specs })
    await pretrained.load(native)
    const { loss: value } = await native.evaluate(batch)
    return value
  } finally {
    await pretrained.close()
    await native?.dispose()
  }
}

/** Tensors of a folder, as float32. */
export async function tensorsOf(folder: string): Promise<Record<string, number[]>> {
  const file = await openSafetensors(join(folder, 'model.safetensors'))
  const tensors: Record<string, number[]> = {}
  for (const [name, { dtype }] of file.tensors) {
    if (dtype !== 'F32') throw new Error(`${name} is ${dtype}`)
    tensors[name] = [...new Float32Array((await file.read(name)).buffer)]
  }
  await file.close()
  return tensors
}
