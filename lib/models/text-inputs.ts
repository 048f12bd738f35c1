/** What models that embed texts do with their arguments. */
import { invalidArgument } from '../errors.js'

/** Names of prompts of which the first one that a model has is used. */
const PROMPT_NAMES = { query: ['query'], document: ['document', 'passage', 'corpus'] }

/** A copy, so that what happens to the array later changes nothing. @throws ERR_INVALID_ARGUMENT, naming what is no string */
export function copyTexts(given: unknown): string[] {
  if (!Array.isArray(given)) throw invalidArgument('texts', 'a string or an array of strings', given)
  const texts = given.slice()
  const wrong = texts.findIndex((text) => typeof text !== 'string')
  if (wrong !== -1) throw invalidArgument(`texts[${wrong}]`, 'a string', texts[wrong])
  return texts
}

/** The options with the model's prompt for queries or documents, unless they name one. */
export function withPromptOf<Options extends { prompt?: string; promptName?: string }>(
  prompts: Readonly<Record<string, string>>,
  options: Options,
  side: 'query' | 'document',
): Options {
  if (options.prompt !== undefined || options.promptName !== undefined) return options
  const promptName = PROMPT_NAMES[side].find((name) => Object.hasOwn(prompts, name))
  return promptName === undefined ? options : { ...options, promptName }
}
