import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { loadAddon } from '../../native/load.js'
import { checkOptions, checkType } from '../../options.js'
import { embeddings } from '../embeddings.js'
import type { FirstModule } from '../first-module.js'
import { resolveModel } from '../hub.js'
import { jsonObject, readJson } from '../json.js'
import { checkSourceOptions } from '../load-options.js'
import { readTokenizerFiles } from '../tokenizer-files.js'
import { SOURCE_OPTIONS, type SourceOptions } from '../types.js'
import { readWordWeights, weightsOf, wordTokenizer, wordWeightsModule } from '../word-weights.js'
import { newTokenizerFolder, type Weights } from './first.js'

export interface FromJsonOptions extends SourceOptions {
  /** A folder or hub id with the tokenizer. */
  tokenizer: string
  /** Whether the weights stay as they are in training. Default false. */
  frozen?: boolean
}

export interface NewSparseStaticEmbeddingOptions extends FromJsonOptions {
  /** A weight for each id of the tokenizer. Default: 1 for all. */
  weight?: Float32Array | readonly number[]
}

let create: (first: FirstModule, weights: Weights) => SparseStaticEmbedding

/**
 * The first module of a sparse encoder without a transformer: a text has the weight of each of its tokens, such as an inverse document
 * frequency. In a `Router` it encodes queries in no time, while SPLADE encodes documents.
 *
 * ```ts
 * const query = await SparseStaticEmbedding.fromJson('idf.json', { tokenizer: 'bert-base-uncased', frozen: true })
 * const document = [await Transformer.load('bert-base-uncased', { transformerTask: 'fill-mask' }), new SpladePooling()]
 * const model = await SparseEncoder.fromModules([Router.forQueryDocument([query], document)])
 * ```
 * Source: sentence-transformers `SparseStaticEmbedding`.
 */
export class SparseStaticEmbedding {
  /** @internal */
  readonly first: FirstModule
  /** @internal */
  readonly weights: Weights

  static {
    create = (first, weights) => new SparseStaticEmbedding(first, weights)
  }

  private constructor(first: FirstModule, weights: Weights) {
    if (first?.first !== 'SparseStaticEmbedding') {
      const message =
        'new SparseStaticEmbedding(…) loads nothing: use await SparseStaticEmbedding.load(…), fromJson(…) or create(…)'
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
    this.first = first
    this.weights = weights
  }

  /** Reads a folder or hub id with weights and a tokenizer. @throws SentenceTorchError as `SparseEncoder.load` */
  static async load(idOrPath: string, options: SourceOptions = {}): Promise<SparseStaticEmbedding> {
    checkOptions('SparseStaticEmbedding.load', options, SOURCE_OPTIONS)
    checkSourceOptions(options)
    const { path, id } = await resolveModel(idOrPath, options)
    return create(await readWordWeights(path, loadAddon), { kind: 'folder', path, id })
  }

  /**
   * Reads a JSON file of weights by token: `{ "cat": 5.1, "##s": 2.3 }`. Tokens that it does not have weigh 0.
   * Source: sentence-transformers `SparseStaticEmbedding.from_json`.
   * @param path the file
   * @throws SentenceTorchError ERR_NOT_FOUND; ERR_INVALID_MODEL for a token that the tokenizer does not have
   */
  static async fromJson(path: string, options: FromJsonOptions): Promise<SparseStaticEmbedding> {
    checkOptions('SparseStaticEmbedding.fromJson', options, [...SOURCE_OPTIONS, 'tokenizer', 'frozen'])
    const { folder, files } = await tokenizerOf(options)
    checkType('path', path ?? null, 'string')
    const idf = await readJson(path, jsonObject)
    if (!idf) throw new SentenceTorchError('ERR_NOT_FOUND', `There is no file ${path} of weights by token`)
    return made(weightsOf(idf, path, files, folder), folder, files, options.frozen ?? false)
  }

  /** New weights: 1 for all tokens, or those of the caller. @throws SentenceTorchError ERR_INVALID_ARGUMENT; as `load` for the tokenizer */
  static async create(options: NewSparseStaticEmbeddingOptions): Promise<SparseStaticEmbedding> {
    checkOptions('SparseStaticEmbedding.create', options, [...SOURCE_OPTIONS, 'tokenizer', 'weight', 'frozen'])
    const { weight, frozen = false } = options
    const { folder, files } = await tokenizerOf(options)
    const { vocabSize } = wordTokenizer(files, folder)
    if (weight === undefined) return made(new Float32Array(vocabSize).fill(1), folder, files, frozen)
    if (!(weight instanceof Float32Array || Array.isArray(weight)) || weight.length !== vocabSize) {
      const found = (weight as ArrayLike<number> | undefined)?.length
      throw invalidArgument('weight', `${vocabSize} numbers, one for each id of the tokenizer,`, found)
    }
    return made(Float32Array.from(weight as ArrayLike<number>), folder, files, frozen)
  }

  /** Width of an embedding: the tokens. */
  get embeddingDimension(): number {
    return this.first.description.vocabulary
  }
}

async function tokenizerOf(options: FromJsonOptions): Promise<{ folder: string; files: Map<string, Uint8Array> }> {
  checkSourceOptions(options)
  checkType('frozen', options.frozen, 'boolean')
  const folder = await newTokenizerFolder(options.tokenizer, options)
  return { folder, files: await readTokenizerFiles(folder, {}) }
}

function made(
  data: Float32Array,
  folder: string,
  files: Map<string, Uint8Array>,
  frozen: boolean,
): SparseStaticEmbedding {
  const first = wordWeightsModule(data.length, frozen, files, folder, loadAddon)
  const table = embeddings(data, data.length, 1)
  return create({ ...first, transformerPath: undefined }, { kind: 'table', table })
}
