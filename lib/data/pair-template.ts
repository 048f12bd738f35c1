import { idsOf } from './special-tokens.js'
import { notUnderstood } from './tokenizer/blocks.js'

/** One part of a model's input for a pair: special tokens, or the first (0) or second (1) text. */
export type PairPiece = { ids: number[]; type: number } | { text: 0 | 1; type: number }

type TemplatePiece =
  | { SpecialToken: { id: string; type_id: number } }
  | { Sequence: { id: 'A' | 'B'; type_id: number } }

interface PostProcessor {
  type: string
  pair?: TemplatePiece[]
  special_tokens?: Record<string, { ids: number[] }> | null
  cls?: [string, number]
  sep?: [string, number]
  processors?: unknown[]
}

/**
 * The form that the `post_processor` block of tokenizer.json gives a pair: `[CLS] a [SEP] b [SEP]`, types 0 and 1, for
 * BERT.
 */
export function pairTemplate(block: unknown): PairPiece[] {
  return (
    found(block) ?? [
      { text: 0, type: 0 },
      { text: 1, type: 1 },
    ]
  )
}

function found(block: unknown): PairPiece[] | undefined {
  if (block === null || block === undefined) return undefined
  const processor = block as PostProcessor
  const cls = [processor.cls?.[1] ?? 0]
  const sep = [processor.sep?.[1] ?? 0]
  switch (processor.type) {
    case 'ByteLevel':
      return undefined
    case 'BertProcessing':
      return [
        { ids: cls, type: 0 },
        { text: 0, type: 0 },
        { ids: sep, type: 0 },
        { text: 1, type: 1 },
        { ids: sep, type: 1 },
      ]
    case 'RobertaProcessing':
      return [
        { ids: cls, type: 0 },
        { text: 0, type: 0 },
        { ids: [...sep, ...sep], type: 0 },
        { text: 1, type: 0 },
        { ids: sep, type: 0 },
      ]
    case 'TemplateProcessing':
      return processor.pair?.map((piece) => fromTemplate(piece, processor))
    case 'Sequence':
      // Other parts of a sequence only change offsets.
      return (processor.processors ?? []).map(found).find((pieces) => pieces !== undefined)
    default:
      throw notUnderstood(`its post_processor is of the type ${JSON.stringify(processor.type)}`)
  }
}

function fromTemplate(piece: TemplatePiece, processor: PostProcessor): PairPiece {
  if ('Sequence' in piece) return { text: piece.Sequence.id === 'A' ? 0 : 1, type: piece.Sequence.type_id }
  const { id, type_id } = piece.SpecialToken
  return { ids: idsOf(id, processor.special_tokens), type: type_id }
}
