import { access } from 'node:fs/promises'
import { join } from 'node:path'
import type { ChatFormat } from '../data/chat-pairs.js'
import { ChatTemplate } from '../data/chat-template.js'
import { describe, SentenceTorchError } from '../errors.js'
import { arrayOf, object, parseJson, text } from '../io/schema.js'
import type { ConfigObject } from '../native/types.js'
import type { SentenceConfig } from './folder-config.js'
import { isObject, isTrue } from './json.js'
import { CHAT_TEMPLATE_FILE } from './tokenizer-files.js'

/** How the pairs of a model become texts; what the template reads of the tokenizer is not among `values` yet. */
export interface FolderChat extends ChatFormat {
  /** `format` of modality_config. */
  format: 'structured' | 'flat'
}

/** A template as the folder has it. */
interface Found {
  source: string
  file: string
}

const templates = arrayOf(object({ name: text(1000), template: text() }), { max: 1000 })
const tokenizerConfig = object({})

/** The chat template of a folder's tokenizer; undefined where there is none. @throws SentenceTorchError naming the file */
export async function findTemplate(files: ReadonlyMap<string, Uint8Array>, folder: string): Promise<Found | undefined> {
  const more = join(folder, 'additional_chat_templates')
  const several = await access(more).then(
    () => true,
    () => false,
  )
  if (several) {
    const message = `${more} has further chat templates, which is not built yet: keep the one that pairs are to pass in ${CHAT_TEMPLATE_FILE}`
    throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
  }
  const own = files.get(CHAT_TEMPLATE_FILE)
  if (own) return { source: decoded(own, join(folder, CHAT_TEMPLATE_FILE)), file: join(folder, CHAT_TEMPLATE_FILE) }
  const bytes = files.get('tokenizer_config.json')
  if (bytes === undefined) return undefined
  const file = join(folder, 'tokenizer_config.json')
  const { chat_template: found } = parseJson(bytes, file, tokenizerConfig, 'ERR_INVALID_MODEL')
  const at = `${file} (chat_template)`
  if (found === undefined || found === null) return undefined
  if (typeof found === 'string') return { source: found, file: at }
  const list = templates(found, { file, key: 'chat_template', code: 'ERR_INVALID_MODEL' })
  const chosen = list.find(({ name }) => name === 'default')
  if (chosen) return { source: chosen.template, file: at }
  const message = `Expected a chat template named default in ${at}, found ${list.map(({ name }) => name).join(', ') || 'none'}`
  throw new SentenceTorchError('ERR_INVALID_MODEL', message)
}

/**
 * How the pairs of a folder pass its chat template.
 * @param found undefined: there is none
 * @param settings `chat_template` of processing_kwargs
 * @throws SentenceTorchError ERR_INVALID_MODEL naming file and key
 */
export async function readChatFormat(
  found: Found | undefined,
  { message, file }: SentenceConfig,
  settings: ConfigObject,
  folder: string,
): Promise<FolderChat> {
  if (found === undefined) {
    const where = file === undefined ? folder : `${file} has modality_config with message, so`
    const text = `${where} pairs pass the chat template, but ${join(folder, CHAT_TEMPLATE_FILE)} is not there, and tokenizer_config.json has no chat_template`
    throw new SentenceTorchError('ERR_INVALID_MODEL', text)
  }
  const format = formatOf(message, found.source, file)
  const { restore_suffix = true, ...values } = settings
  return {
    template: await ChatTemplate.compile(found.source, found.file),
    format,
    structured: format === 'structured',
    values,
    restoreSuffix: isTrue(restore_suffix),
  }
}

/** As in Python: what a template that takes parts of a message has in it. Source: `InputFormatter._infer_format`. */
const PARTS = ['content[0]', '.type', "'type'", '"type"', 'item.type', 'message.content[']

function formatOf(message: ConfigObject | undefined, source: string, file: string | undefined): 'structured' | 'flat' {
  const format = message?.format ?? 'auto'
  if (format === 'structured' || format === 'flat') return format
  if (format === 'auto') return PARTS.some((part) => source.includes(part)) ? 'structured' : 'flat'
  const text = `Expected structured, flat or auto as modality_config.message.format in ${file}, found ${describe(format)}`
  throw new SentenceTorchError('ERR_INVALID_MODEL', text)
}

/** What `apply_chat_template` takes for itself. */
const OWN_ARGUMENTS = [
  ...['chat_template', 'tools', 'documents', 'continue_final_message', 'sanitize_control_tokens', 'tokenize'],
  ...['padding', 'truncation', 'max_length', 'return_tensors', 'return_dict', 'tokenizer_kwargs'],
  'return_assistant_tokens_mask',
]
/** Settings of the tokenizer that are as here: rows are not padded, and cut to the model's length. */
const HARMLESS: Readonly<Record<string, readonly unknown[]>> = {
  padding: [true, 'longest'],
  truncation: [true, 'longest_first'],
  padding_side: ['left'],
  return_tensors: ['pt'],
}

/**
 * `chat_template` of processing_kwargs.
 * @throws SentenceTorchError ERR_INVALID_MODEL, ERR_NOT_IMPLEMENTED for what would give other ids, naming file and key
 */
export function templateArguments({ processing, file }: SentenceConfig): ConfigObject {
  if (processing === undefined || processing === null) return {}
  const refuse = (key: string, found: unknown) => {
    const message = `${file} has processing_kwargs.${key} ${describe(found)}: not built yet`
    return new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
  }
  if (!isObject(processing)) {
    const message = `Expected an object as processing_kwargs in ${file}, found ${describe(processing)}`
    throw new SentenceTorchError('ERR_INVALID_MODEL', message)
  }
  for (const part of ['text', 'common']) {
    for (const [key, value] of Object.entries(isObject(processing[part]) ? processing[part] : {})) {
      // Of the last token's logits alone a score is made, whatever else is computed.
      if (key === 'logits_to_keep' || HARMLESS[key]?.includes(value)) continue
      throw refuse(`${part}.${key}`, value)
    }
  }
  const given = isObject(processing.chat_template) ? processing.chat_template : {}
  const own = OWN_ARGUMENTS.find((key) => key in given)
  if (own !== undefined) throw refuse(`chat_template.${own}`, given[own])
  return given
}

function decoded(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new SentenceTorchError('ERR_INVALID_MODEL', `${file} is not UTF-8`, { cause })
  }
}
