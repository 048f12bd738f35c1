/** Shared parts of losses that contain another loss. */
import { SentenceTorchError } from '../errors.js'
import { needed, nullable, option } from '../options/kinds.js'
import { hasMethod, modelWith } from './arguments.js'
import type { Loss } from './loss.js'

const isLoss = (value: unknown) => hasMethod(value, 'spec')
/** In Python the inner loss is the argument after the model. */
export const WRAPPING = modelWith('loss', isLoss)

const held = option<Loss, undefined>({ type: 'Loss', default: undefined, expected: 'a loss', fits: isLoss })
/** The option that holds the loss. */
export const innerLoss = needed(held)
/** The same where there is a usual one. */
export const optionalLoss = nullable(held)

/** What losses of sparse encoders are parts of. */
export const OF_SPARSE: readonly string[] = ['SpladeLoss', 'CSRLoss']

/**
 * @param name what `within` of a loss calls the holder
 * @throws ERR_INVALID_ARGUMENT for a loss that reads more than sentence embeddings, one of cross-encoders, and a part of another loss
 */
export function checkWrapped(where: string, loss: Loss, name = where): void {
  if (loss.within !== undefined && !loss.within.includes(name)) {
    const message = `${where} cannot hold ${loss.type}: use it within ${loss.within.join(' or ')}`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  if (OF_SPARSE.includes(name) && hasWeights(loss)) {
    const message = `${where} cannot hold ${loss.type}: it regularises embeddings itself, or needs no regulariser`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  const { requirements, type } = loss
  const readsMore = requirements.targets !== undefined || requirements.reconstruction === true
  if (readsMore || loss.computed !== undefined || 'pairing' in loss) {
    throw new SentenceTorchError(
      'ERR_INVALID_ARGUMENT',
      `${where} cannot hold ${type}: it holds losses over sentence embeddings that the engine computes`,
    )
  }
}

/** Whether it is a SpladeLoss, or holds one: of the weights that a schedule changes there is one set. */
function hasWeights(loss: Loss & { loss?: Loss }): boolean {
  return loss.weights !== undefined || (loss.loss !== undefined && hasWeights(loss.loss))
}

/** @throws SentenceTorchError ERR_INVALID_ARGUMENT for a loss that is only a part of others */
export function checkAlone(loss: Loss): void {
  if (loss.within === undefined) return
  const message = `${loss.type} is not for a trainer by itself: use it within ${loss.within.join(' or ')}`
  throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}
