/** A loss as a config says it, and the object that comes of it. */
import { invalidArgument, SentenceTorchError, suggestion } from '../errors.js'
import * as pairLosses from '../losses/cross-encoder/index.js'
import type { CrossEncoderLoss } from '../losses/cross-encoder/loss.js'
import * as losses from '../losses/index.js'
import type { GuideModel, Loss } from '../losses/loss.js'
import type { ModelType } from '../models/model-type.js'
import { isPlainObject } from '../options.js'

/** The name of a loss, or its name with its options: `{ name: 'CoSENTLoss', scale: 10 }`. A loss in a loss is written alike. */
export type LossSpec = string | { readonly name: string; readonly [option: string]: unknown }

export function lossName(loss: LossSpec): string {
  return typeof loss === 'string' ? loss : loss.name
}

type LossClass = new (options: object) => Loss

/** What takes a function of the caller is for programs. */
const OF_PROGRAMS = ['Custom']
/** Losses of sparse encoders, which no recipe trains. */
const OF_SPARSE = /^(Sparse|Splade|CachedSplade|CSR|Flops)/

/** Names of the losses that a config may name. */
export const LOSS_NAMES: readonly string[] = Object.keys(losses).filter((name) => {
  return !OF_PROGRAMS.includes(name) && !OF_SPARSE.test(name)
})
/** The same, of cross-encoders. */
export const PAIR_LOSS_NAMES: readonly string[] = Object.keys(pairLosses)

const NAMES = {
  embedding: LOSS_NAMES,
  'cross-encoder': PAIR_LOSS_NAMES,
  any: [...new Set([...LOSS_NAMES, ...PAIR_LOSS_NAMES])],
} as const

export const isLoss = (value: unknown): value is Loss =>
  typeof (value as Partial<Loss> | undefined)?.spec === 'function'

/**
 * @param type whose losses there are; default: those of both
 * @throws ERR_INVALID_ARGUMENT for anything but a spec of a loss that there is
 */
export function checkLossSpec(spec: unknown, where: string, type?: ModelType): asserts spec is LossSpec {
  const name: unknown = isPlainObject(spec) ? spec.name : spec
  if (typeof name !== 'string') throw invalidArgument(where, 'the name of a loss, or an object with its name', spec)
  const names = NAMES[type ?? 'any']
  if (!names.includes(name)) {
    const close = suggestion(name, names)
    const hint = close === undefined ? `there are: ${names.join(', ')}` : `did you mean ${close}?`
    const of = type === undefined ? '' : ` of ${type === 'embedding' ? 'models of embeddings' : 'cross-encoders'}`
    const message = `${where}: there is no loss ${JSON.stringify(name)}${of}; ${hint}`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  const inner = isPlainObject(spec) ? spec.loss : undefined
  if (inner !== undefined && !isLoss(inner)) checkLossSpec(inner, `${where}.loss`, type)
}

/**
 * @param loadGuide loads the model of a loss that has a guide
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION for options that the loss does not take; what `loadGuide` throws
 */
export async function makeLoss(
  spec: LossSpec,
  where: string,
  loadGuide: (nameOrPath: string) => Promise<GuideModel>,
): Promise<Loss> {
  checkLossSpec(spec, where, 'embedding')
  const { name, ...options } = typeof spec === 'string' ? { name: spec } : spec
  const made: Record<string, unknown> = { ...options }
  if (made.loss !== undefined && !isLoss(made.loss)) {
    made.loss = await makeLoss(made.loss as LossSpec, `${where}.loss`, loadGuide)
  }
  if (typeof made.guide === 'string') made.guide = await loadGuide(made.guide)
  return new (losses as unknown as Record<string, LossClass>)[name]!(made)
}

type PairLossClass = new (options: object) => CrossEncoderLoss

/** A loss of cross-encoders. @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION for options that the loss does not take */
export function makePairLoss(spec: LossSpec, where: string): CrossEncoderLoss {
  checkLossSpec(spec, where, 'cross-encoder')
  const { name, ...options } = typeof spec === 'string' ? { name: spec } : spec
  return new (pairLosses as unknown as Record<string, PairLossClass>)[name]!(options)
}
