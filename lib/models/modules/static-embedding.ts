import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { loadAddon } from '../../native/load.js'
import { checkInteger, checkOptions } from '../../options.js'
import type { TeacherParts } from '../distillation/distil.js'
import { DISTILLATION_OPTIONS, type DistillationOptions } from '../distillation/options.js'
import { type EmbeddingsLike, ownEmbeddings } from '../embeddings.js'
import { type FirstModule, readStaticEmbedding, staticModule } from '../first-module.js'
import { resolveModel } from '../hub.js'
import { checkSourceOptions } from '../load-options.js'
import { loadParts } from '../load-parts.js'
import { makeTokenizer } from '../start-engine.js'
import { readTokenizerFiles } from '../tokenizer-files.js'
import { SOURCE_OPTIONS, type SourceOptions } from '../types.js'
import { newTokenizerFolder, type Weights } from './first.js'

export interface NewStaticEmbeddingOptions extends SourceOptions {
  /** A folder or hub id with the tokenizer. */
  tokenizer: string
  /** Width of a new table, whose values are drawn from N(0, 1) as torch.nn.EmbeddingBag does. */
  embeddingDimension?: number
  /** Or the table itself: a row for each id of the tokenizer. */
  embeddingWeights?: EmbeddingsLike
  /** Of the values that are drawn. Default 0. */
  seed?: number
}

/** A model that can be distilled: a `SentenceTransformer` with a transformer. */
export interface DistilledModel {
  /** @internal */
  readonly teacher: TeacherParts
}

let create: (first: FirstModule, weights: Weights) => StaticEmbedding

/**
 * The first module of a model without a transformer: the embedding of a text is the mean of its tokens' rows in a table, without
 * special tokens and without a limit of length but the truncation in tokenizer.json, as in Python. A text without tokens has zeros.
 * Model2Vec's folders are read, too.
 *
 * ```ts
 * const table = await StaticEmbedding.create({ tokenizer: 'bert-base-uncased', embeddingDimension: 256 })
 * const model = await SentenceTransformer.fromModules([table])
 * ```
 * Source: sentence-transformers `StaticEmbedding`.
 */
export class StaticEmbedding {
  /** @internal */
  readonly first: FirstModule
  /** @internal */
  readonly weights: Weights

  static {
    create = (first, weights) => new StaticEmbedding(first, weights)
  }

  private constructor(first: FirstModule, weights: Weights) {
    if (first?.first !== 'StaticEmbedding') {
      const message = 'new StaticEmbedding(…) loads nothing: use await StaticEmbedding.load(…) or create(…)'
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
    this.first = first
    this.weights = weights
  }

  /** Reads a folder or hub id with tokenizer.json and a table. @throws SentenceTorchError as `SentenceTransformer.load` */
  static async load(idOrPath: string, options: SourceOptions = {}): Promise<StaticEmbedding> {
    checkOptions('StaticEmbedding.load', options, SOURCE_OPTIONS)
    checkSourceOptions(options)
    const { path, id } = await resolveModel(idOrPath, options)
    return create(await readStaticEmbedding(path, loadAddon), { kind: 'folder', path, id })
  }

  /**
   * A table distilled from a model with a transformer, and with its tokenizer: what it makes of each token alone, reduced by principal
   * component analysis and weighted by Zipf's law. It takes seconds, needs no data, and the result encodes hundreds of times
   * faster than the model. Training it afterwards makes it better (`MatryoshkaLoss` over `MultipleNegativesRankingLoss`).
   *
   * ```ts
   * const table = await StaticEmbedding.fromDistillation('sentence-transformers/all-MiniLM-L6-v2')
   * const model = await SentenceTransformer.fromModules([table, new Normalize()])
   * ```
   * Source: sentence-transformers `StaticEmbedding.from_distillation`; model2vec `distill`.
   * @param model a loaded model, a folder or a hub id
   * @throws SentenceTorchError ERR_NOT_IMPLEMENTED for a tokenizer that is no WordPiece; ERR_INVALID_ARGUMENT; as `load`
   */
  static async fromDistillation(
    model: string | DistilledModel,
    options: DistillationOptions = {},
  ): Promise<StaticEmbedding> {
    checkOptions('StaticEmbedding.fromDistillation', options, DISTILLATION_OPTIONS, {
      vocabulary: { harmless: [null] },
      vocabularyQuantization: { harmless: [null] },
      pooling: { harmless: ['mean'] },
      quantizeTo: { harmless: ['float32'] },
      device: { instead: 'load the model with a device' },
    })
    if (typeof model !== 'string' && model?.teacher === undefined) {
      throw invalidArgument('model', 'a SentenceTransformer, a folder or a hub id', model)
    }
    const { distil } = await import('../distillation/distil.js')
    const teacher = typeof model === 'string' ? await loadParts(loadAddon, model, {}) : model.teacher
    try {
      const { table, vocabulary } = await distil(teacher, options)
      const files = new Map([['tokenizer.json', vocabulary.tokenizer]])
      const first = staticModule(table.shape, files, 'the distilled model', loadAddon)
      return create({ ...first, transformerPath: undefined }, { kind: 'table', table })
    } finally {
      if (typeof model === 'string') await Promise.all([teacher.encoder.dispose(), teacher.tokenizer.dispose()])
    }
  }

  /**
   * Reads a model2vec folder: row t of the table is `embeddings[mapping[t]] · weights[t]`. The name that `load` has in
   * sentence-transformers for them. @throws as `load`
   */
  static fromModel2Vec(idOrPath: string, options: SourceOptions = {}): Promise<StaticEmbedding> {
    return StaticEmbedding.load(idOrPath, options)
  }

  /**
   * A new table, or one of the caller's.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT unless exactly one of `embeddingDimension` and `embeddingWeights` is given;
   * as `load` for the tokenizer
   */
  static async create(options: NewStaticEmbeddingOptions): Promise<StaticEmbedding> {
    const names = [...SOURCE_OPTIONS, 'tokenizer', 'embeddingDimension', 'embeddingWeights', 'seed']
    checkOptions('StaticEmbedding.create', options, names)
    checkInteger('embeddingDimension', options.embeddingDimension, 1)
    checkSourceOptions(options)
    checkInteger('seed', options.seed, 0)
    const { embeddingDimension, embeddingWeights } = options
    if ((embeddingDimension === undefined) === (embeddingWeights === undefined)) {
      const found = embeddingDimension === undefined ? 'neither' : 'both'
      const message = `Expected embeddingDimension or embeddingWeights for StaticEmbedding.create but received ${found}`
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
    const table = embeddingWeights && ownEmbeddings(embeddingWeights, 'embeddingWeights')
    const folder = await newTokenizerFolder(options.tokenizer, options)
    const tokenizerFiles = await readTokenizerFiles(folder, {})
    const shape = (rows: number, width: number) => staticModule([rows, width], tokenizerFiles, folder, loadAddon)
    const { vocabSize } = makeTokenizer(shape(1, 1))
    if (table && table.shape[0] < vocabSize) {
      const message = `Expected ${vocabSize} rows of embeddingWeights, one for each id of the tokenizer, but received ${table.shape[0]}`
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
    const first = table ? shape(...table.shape) : shape(vocabSize, embeddingDimension!)
    return create(
      { ...first, transformerPath: undefined },
      table ? { kind: 'table', table } : { kind: 'new', seed: options.seed ?? 0 },
    )
  }

  /** Width of an embedding. */
  get embeddingDimension(): number {
    return this.first.description.width
  }
}
