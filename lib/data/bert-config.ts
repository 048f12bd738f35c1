import { type BertNormalizerConfig, bertNormalizer, lowerByCharacter } from './bert-text.js'

/** The tokenizer classes whose normaliser Python builds from tokenizer_config.json, whatever tokenizer.json says. */
export const bertClasses = /^(Bert|DistilBert|MPNet|Electra)Tokenizer(Fast)?$/

/**
 * The clean-up of texts where it is BERT's or none at all; undefined for every other kind.
 * @param block the `normalizer` of tokenizer.json
 * @param doLowerCase whether texts are lower-cased before, as Python does
 */
export function ownNormalizer(
  block: { type: string } | null,
  tokenizerConfig: object,
  doLowerCase: boolean,
): ((text: string) => string) | undefined {
  if (block === null) return doLowerCase ? lowerByCharacter : (text) => text
  if (block.type !== 'BertNormalizer') return undefined
  const config = bertConfig(block as Partial<BertNormalizerConfig>, tokenizerConfig as Record<string, unknown>)
  const clean = bertNormalizer(config)
  return doLowerCase && !config.lowercase ? (text) => clean(lowerByCharacter(text)) : clean
}

function bertConfig(own: Partial<BertNormalizerConfig>, config: Record<string, unknown>): BertNormalizerConfig {
  const name = config.tokenizer_class ?? 'BertTokenizer'
  const flag = (key: string) => (typeof config[key] === 'boolean' ? config[key] : undefined)
  if (typeof name === 'string' && bertClasses.test(name)) {
    return {
      clean_text: true,
      lowercase: flag('do_lower_case') ?? true,
      handle_chinese_chars: flag('tokenize_chinese_chars') ?? true,
      strip_accents: flag('strip_accents') ?? null,
    }
  }
  return { clean_text: true, lowercase: true, handle_chinese_chars: true, strip_accents: null, ...own }
}
