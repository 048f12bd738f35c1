/** The model of a command that embeds texts, of the class that its folder names. */
import { type AnyEncoder, classOf, type TextEncoder } from '../corpus/model.js'
import { resolveModel } from '../models/hub.js'
import { type TextClass, textClassOf } from '../models/model-type.js'
import { MultiVectorEncoder } from '../models/multi-vector-encoder.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import { SparseEncoder } from '../models/sparse-encoder.js'
import type { LoadOptions } from '../models/types.js'

/** What commands use of a model of any class. The options are those of its `encode`. */
export interface TextModel extends AnyEncoder {
  dispose(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** @throws SentenceTorchError as `load` of the class */
export async function loadTextModel(name: string, options: LoadOptions): Promise<TextModel> {
  // Their overloads for one text are no functions of this type.
  return (await load(name, options)) as unknown as TextModel
}

async function load(name: string, options: LoadOptions) {
  const { similarityFnName: _, ...rest } = options
  const { device: __, dtype: ___, maxSeqLength: ____, ...source } = rest
  const { path } = await resolveModel(name, source)
  switch (await textClassOf(path)) {
    case 'SparseEncoder':
      return SparseEncoder.load(name, rest)
    case 'MultiVectorEncoder':
      return MultiVectorEncoder.load(name, rest)
    default:
      return SentenceTransformer.load(name, options)
  }
}

/** How a command says of which class a model is. */
export function textModelClass(model: TextModel): TextClass {
  return classOf(model as unknown as TextEncoder)
}
