import { fromNative, SentenceTorchError } from '../../errors.js'
import type { ComputedLoss, CustomLossBatch, CustomLossValue } from '../../losses/computed.js'
import type {
  ExternalLoss,
  NativeEncoder,
  NativeTrainer,
  PackedBatch,
  StepOptions,
  StepReport,
} from '../../native/types.js'

type ComputingTrainer = Pick<NativeTrainer, 'dump' | 'embed' | 'apply'>

/** Training steps and evaluations of a loss that TypeScript computes. The engine computes the embeddings. */
export class ComputedStep {
  /** @param prefix of its tensors in the engine: `loss.` or `loss.<name>.` */
  constructor(
    private readonly native: ComputingTrainer,
    private readonly encoder: Pick<NativeEncoder, 'encode' | 'embeddingDimension'>,
    private readonly loss: ComputedLoss,
    private readonly prefix: string,
  ) {}

  /** A whole training step. */
  async step(batch: PackedBatch, options: StepOptions): Promise<StepReport | undefined> {
    const all = this.emptyEmbeddings(batch)
    const { length } = all
    await this.native.embed(batch, all, options)
    return this.native.apply(this.external(await this.compute(batch, all, true), length), options)
  }

  /** Value and components, without dropout. */
  async evaluate(batch: PackedBatch): Promise<{ loss: number; components: Record<string, number> }> {
    const all = this.emptyEmbeddings(batch)
    await this.encoder.encode(batch, all)
    const { loss, components = {} } = await this.compute(batch, all, false)
    return { loss, components: { ...components } }
  }

  private emptyEmbeddings({ offsets }: PackedBatch): Float32Array {
    return new Float32Array((offsets.length - 1) * this.encoder.embeddingDimension)
  }

  private async compute(batch: PackedBatch, all: Float32Array, training: boolean): Promise<CustomLossValue> {
    const dimension = this.encoder.embeddingDimension
    const rows = (batch.offsets.length - 1) / batch.columns
    const size = rows * dimension
    const embeddings = Array.from({ length: batch.columns }, (_, c) => all.subarray(c * size, (c + 1) * size))
    const more: CustomLossBatch = {
      rows,
      dimension,
      parameters: await this.parameters(),
      training,
      ...(batch.labels && { labelShape: batch.labelShape ?? [rows] }),
      ...(batch.textIds && { textIds: batch.textIds }),
    }
    const value = await this.loss.compute(embeddings, batch.labels, more)
    if (typeof value?.loss !== 'number') throw invalidResult('an object with the number loss')
    return value
  }

  private async parameters(): Promise<Record<string, Float32Array>> {
    const found: Record<string, Float32Array> = {}
    for (const [name, { shape }] of Object.entries(this.loss.parameters)) {
      const data = new Float32Array(shape.reduce((product, n) => product * n, 1))
      const bytes = new Uint8Array(data.buffer)
      try {
        await this.native.dump([{ name: this.prefix + name, start: 0, dtype: 'F32', data: bytes }])
      } catch (error) {
        throw fromNative(error, 'Trainer.dump')
      }
      found[name] = data
    }
    return found
  }

  /** The engine's inputs from the loss. @param total number of values in all embeddings */
  private external(value: CustomLossValue, total: number): ExternalLoss {
    const { loss, gradients, parameterGradients = {}, components } = value
    const joined = new Float32Array(total)
    let at = 0
    for (const gradient of gradients ?? []) {
      if (!(gradient instanceof Float32Array) || at + gradient.length > joined.length) break
      joined.set(gradient, at)
      at += gradient.length
    }
    if (at !== total) throw invalidResult(`gradients: one Float32Array per text column, ${total} values in all`)
    // The engine skips a step when its gradient is not finite.
    if (!Number.isFinite(loss)) joined.fill(Number.NaN)
    const parameters: Record<string, Float32Array> = {}
    for (const [name, { shape }] of Object.entries(this.loss.parameters)) {
      const size = shape.reduce((product, n) => product * n, 1)
      const gradient = Object.hasOwn(parameterGradients, name) ? parameterGradients[name]! : new Float32Array(size)
      if (!(gradient instanceof Float32Array) || gradient.length !== size) {
        throw invalidResult(`a Float32Array of ${size} values in parameterGradients.${name}`)
      }
      parameters[this.prefix + name] = gradient
    }
    const unknown = Object.keys(parameterGradients).find((name) => !Object.hasOwn(this.loss.parameters, name))
    if (unknown !== undefined) throw invalidResult(`no gradient of ${unknown}, which is none of its parameters`)
    return { loss, embeddings: joined, parameters, ...(components && { components: { ...components } }) }
  }
}

function invalidResult(expected: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_DATA', `The function of a Custom loss must give ${expected}`)
}
