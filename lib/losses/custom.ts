import { invalidArgument } from '../errors.js'
import type { ConfigObject, LossSpec } from '../native/types.js'
import { checkInteger, checkOneOf, checkOptions, checkType } from '../options.js'
import type { ComputedLoss, CustomLossFunction, CustomLossParameter } from './computed.js'
import type { Loss, LossRequirements } from './loss.js'

export type {
  ComputedLoss,
  CustomLossBatch,
  CustomLossFunction,
  CustomLossParameter,
  CustomLossValue,
} from './computed.js'

export interface CustomLossOptions {
  /** Which labels the function wants, as in docs/losses.md. Default `none`. */
  labels?: LossRequirements['labels']
  /** Number of classes; only with `labels: 'int'`. */
  numLabels?: number
  /** Fewest text columns. Default 1. */
  minColumns?: number
  /** Most text columns. Default: any number. */
  maxColumns?: number
  /** Whether the function wants `textIds`. Default false. */
  textIds?: boolean
  /** Parameters of its own, by name. */
  parameters?: Readonly<Record<string, CustomLossParameter>>
}

/**
 * A loss written in TypeScript: a function that gives value and gradients for the embeddings of a batch. The rest of a
 * step (dropout, gradient caching, clipping, optimiser) is as with the losses of the engine.
 *
 * ```ts
 * // mean ½ ‖u − v‖²
 * new losses.Custom(([u, v], labels, { rows }) => {
 *   const du = u!.map((value, i) => (value - v![i]!) / rows)
 *   const loss = du.reduce((sum, d) => sum + (d * d * rows) / 2, 0)
 *   return { loss, gradients: [du, du.map((d) => -d)] }
 * })
 * ```
 *
 * - **Data**: any number of text columns; labels as `labels` says.
 * - **Speed**: the function runs on the JavaScript thread between two halves of a step, so that steps do not overlap; it may
 *   be async, and use the model meanwhile, whose weights are those before the step. The engine's losses are faster wherever one
 *   of them fits.
 * - **Parameters** are trained like those of the engine's losses; they are in `lossTensors` and in checkpoints.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class Custom implements Loss {
  readonly type = 'Custom'
  readonly requirements: LossRequirements
  readonly computed: ComputedLoss

  constructor(compute: CustomLossFunction, options: CustomLossOptions = {}) {
    const names = ['labels', 'numLabels', 'minColumns', 'maxColumns', 'textIds', 'parameters']
    checkOptions(this.type, options, names)
    if (typeof compute !== 'function') throw invalidArgument('the first argument of Custom', 'a function', compute)
    const { labels = 'none', numLabels, textIds, parameters = {} } = options
    checkOneOf('Custom labels', labels, ['none', 'float', 'int', 'floats'])
    checkInteger('Custom numLabels', numLabels, 2)
    checkInteger('Custom minColumns', options.minColumns, 1)
    if (options.maxColumns !== Number.POSITIVE_INFINITY) checkInteger('Custom maxColumns', options.maxColumns, 1)
    checkType('Custom textIds', textIds, 'boolean')
    checkType('Custom parameters', parameters, 'object')
    for (const [name, parameter] of Object.entries(parameters)) checkParameter(name, parameter)
    this.requirements = {
      minColumns: options.minColumns ?? 1,
      maxColumns: options.maxColumns ?? Number.POSITIVE_INFINITY,
      labels,
      ...(numLabels !== undefined && { numLabels }),
      ...(textIds && { textIds }),
    }
    this.computed = { parameters: ownParameters(parameters), compute }
  }

  spec(): LossSpec {
    const parameters: ConfigObject = {}
    for (const [name, { shape }] of Object.entries(this.computed.parameters)) {
      parameters[name] = { shape: [...shape], decay: !NO_DECAY.test(name) }
    }
    return { type: this.type, parameters }
  }
}

/** Names without weight decay, as transformers' `get_decay_parameter_names` has them. */
const NO_DECAY = /bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)/i

/** Copies: whatever the caller does with its own is for later losses. */
function ownParameters(given: Readonly<Record<string, CustomLossParameter>>): Record<string, CustomLossParameter> {
  return Object.fromEntries(
    Object.entries(given).map(([name, { shape, init }]) => [
      name,
      {
        shape: [...shape],
        ...(init !== undefined && { init: typeof init === 'number' ? init : new Float32Array(init) }),
      },
    ]),
  )
}

function checkParameter(name: string, parameter: unknown): void {
  const { shape, init } = (parameter ?? {}) as Partial<CustomLossParameter>
  if (!/^[A-Za-z_][\w.]*$/.test(name)) {
    throw invalidArgument('a name in Custom parameters', 'letters, digits, _ and .', name)
  }
  if (!Array.isArray(shape) || !shape.every((n) => Number.isInteger(n) && n > 0)) {
    throw invalidArgument(`Custom parameters.${name}.shape`, 'an array of positive whole numbers', shape)
  }
  const size = shape.reduce((product: number, n: number) => product * n, 1)
  const fits = init === undefined || Number.isFinite(init) || (init instanceof Float32Array && init.length === size)
  if (!fits) throw invalidArgument(`Custom parameters.${name}.init`, `a number, or a Float32Array of ${size}`, init)
}
