import { SentenceTorchError } from '../errors.js'

/** The error of a file that says what cannot be true. */
export function damaged(file: string, problem: string, cause?: unknown): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_FILE', `${file} is damaged: ${problem}`, { cause })
}
