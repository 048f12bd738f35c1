import { SentenceTorchError } from '../errors.js'

export interface SpecialTokens {
  /** Ids in front of a single text. */
  prefix: number[]
  /** Ids after it. */
  suffix: number[]
}

interface PostProcessor {
  type: string
  single?: ({ SpecialToken: { id: string } } | { Sequence: { id: string } })[]
  special_tokens?: Record<string, { ids: number[] }>
  cls?: [string, number]
  sep?: [string, number]
  processors?: unknown[]
}

/** What the `post_processor` block of tokenizer.json puts around a single text. */
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
      throw new SentenceTorchError('ERR_INVALID_MODEL', `Unknown post_processor "${processor.type}" in tokenizer.json`)
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
    const token = processor.special_tokens?.[piece.SpecialToken.id]
    if (!token) {
      const message = `The post_processor of tokenizer.json names "${piece.SpecialToken.id}", which is not among its special tokens`
      throw new SentenceTorchError('ERR_INVALID_MODEL', message)
    }
    side.push(...token.ids)
  }
  return result
}
