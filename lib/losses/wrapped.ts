import { invalidArgument, SentenceTorchError } from '../errors.js'
import type { Loss } from './loss.js'

/**
 * Checks the loss that another one holds.
 * @throws ERR_INVALID_ARGUMENT for what is no loss, or one that reads more than sentence embeddings
 */
export function checkWrapped(where: string, loss: Loss): void {
  if (typeof loss?.spec !== 'function') throw invalidArgument(`${where} loss`, 'a loss', loss)
  const { requirements, type } = loss
  if (requirements.targets !== undefined || loss.computed !== undefined) {
    throw new SentenceTorchError(
      'ERR_INVALID_ARGUMENT',
      `${where} cannot hold ${type}: it holds losses over sentence embeddings that the engine computes`,
    )
  }
}
