import { invalidArgument } from '../errors.js'
import type { ConfigObject, LossSpec } from '../native/types.js'
import { choice, flag, integer, type OptionTable, option, optionValues } from '../options/kinds.js'
import { checkType } from '../options.js'
import type { ComputedLoss, CustomLossFunction, CustomLossParameter } from './computed.js'
import type { Loss, LossRequirements } from './loss.js'
import { ofTensors, type TensorLossFunction } from './tensor-loss.js'

export type {
  ComputedLoss,
  CustomLossBatch,
  CustomLossFunction,
  CustomLossParameter,
  CustomLossValue,
} from './computed.js'
export type { TensorLossBatch, TensorLossFunction } from './tensor-loss.js'

export interface CustomLossOptions {
  /** The kind of labels that the function needs. Default `none`. */
  labels?: LossRequirements['labels']
  /** Number of classes; only with `labels: 'int'`. */
  numLabels?: number
  /** Lowest number of text columns. Default 1. */
  minColumns?: number
  /** Highest number of text columns. Default `Infinity`. */
  maxColumns?: number
  /** Whether the function needs `textIds`. Default `false`. */
  textIds?: boolean
  /** Parameters of its own, by name. Default `{}`. */
  parameters?: Readonly<Record<string, CustomLossParameter>>
}

const columns = integer(1, { least: 1 })

export const OPTIONS = {
  labels: choice(['none', 'float', 'int', 'floats'], 'none'),
  numLabels: integer(undefined, { least: 2 }),
  minColumns: columns,
  maxColumns: option<number>({
    ...columns,
    default: Number.POSITIVE_INFINITY,
    check: (name, value) => {
      if (value !== Number.POSITIVE_INFINITY) columns.check(name, value)
    },
  }),
  textIds: flag(false),
  parameters: option<Readonly<Record<string, CustomLossParameter>>>({
    type: 'Readonly<Record<string, CustomLossParameter>>',
    default: {},
    expected: 'an object',
    check: (name, value) => {
      checkType(name, value, 'object')
      for (const [key, parameter] of Object.entries(value as object)) checkParameter(key, parameter)
    },
  }),
} satisfies OptionTable<CustomLossOptions>

/**
 * A loss written in TypeScript: a function that gives value and gradients for the embeddings of a batch. The rest of a
 * step (dropout, gradient caching, clipping, optimiser) is as with the losses of the engine.
 *
 * - **Data**: Any number of text columns, between `minColumns` and `maxColumns`. Labels as `labels` says.
 * - **Formula**: Your own. The function gets an array per text column, and returns the gradient of each.
 * - **Speed**: The function runs on the JavaScript thread between two halves of a step, so steps do not overlap. The engine's
 *   losses are faster wherever one of them fits. The function may be async and use the model, whose weights are those before
 *   the step.
 * - **Parameters**: They are trained like those of the engine's losses, and are in `lossTensors` and in checkpoints.
 *
 * @example
 * const trainDataset = Dataset.fromRows([{ text_a: 'A cat sits outside.', text_b: 'A cat is outside.' }])
 * // mean ½ ‖u − v‖²
 * const loss = new losses.Custom(
 *   ([u, v], labels, { rows }) => {
 *     const du = u!.map((value, i) => (value - v![i]!) / rows)
 *     const loss = du.reduce((sum, d) => sum + (d * d * rows) / 2, 0)
 *     return { loss, gradients: [du, du.map((d) => -d)] }
 *   },
 *   { minColumns: 2, maxColumns: 2 },
 * )
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class Custom implements Loss {
  readonly type = 'Custom'
  readonly requirements: LossRequirements
  readonly computed: ComputedLoss

  constructor(compute: CustomLossFunction, options: CustomLossOptions = {}) {
    const { parameters, numLabels, textIds, ...requirements } = optionValues(this.type, options, OPTIONS)
    if (typeof compute !== 'function') throw invalidArgument('the first argument of Custom', 'a function', compute)
    this.requirements = {
      ...requirements,
      ...(numLabels !== undefined && { numLabels }),
      ...(textIds && { textIds }),
    }
    this.computed = { parameters: ownParameters(parameters), compute }
  }

  /**
   * The same with tensors, which need no gradients written by hand: the function gets a tensor [rows, dim] per text column, and returns
   * one with one element. What it makes is disposed of after the step.
   *
   * ```ts
   * const loss = losses.Custom.fromTensors(([u, v]) => u!.sub(v!).pow(2).sum(1).div(2).mean(), { minColumns: 2, maxColumns: 2 })
   * ```
   * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
   */
  static fromTensors(compute: TensorLossFunction, options: CustomLossOptions = {}): Custom {
    if (typeof compute !== 'function')
      throw invalidArgument('the first argument of Custom.fromTensors', 'a function', compute)
    return new Custom(ofTensors(compute, options.parameters ?? {}), options)
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

/** Copies: later changes of the caller's objects do not count. */
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
