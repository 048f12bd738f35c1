import { fromNative, invalidArgument, SentenceTorchError } from '../errors.js'
import { Custom } from '../losses/custom.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import type { NativeEncoder, NativeTrainer } from '../native/types.js'
import { checkFinite, checkOptions, checkType } from '../options.js'
import { spaceOf } from '../tensor/space.js'
import { checkTensor, type Tensor } from '../tensor/tensor.js'
import { type PartialTrainingArguments, resolveArguments } from '../training/arguments/arguments.js'
import { createTrainer } from '../training/run/guarded-trainer.js'

export interface OptimizerOptions {
  /** Learning rate. It can be changed at any time: `optimizer.lr`, schedules. */
  lr: number
  /** Decoupled weight decay of all but biases and norms, as the Trainer has it. */
  weightDecay?: number
  /** Longest gradient, over all parameters; longer ones are scaled down. Default 0: none is. */
  maxGradNorm?: number
  /** Parameters beside the model, by name: float32, made by `parameter()`. */
  parameters?: Readonly<Record<string, Tensor>>
  /** Of the dropout. Default 42. */
  seed?: number
  /** Compute in bfloat16, with weights and optimiser in float32. Default false. */
  bf16?: boolean
}

export interface AdamWOptions extends OptimizerOptions {
  /** Default 0.01, as in torch. */
  weightDecay?: number
  /** Default [0.9, 0.999]. */
  betas?: readonly [number, number]
  /** Default 1e-8. */
  eps?: number
}

export interface RMSpropOptions extends OptimizerOptions {
  /** Default 0.99. */
  alpha?: number
  /** Default 1e-8. */
  eps?: number
}

export interface StepResult {
  /** Length of the gradient before it was clipped; NaN or infinite: the step was skipped. */
  gradNorm: number
  /** Whether the weights are as before, because the gradient was not finite. */
  skipped: boolean
}

const NAMES = ['lr', 'weightDecay', 'maxGradNorm', 'parameters', 'seed', 'bf16']

/** The optimizer that trains a model, by its encoder. */
const optimizers = new WeakMap<NativeEncoder, Optimizer>()

/** The optimizer that trains a parameter. */
const trained = new WeakMap<Tensor, Optimizer>()

/** @internal @throws ERR_INVALID_ARGUMENT where nothing trains the model */
export function optimizerOf(model: SentenceTransformer): Optimizer {
  const found = optimizers.get(model.encoder)
  if (found !== undefined) return found
  const message = 'Expected an optimizer of this model, such as new optim.AdamW(model, { lr: 2e-5 }), before forward()'
  throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}

/** What the optimisers have in common: they are the Trainer's, one step at a time. */
export abstract class Optimizer {
  /** @internal */
  readonly native: NativeTrainer
  readonly #encoder: NativeEncoder
  /** Whether the parameters became those of the trainer. */
  #bound: Promise<void> | undefined
  #lr = 0
  #isDisposed = false

