/** Gradient caching, as the `Cached…` losses ask for it. */
import { SentenceTorchError } from '../errors.js'
import { integer, type Kind, nullable, type OptionTable, optionValues } from '../options/kinds.js'
import type { NotBuilt } from '../options.js'
import { joinArguments, type LossSignature, splitArguments } from './arguments.js'
import type { Caching } from './loss.js'

/** Additional options of the `Cached…` losses. */
export interface CachingOptions {
  /** Rows (of all columns) that pass the encoder at once. They bound the memory. Default 32. */
  miniBatchSize?: number
  /** Tokens that pass the encoder at once, instead of `miniBatchSize`. A longer row passes alone. Default `null`. */
  miniBatchNumTokens?: number | null
}

export const CACHING_OPTIONS = {
  miniBatchSize: integer(32, { least: 1 }),
  miniBatchNumTokens: nullable(integer(undefined, { least: 1 })),
} satisfies OptionTable<CachingOptions>

/** Mini-batches have no progress bar of their own. */
export const CACHING_NOT_BUILT = { showProgressBar: { harmless: [false] } }

/** Options that the plain loss does not have. */
const OWN: readonly string[] = [...Object.keys(CACHING_OPTIONS), ...Object.keys(CACHING_NOT_BUILT)]

/**
 * Splits the arguments of the constructor of a `Cached…` loss: `plain` are the arguments of the plain loss, without `caching`.
 * @param table the options of the cached loss
 * @throws ERR_INVALID_ARGUMENT, ERR_NOT_IMPLEMENTED, ERR_UNKNOWN_OPTION
 */
export function cachedArguments<O extends CachingOptions>(
  where: string,
  args: readonly unknown[],
  table: Readonly<Record<string, Kind>>,
  { notBuilt, signature }: { notBuilt: Readonly<Record<string, NotBuilt>>; signature?: LossSignature },
) {
  const { model, options } = splitArguments<O>(where, args, signature)
  optionValues(where, options, table, notBuilt)
  const { miniBatchSize, miniBatchNumTokens } = options
  const plain = Object.entries(options).filter(([name]) => !OWN.includes(name))
  return {
    plain: joinArguments(model, Object.fromEntries(plain) as Omit<O, keyof CachingOptions>),
    caching: cachingOf(where, { miniBatchSize, miniBatchNumTokens }),
  }
}

/** @throws ERR_INVALID_ARGUMENT for both options at once */
export function cachingOf(where: string, { miniBatchSize, miniBatchNumTokens }: CachingOptions, rows = 32): Caching {
  if (miniBatchNumTokens == null) return { miniBatchSize: miniBatchSize ?? rows }
  if (miniBatchSize !== undefined) {
    throw new SentenceTorchError(
      'ERR_INVALID_ARGUMENT',
      `${where} takes miniBatchSize or miniBatchNumTokens, not both: found ${miniBatchSize} and ${miniBatchNumTokens}`,
    )
  }
  return { miniBatchTokens: miniBatchNumTokens }
}
