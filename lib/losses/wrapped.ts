import { invalidArgument, SentenceTorchError } from '../errors.js'
import { hasMethod, modelWith } from './arguments.js'
import type { Loss } from './loss.js'

const isLoss = (value: unknown) => hasMethod(value, 'spec')
/** In Python the loss inside comes right behind the model. */
export const WRAPPING = modelWith('loss', isLoss)

/**
 * Checks the loss that another one holds.
 * @throws ERR_INVALID_ARGUMENT for what is no loss, one that reads more than sentence embeddings, or one of cross-encoders
 */
export function checkWrapped(where: string, loss: Loss): void {
  if (!isLoss(loss)) throw invalidArgument(`${where} loss`, 'a loss', loss)
  const { requirements, type } = loss
  if (requirements.targets !== undefined || loss.computed !== undefined || 'pairing' in loss) {
    throw new SentenceTorchError(
      'ERR_INVALID_ARGUMENT',
      `${where} cannot hold ${type}: it holds losses over sentence embeddings that the engine computes`,
    )
  }
}
