import { SentenceTorchError } from '../errors.js'
import { checkInteger } from '../options.js'
import type { Caching } from './loss.js'

/** What the `Cached…` losses take on top of the options of the plain loss. */
export interface CachingOptions {
  /** Rows (of all columns) that pass the encoder at once: what bounds the memory. Default 32. */
  miniBatchSize?: number
  /** Tokens that pass the encoder at once, instead of `miniBatchSize`; a longer row passes alone. */
  miniBatchNumTokens?: number | null
}

export const CACHING_OPTIONS = ['miniBatchSize', 'miniBatchNumTokens'] as const

/** `showProgressBar` of sentence-transformers: mini-batches have no progress bar of their own. */
export const CACHING_NOT_BUILT = { showProgressBar: { harmless: [false] } }

/** @throws ERR_INVALID_ARGUMENT for values below 1, and for both at once */
export function checkCaching(where: string, { miniBatchSize, miniBatchNumTokens }: CachingOptions): Caching {
  checkInteger(`${where} miniBatchSize`, miniBatchSize, 1)
  checkInteger(`${where} miniBatchNumTokens`, miniBatchNumTokens ?? undefined, 1)
  if (miniBatchNumTokens == null) return { miniBatchSize: miniBatchSize ?? 32 }
  if (miniBatchSize !== undefined) {
    throw new SentenceTorchError(
      'ERR_INVALID_ARGUMENT',
      `${where} takes miniBatchSize or miniBatchNumTokens, not both: found ${miniBatchSize} and ${miniBatchNumTokens}`,
    )
  }
  return { miniBatchTokens: miniBatchNumTokens }
}

/** `options` without those of {@link CachingOptions}. */
export function withoutCaching<T extends CachingOptions>(
  options: T,
): Omit<T, keyof CachingOptions | 'showProgressBar'> {
  const {
    miniBatchSize: _,
    miniBatchNumTokens: __,
    showProgressBar: ___,
    ...rest
  } = options as T & {
    showProgressBar?: unknown
  }
  return rest
}
