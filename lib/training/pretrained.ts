import { fromNative, SentenceTorchError } from '../errors.js'
import type { LanguageModelWeights } from '../models/language-model.js'
import type { NativeTrainer, TrainerSpec } from '../native/types.js'
import type { LossSet, NamedLoss } from './loss-set.js'
import type { BaseLoss, TrainableModel, TrainerKind } from './trainer-kind.js'

interface Start {
  /** In front of the checkpoint's names in the engine's. */
  prefix: string
  type: string
  weights: LanguageModelWeights
}

/** The losses of a run as the engine takes them, and the checkpoints that their own parameters start from. */
export class PretrainedLosses {
  private constructor(
    readonly specs: TrainerSpec['losses'],
    private readonly starts: readonly Start[],
  ) {}

  /** @throws as `SentenceTransformer.load` for a checkpoint, and what the losses throw for a model that does not fit */
  static async open<M extends TrainableModel, L extends BaseLoss>(
    kind: TrainerKind<M, L>,
    model: M,
    losses: LossSet<L>,
    signal?: AbortSignal,
  ): Promise<PretrainedLosses> {
    const starts: Start[] = []
    const open = async ({ name, loss }: NamedLoss<L>): Promise<LanguageModelWeights | undefined> => {
      const weights = loss.pretrained && (await kind.pretrained?.(model, loss.pretrained.nameOrPath, signal))
      if (weights === undefined) return undefined
      const prefix = `loss.${name === '' ? '' : `${name}.`}${loss.pretrained!.prefix}`
      starts.push({ prefix, type: loss.type, weights })
      return weights
    }
    try {
      const specs: TrainerSpec['losses'] = []
      for (const entry of losses.all) {
        const spec = entry.loss.spec(model.encoder.embeddingDimension, model.config, await open(entry))
        specs.push({ name: entry.name, spec })
      }
      return new PretrainedLosses(specs, starts)
    } catch (error) {
      await closeAll(starts)
      throw error
    }
  }

  /**
   * Gives the parameters of losses the values that the checkpoints have; a warning lists those that they do not have.
   * @throws ERR_INVALID_TENSORS, listing what has another shape; then nothing is loaded
   */
  async load(native: Pick<NativeTrainer, 'tensors' | 'load'>): Promise<void> {
    for (const { prefix, type, weights } of this.starts) {
      const owned = native
        .tensors()
        .filter(({ name }) => name.startsWith(prefix))
        .map(({ name, shape }) => ({ full: name, name: name.slice(prefix.length), shape }))
        .filter(({ name }) => weights.isNamed(name))
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
    return closeAll(this.starts)
  }
}

async function closeAll(starts: readonly Start[]): Promise<void> {
  await Promise.all(starts.map(({ weights }) => weights.close()))
}

/** As transformers' report of a load, layers of the same name together. */
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
