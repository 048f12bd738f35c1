import { anything, arrayOf, inside, integer, object, oneOf, optional, recordOf, type Schema } from '../io/schema.js'
import { checkBlocks, notUnderstood } from './tokenizer/blocks.js'
import { tokenId, tokenText } from './tokenizer/files.js'

export interface SpecialTokens {
  /** Ids before a single text. */
  prefix: number[]
  /** Ids after it. */
  suffix: number[]
}

interface PostProcessor {
  type: string
  single?: ({ SpecialToken: { id: string } } | { Sequence: { id: string } })[]
  special_tokens?: Record<string, { ids: number[] }> | null
  cls?: [string, number]
  sep?: [string, number]
  processors?: unknown[]
}

const named: Schema<unknown> = (value, place) => {
  const [token, id] = arrayOf(anything, { min: 2, max: 2 })(value, place)
  tokenText(token, inside(place, 0))
  tokenId(id, inside(place, 1))
}
const classic = object({ cls: named, sep: named })
const type_id = optional(integer(0, 255))
const special = object({ SpecialToken: object({ id: tokenText, type_id }) })
const sequence = object({ Sequence: object({ id: oneOf('A', 'B'), type_id }) })
const piece: Schema<unknown> = (value, place) =>
  (typeof value === 'object' && value !== null && 'Sequence' in value ? sequence : special)(value, place)
const pieces = optional(arrayOf(piece, { max: 100 }))
const schemas = {
  BertProcessing: classic,
  RobertaProcessing: classic,
  TemplateProcessing: object({
    single: pieces,
    pair: pieces,
    special_tokens: optional(recordOf(object({ ids: arrayOf(tokenId, { max: 1000 }) }))),
  }),
}

/** Checks the `post_processor` block of tokenizer.json. @throws SentenceTorchError ERR_INVALID_MODEL that names the key */
export function checkPostProcessor(block: unknown): void {
  checkBlocks(block, 'post_processor', 'processors', schemas)
}

/** Special tokens around a single text, from the `post_processor` block of tokenizer.json. */
export function specialTokens(block: unknown): SpecialTokens {
  if (block === null || block === undefined) return { prefix: [], suffix: [] }
  const processor = block as PostProcessor
  switch (processor.type) {
    case 'ByteLevel':
      return { prefix: [], suffix: [] }
    case 'BertProcessing':
    case 'RobertaProcessing':
      return { prefix: [processor.cls![1]], suffix: [processor.sep![1]] }
    case 'TemplateProcessing':
      return fromTemplate(processor)
    case 'Sequence': {
      const parts = (processor.processors ?? []).map(specialTokens)
      return {
        prefix: parts.flatMap((_, i) => parts[parts.length - 1 - i]!.prefix),
        suffix: parts.flatMap((part) => part.suffix),
      }
    }
    default:
      throw notUnderstood(`its post_processor is of the type ${JSON.stringify(processor.type)}`)
  }
}

function fromTemplate(processor: PostProcessor): SpecialTokens {
  const result: SpecialTokens = { prefix: [], suffix: [] }
  let side = result.prefix
  for (const piece of processor.single ?? []) {
    if ('Sequence' in piece) {
      side = result.suffix
      continue
    }
    side.push(...idsOf(piece.SpecialToken.id, processor.special_tokens))
  }
  return result
}

/** Ids of a special token of a template. @throws SentenceTorchError ERR_INVALID_MODEL */
export function idsOf(name: string, tokens?: Readonly<Record<string, { ids: number[] }>> | null): number[] {
  if (tokens && Object.hasOwn(tokens, name)) return tokens[name]!.ids
  throw notUnderstood(`its post_processor names "${name}", which is not among its special tokens`)
}
