import { SentenceTorchError } from '../errors.js'

/** The error for a file with an impossible content. */
export function damaged(file: string, problem: string, cause?: unknown): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_FILE', `${file} is damaged: ${problem}`, { cause })
}