  /** @internal */
  protected constructor(model: SentenceTransformer, options: OptimizerOptions, args: PartialTrainingArguments) {
    if (!(model instanceof SentenceTransformer)) throw invalidArgument('model', 'a SentenceTransformer', model)
    const { lr, weightDecay = 0, maxGradNorm = 0, parameters = {}, seed, bf16 } = options
    if (lr === undefined) throw invalidArgument('lr', 'a learning rate', lr)
    this.lr = lr
    if (model.device !== 'cpu' && Object.keys(parameters).length > 0) {
      const message = `parameters beside a model on ${model.device} are not built: load the model with device: 'cpu'`
      throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
    }
    const shapes = Object.fromEntries(
      Object.entries(checkParameters(parameters)).map(([name, { shape }]) => [name, { shape }]),
    )
    const spec = new Custom(() => ({ loss: 0 }), { parameters: shapes }).spec()
    const resolved = resolveArguments({
      ...args,
      learningRate: lr,
      weightDecay,
      maxGradNorm,
      ...(seed !== undefined && { seed }),
      ...(bf16 && { bf16 }),
    })
    // Before the trainer, which holds the model: a parameter may have been disposed of.
    const ids = Object.fromEntries(Object.entries(parameters).map(([name, { id }]) => [`loss.${name}`, id]))
    this.#encoder = model.encoder
    this.native = createTrainer(model, resolved, [{ name: '', spec }])
    optimizers.set(this.#encoder, this)
    for (const tensor of Object.values(parameters)) trained.set(tensor.keep(), this)
    if (Object.keys(ids).length === 0) return
    this.#bound = spaceOf().job('Trainer.bind', (tensors) => this.native.bind(tensors, ids))
    // step() tells.
    this.#bound.catch(() => {})
  }

  /** @internal */
  get isDisposed(): boolean {
    return this.#isDisposed
  }

  /** The rate of the next step. */
  get lr(): number {
    return this.#lr
  }

  set lr(value: number) {
    checkFinite('lr', value ?? null)
    if (value < 0) throw invalidArgument('lr', 'a number of at least 0', value)
    this.#lr = value
  }

  /**
   * Clips the gradients, updates model and parameters, and sets the gradients to 0. A gradient that is not finite updates nothing.
   * @throws SentenceTorchError ERR_DISPOSED
   */
  async step(): Promise<StepResult> {
    this.#check()
    const update = spaceOf().job('Trainer.update', () => this.native.update({ lr: this.#lr }))
    const [{ gradNorm, skipped }] = await Promise.all([update, this.#bound])
    return { gradNorm, skipped: skipped > 0 }
  }

  /** Sets the gradients to 0: after `backward()` of a loss that is not to count. `step()` does so by itself. */
  async zeroGrad(): Promise<void> {
    this.#check()
    await spaceOf().job('Trainer.zeroGradients', () => this.native.zeroGradients())
  }

  /** Frees gradients and moments, and lets the model be trained by others. Idempotent. */
  async dispose(): Promise<void> {
    if (this.#isDisposed) return
    this.#isDisposed = true
    optimizers.delete(this.#encoder)
    spaceOf().flush()
    try {
      await this.native.dispose()
    } catch (error) {
      throw fromNative(error, 'Trainer.dispose')
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose()
  }

  #check(): void {
    if (this.#isDisposed) throw new SentenceTorchError('ERR_DISPOSED', 'This optimizer has been disposed')
  }
}

function checkParameters(parameters: Readonly<Record<string, Tensor>>): Readonly<Record<string, Tensor>> {
  checkType('parameters', parameters, 'object')
  for (const [name, tensor] of Object.entries(parameters)) {
    checkTensor(`parameters.${name}`, tensor)
    if (!tensor.isParameter || tensor.dtype !== 'float32' || tensor.shape.length === 0) {
      const found = `${tensor.isParameter ? '' : 'no parameter, '}${tensor.dtype} [${tensor.shape}]`
      throw invalidArgument(`parameters.${name}`, 'what parameter() gives of a float32 tensor with dimensions', found)
    }
    const isTwice = Object.entries(parameters).some(([other, same]) => other !== name && same === tensor)
    if (isTwice || trained.get(tensor)?.isDisposed === false) {
      throw new SentenceTorchError('ERR_BUSY', `parameters.${name} is trained already: dispose that optimizer first`)
    }
  }
  return parameters
}

/**
 * AdamW (Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101).
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_BUSY while another optimizer or Trainer trains the model
 */
export class AdamW extends Optimizer {
  constructor(model: SentenceTransformer, options: AdamWOptions) {
    checkOptions('AdamW', options, [...NAMES, 'betas', 'eps'])
    const { betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0.01 } = options
    if (!Array.isArray(betas) || betas.length !== 2) throw invalidArgument('betas', 'two numbers', betas)
    const [adamBeta1, adamBeta2] = betas
    super(model, { ...options, weightDecay }, { optim: 'adamw_torch', adamBeta1, adamBeta2, adamEpsilon: eps })
  }
}

/** Stochastic gradient descent, without momentum. */
export class SGD extends Optimizer {
  constructor(model: SentenceTransformer, options: OptimizerOptions) {
    checkOptions('SGD', options, NAMES, { momentum: { harmless: [0] } })
    super(model, options, { optim: 'sgd' })
  }
}

/** RMSprop, without momentum. */
export class RMSprop extends Optimizer {
  constructor(model: SentenceTransformer, options: RMSpropOptions) {
    checkOptions('RMSprop', options, [...NAMES, 'alpha', 'eps'], { momentum: { harmless: [0] } })
    const { alpha = 0.99, eps = 1e-8 } = options
    super(model, options, { optim: 'rmsprop', optimArgs: { alpha, eps } })
  }
}
