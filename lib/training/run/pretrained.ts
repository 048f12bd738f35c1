import { fromNative, SentenceTorchError } from '../../errors.js'
import type { LanguageModelWeights } from '../../models/language-model.js'
import type { NativeTrainer, TrainerSpec } from '../../native/types.js'
import type { LossSet, NamedLoss, TrainableLoss } from '../batches/loss-set.js'
import type { TrainableModel } from './trainable-model.js'

/** A loss whose parameters start from a checkpoint. */
interface PretrainedLoss {
  /** The engine's names of the parameters are the checkpoint's names with this prefix. */
  prefix: string
  type: string
  weights: LanguageModelWeights
}

/** Opens the checkpoint that a loss starts from. @param nameOrPath undefined: the one that the model was loaded from */
export type OpenPretrained = (nameOrPath: string | undefined) => Promise<LanguageModelWeights | undefined>

/** The losses of a run as the engine takes them, and the checkpoints that their own parameters start from. */
export class PretrainedLosses {
  private constructor(
    readonly specs: TrainerSpec['losses'],
    private readonly pretrained: readonly PretrainedLoss[],
  ) {}

  /** @throws as `SentenceTransformer.load` for a checkpoint, and the losses' errors for a model that does not fit */
  static async open<L extends TrainableLoss>(
    model: Pick<TrainableModel, 'encoder' | 'config'>,
    losses: LossSet<L>,
    openPretrained: OpenPretrained,
  ): Promise<PretrainedLosses> {
    const opened: PretrainedLoss[] = []
    const open = async ({ name, loss }: NamedLoss<L>): Promise<LanguageModelWeights | undefined> => {
      const weights = loss.pretrained && (await openPretrained(loss.pretrained.nameOrPath))
      if (weights === undefined) return undefined
      const prefix = `loss.${name === '' ? '' : `${name}.`}${loss.pretrained!.prefix}`
      opened.push({ prefix, type: loss.type, weights })
      return weights
    }
    try {
      const specs: TrainerSpec['losses'] = []
      for (const entry of losses.all) {
        const spec = entry.loss.spec(model.encoder.embeddingDimension, model.config, await open(entry))
        specs.push({ name: entry.name, spec, ...(entry.loss.requirements?.gathers && { gathers: true }) })
      }
      return new PretrainedLosses(specs, opened)
    } catch (error) {
      await closeAll(opened)
      throw error
    }
  }

  /**
   * Gives the parameters of the losses their values in the checkpoints. A warning lists the parameters that are missing there.
   * @throws ERR_INVALID_TENSORS, listing the tensors of another shape, or for a head of another architecture; nothing of that
   *   checkpoint is loaded then
   */
  async load(native: Pick<NativeTrainer, 'tensors' | 'load'>): Promise<void> {
    for (const { prefix, type, weights } of this.pretrained) {
      const owned = native
        .tensors()
        .filter(({ name }) => name.startsWith(prefix))
        .map(({ name, shape }) => ({ full: name, name: name.slice(prefix.length), shape }))
      const strange = owned.find(({ name }) => !weights.isNamed(name))
      if (strange !== undefined) {
        const message = `${type} cannot start from ${weights.path}: a ${weights.className} has no ${strange.name}`
        throw new SentenceTorchError('ERR_INVALID_TENSORS', message)
      }
      const found = owned.filter(({ name }) => weights.shape(name) !== undefined)
      const misfits = found.filter(({ name, shape }) => String(weights.shape(name)) !== String(shape))
      if (misfits.length > 0) {
        const list = misfits.map(({ name, shape }) => `${name} is [${weights.shape(name)}], expected [${shape}]`)
        const message = `${type} cannot start from ${weights.path}: ${list.join('; ')}`
        throw new SentenceTorchError('ERR_INVALID_TENSORS', message)
      }
      for (const { name, full } of found) {
        for await (const range of weights.ranges(name, full)) {
          try {
            await native.load([range])
          } catch (error) {
            throw fromNative(error, 'Trainer.load')
          }
        }
      }
      const missing = owned.filter(({ name }) => weights.shape(name) === undefined)
      if (missing.length > 0)
        warnOfMissing(
          type,
          weights.path,
          missing.map(({ name }) => name),
        )
    }
  }

  /** Closes the files. Idempotent. */
  close(): Promise<void> {
    return closeAll(this.pretrained)
  }
}

async function closeAll(pretrained: readonly PretrainedLoss[]): Promise<void> {
  await Promise.all(pretrained.map(({ weights }) => weights.close()))
}

/** Like transformers' report of a load: layers that differ only in their number are listed as one. */
function warnOfMissing(type: string, path: string, names: readonly string[]): void {
  const layers = new Map<string, string[]>()
  for (const name of names) {
    const number = /\.(\d+)\./.exec(name)?.[1]
    const common = name.replace(/\.\d+\./, '.*.')
    layers.set(common, [...(layers.get(common) ?? []), ...(number === undefined ? [] : [number])])
  }
  const list = [...layers].map(([name, numbers]) => name.replace('.*.', `.{${numbers.join(', ')}}.`))
  process.emitWarning(
    `Some weights of ${type} are not in ${path} and are newly initialised: ${list.join(', ')}`,
    'SentenceTorchWarning',
  )
}
