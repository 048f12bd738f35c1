import { fromNative, SentenceTorchError } from '../errors.js'
import { anything, boolean, inside, number, object, optional, type Place, recordOf, text } from '../io/schema.js'
import type { ConfigObject, Description, NativeAddon } from '../native/types.js'

/** What of a config.json is read here: members that all architectures share. */
const shared = object({
  model_type: text(1000),
  tokenizer_class: optional(text(1000)),
  tie_word_embeddings: optional(boolean),
  id2label: optional(recordOf(anything, { max: 1_000_000 })),
})

/**
 * Checks a config.json, and asks the engine what model it is of.
 * @param getAddon brings the engine, once the file is known to be one
 * @throws SentenceTorchError ERR_INVALID_MODEL, ERR_NOT_IMPLEMENTED or ERR_UNSUPPORTED that names file and key
 */
export function describeConfig(getAddon: () => NativeAddon, config: ConfigObject, file: string): Description {
  const place: Place = { file, key: '', code: 'ERR_INVALID_MODEL' }
  const { model_type } = shared(config, place)
  checkFinite(config, place)
  const addon = getAddon()
  try {
    return addon.describe(model_type, config)
  } catch (error) {
    const joined = fromNative(error, 'describe')
    if (!(joined instanceof SentenceTorchError)) throw joined
    const message = joined.message.replace('config.json', () => file)
    throw new SentenceTorchError(joined.code, message, { cause: error })
  }
}

/** The config.json of the encoder with the sizes of a decoder: a loss makes the decoder's other parts itself. */
export function encoderConfig(config: ConfigObject): ConfigObject {
  return { ...config, is_decoder: false, add_cross_attention: false }
}

/** 1e400 is JSON, and no number that anything here takes. */
function checkFinite(value: unknown, place: Place): void {
  if (typeof value === 'number') number()(value, place)
  if (typeof value !== 'object' || value === null) return
  for (const [key, member] of Object.entries(value)) checkFinite(member, inside(place, key))
}
