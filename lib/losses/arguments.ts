/** How the constructors of losses are called: with options alone, or, as in Python, with the model first. */
import { describe, SentenceTorchError } from '../errors.js'
import { type Kind, type OptionValues, optionValues } from '../options/kinds.js'
import { isPlainObject, type NotBuilt } from '../options.js'
import type { GuideModel } from './loss.js'

/** Options that may be left out where none of them is needed. */
type Rest<O> = Partial<O> extends O ? [options?: O] : [options: O]

/** `(options)` or `(model, options)`. The model has to be the one that the trainer gets, and is else unused. */
export type LossArguments<O, M = GuideModel> = Rest<O> | [model: M, ...rest: Rest<O>]

/**
 * {@link LossArguments}, or `(model, part, options)`: the part `K` of the options, such as a wrapped loss, is an argument.
 */
export type WrapperArguments<O, K extends keyof O> =
  | LossArguments<O>
  | [model: GuideModel, part: O[K], ...rest: Rest<Omit<O, K>>]

/** The arguments of a constructor before its options. */
export interface LossSignature {
  /** The method by which a model of the right kind is recognised, and the name of such a model in messages. */
  readonly model: { readonly method: string; readonly name: string }
  /** An option that may be an argument after the model. */
  readonly part?: { readonly name: string; is(value: unknown): boolean }
  /** In front of the class's name in messages. */
  readonly prefix?: string
}

const PLAIN: LossSignature = { model: { method: 'encode', name: 'a SentenceTransformer' } }

/** For losses that take the option `name` right behind the model too. */
export function modelWith(name: string, is: (value: unknown) => boolean): LossSignature {
  return { ...PLAIN, part: { name, is } }
}

/** The models that losses were given, by loss. */
const models = new WeakMap<object, object>()

/**
 * Model and options of a constructor that was called with `args`.
 * @param where name of the loss
 * @throws ERR_INVALID_ARGUMENT for an argument that is neither a model nor options, and for further arguments
 */
export function splitArguments<O extends object>(
  where: string,
  args: readonly unknown[],
  { model: kind, part }: LossSignature = PLAIN,
): { model: object | undefined; options: O } {
  const rest = [...args]
  const model = hasMethod(rest[0], kind.method) ? (rest.shift() as object) : undefined
  const alone = model !== undefined && part?.is(rest[0]) ? { [part.name]: rest.shift() } : {}
  const [options = {}, ...more] = rest
  if (!isPlainObject(options) || more.some((value) => value !== undefined)) {
    const first = part === undefined ? kind.name : `${kind.name} and a ${part.name}`
    throw new SentenceTorchError(
      'ERR_INVALID_ARGUMENT',
      `${where} takes an object of options, or ${first}, then options; found ${args.map(describe).join(', ')}`,
    )
  }
  const twice = Object.keys(alone).find((name) => options[name] !== undefined)
  if (twice !== undefined) {
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', `${where} was given its ${twice} twice`)
  }
  return { model, options: { ...options, ...alone } as O }
}

/** How a constructor is called: the options that are not built, and what comes before the options. */
interface LossCall {
  readonly notBuilt?: Readonly<Record<string, NotBuilt>> | undefined
  readonly signature?: LossSignature | undefined
}

/**
 * The options of a loss whose constructor was called with `args`: checked, and with their defaults. The model is noted for
 * {@link modelsOf}.
 * @throws ERR_INVALID_ARGUMENT, ERR_NOT_IMPLEMENTED, ERR_UNKNOWN_OPTION
 */
export function lossOptions<Table extends Readonly<Record<string, Kind>>>(
  loss: object,
  args: readonly unknown[],
  table: Table,
  { notBuilt, signature }: LossCall = {},
): OptionValues<Table> {
  const where = (signature?.prefix ?? '') + loss.constructor.name
  const { model, options } = splitArguments(where, args, signature)
  const values = optionValues(where, options, table, notBuilt)
  if (model !== undefined) models.set(loss, model)
  return values
}

/** The models that a loss, and the losses in it, were given. If there is one, it has to be the trainer's. */
export function modelsOf(loss: object): object[] {
  const own = models.get(loss)
  const { loss: inner } = loss as { loss?: unknown }
  return [...(own === undefined ? [] : [own]), ...(typeof inner === 'object' && inner !== null ? modelsOf(inner) : [])]
}

/**
 * The arguments of a loss whose options are those of its base class with other defaults: the given ones and the defaults, checked.
 * @throws ERR_INVALID_ARGUMENT, ERR_NOT_IMPLEMENTED, ERR_UNKNOWN_OPTION
 */
export function withDefaults<O extends object>(
  where: string,
  args: readonly unknown[],
  table: Readonly<Record<string, Kind>>,
  notBuilt?: Readonly<Record<string, NotBuilt>>,
): LossArguments<O> {
  const { model, options } = splitArguments<O>(where, args)
  const values = optionValues(where, options, table, notBuilt)
  return joinArguments(model, values as unknown as O)
}

export function hasMethod(value: unknown, method: string): boolean {
  return typeof value === 'object' && value !== null && typeof (value as Record<string, unknown>)[method] === 'function'
}

/** Model and options as the constructor of a base class takes them. */
export function joinArguments<O, M = GuideModel>(model: object | undefined, options: O): LossArguments<O, M> {
  return (model === undefined ? [options] : [model, options]) as unknown as LossArguments<O, M>
}
