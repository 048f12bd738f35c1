import { describe, invalidArgument, SentenceTorchError } from '../errors.js'
import type { Tokenized } from './pack.js'

/** The fault of one of the texts. */
export class TextError extends SentenceTorchError {
  constructor(
    /** The index of the text. */
    readonly index: number,
    cause: unknown,
  ) {
    const code = cause instanceof SentenceTorchError ? cause.code : 'ERR_INVALID_DATA'
    super(code, cause instanceof Error ? cause.message : String(cause), { cause })
  }

  static at(index: number, cause: unknown): TextError {
    return cause instanceof TextError ? cause.moved(index) : new TextError(index, cause)
  }

  /** The same error with the index moved by `index`. */
  moved(index: number): TextError {
    return new TextError(this.index + index, this.cause)
  }

  /** The error for the user, under the user's name of the text. */
  naming(name: string, text: string): SentenceTorchError {
    const { code, message, cause } = this
    return new SentenceTorchError(code, `${name} (${describe(text)}) cannot be tokenised: ${message}`, { cause })
  }
}

export const nameOfText = (index: number) => `texts[${index}]`

/** @throws SentenceTorchError ERR_INVALID_ARGUMENT */
export function checkStrings(texts: readonly unknown[], nameOf: (index: number) => string): void {
  const wrong = texts.findIndex((text) => typeof text !== 'string')
  if (wrong !== -1) throw invalidArgument(nameOf(wrong), 'a string', texts[wrong])
}

/** Runs `work`. Its errors then name the text. */
export function withNames<T>(texts: readonly string[], nameOf: (index: number) => string, work: () => T): T {
  const named = (error: unknown) =>
    error instanceof TextError ? error.naming(nameOf(error.index), texts[error.index]!) : error
  try {
    const result = work()
    if (!(result instanceof Promise)) return result
    return result.catch((error) => {
      throw named(error)
    }) as T
  } catch (error) {
    throw named(error)
  }
}

/** @throws TextError for the first text without tokens */
export function checkNotEmpty({ offsets }: Tokenized): void {
  for (let i = 1; i < offsets.length; i++) {
    if (offsets[i] !== offsets[i - 1]) continue
    const message = 'it has no tokens: the tokenizer finds none in it and adds no special ones'
    throw new TextError(i - 1, new SentenceTorchError('ERR_INVALID_DATA', message))
  }
}
