import { join } from 'node:path'
import { SentenceTorchError } from '../../errors.js'
import { loadAddon } from '../../native/load.js'
import type { ConfigObject } from '../../native/types.js'
import { checkInteger, checkOneOf, checkOptions, checkType, isPlainObject } from '../../options.js'
import { type FirstModule, maxSeqLength, readTransformer } from '../first-module.js'
import { FEATURES, FILL_MASK, type Usage } from '../folder-config.js'
import { resolveModel } from '../hub.js'
import { checkSourceOptions } from '../load-options.js'
import { maskedModel } from '../masked-model.js'
import { readTokenizerFiles } from '../tokenizer-files.js'
import { describeConfig } from '../transformer-config.js'
import { SOURCE_OPTIONS, type SourceOptions } from '../types.js'
import { newTokenizerFolder, type Weights } from './first.js'

export interface TransformerOptions extends SourceOptions {
  /** Tokens to which texts are cut, special tokens included. Default: the folder's own. */
  maxSeqLength?: number
  /** Whether texts are lowercased before they are tokenised. Default: the folder's own, else false. */
  doLowerCase?: boolean
  /** What it gives: embeddings of its tokens, or, with the head of its masked language model, logits for `SpladePooling`. Default `feature-extraction`. */
  transformerTask?: TransformerTask
}

export type TransformerTask = 'feature-extraction' | 'fill-mask'

export interface NewTransformerOptions extends TransformerOptions {
  /** A folder or hub id with the tokenizer. */
  tokenizer: string
  /** Of the values that are drawn. Default 0. */
  seed?: number
}

let create: (first: FirstModule, weights: Weights) => Transformer

/**
 * The first module of a model: a transformer that turns a text into embeddings of its tokens, and its tokenizer. Its weights are
 * read when a model is made of it: `SentenceTransformer.fromModules`.
 *
 * ```ts
 * const transformer = await Transformer.load('bert-base-uncased', { maxSeqLength: 256 })
 * ```
 * Source: sentence-transformers `Transformer`.
 */
export class Transformer {
  /** @internal */
  readonly first: FirstModule
  /** @internal */
  readonly weights: Weights

  static {
    create = (first, weights) => new Transformer(first, weights)
  }

  private constructor(first: FirstModule, weights: Weights) {
    if (first?.first !== 'Transformer') {
      throw new SentenceTorchError(
        'ERR_INVALID_ARGUMENT',
        'new Transformer(…) loads nothing: use await Transformer.load(…)',
      )
    }
    this.first = first
    this.weights = weights
  }

  /**
   * Reads the settings of a folder of transformers or a hub id.
   * @throws SentenceTorchError as `SentenceTransformer.load`
   */
  static async load(idOrPath: string, options: TransformerOptions = {}): Promise<Transformer> {
    checkOptions('Transformer.load', options, [...SOURCE_OPTIONS, 'maxSeqLength', 'doLowerCase', 'transformerTask'])
    checkSourceOptions(options)
    const usage = usageOf(options)
    const { path, id } = await resolveModel(idOrPath, options)
    const first = await readTransformer(path, loadAddon, undefined, usage)
    return create(withOptions(first, options, join(path, 'config.json')), { kind: 'folder', path, id })
  }

  /**
   * A new transformer. Its values are drawn as transformers draws those of `AutoModel.from_config`: from the same distributions, not
   * the same numbers.
   * @param config as a config.json, with `model_type`
   * @throws SentenceTorchError ERR_INVALID_MODEL or ERR_NOT_IMPLEMENTED naming key and value; as `load` for the tokenizer
   */
  static async create(config: ConfigObject, options: NewTransformerOptions): Promise<Transformer> {
    const names = [...SOURCE_OPTIONS, 'maxSeqLength', 'doLowerCase', 'transformerTask', 'tokenizer', 'seed']
    checkOptions('Transformer.create', options, names)
    checkSourceOptions(options)
    checkInteger('seed', options.seed, 0)
    usageOf(options)
    if (!isPlainObject(config)) {
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', 'Expected a config with model_type for Transformer.create')
    }
    const own = structuredClone(config)
    const description = describeConfig(loadAddon, own, 'the config of Transformer.create')
    const folder = await newTokenizerFolder(options.tokenizer, options)
    const tokenizerFiles = await readTokenizerFiles(folder, own)
    const first: FirstModule = {
      first: 'Transformer',
      transformerPath: undefined,
      architecture: own.model_type as string,
      config: own,
      description,
      maxSeqLength: maxSeqLength(undefined, tokenizerFiles, description.positions, folder),
      doLowerCase: false,
      extraSentenceConfig: {},
      tokenizerFiles,
    }
    return create(withOptions(first, options, 'the config of Transformer.create'), {
      kind: 'new',
      seed: options.seed ?? 0,
    })
  }

  /** Tokens to which texts are cut, special tokens included. */
  get maxSeqLength(): number {
    return this.first.maxSeqLength
  }

  /** @internal Where the tokenizer would cut texts without settings of sentence-transformers. */
  get tokenizerLimit(): number {
    const { tokenizerFiles, description, transformerPath = '' } = this.first
    return maxSeqLength(undefined, tokenizerFiles, description.positions, transformerPath)
  }

  /** Width of a token embedding. */
  get embeddingDimension(): number {
    return this.first.description.width
  }

  /** Its config.json. Do not change it. */
  get config(): ConfigObject {
    return this.first.config
  }
}

const USAGES = { 'feature-extraction': FEATURES, 'fill-mask': FILL_MASK }

function usageOf({ transformerTask = 'feature-extraction' }: TransformerOptions): Usage {
  checkOneOf('transformerTask', transformerTask, Object.keys(USAGES))
  return USAGES[transformerTask]
}

/** @param file the config.json */
function withOptions(first: FirstModule, options: TransformerOptions, file: string): FirstModule {
  checkInteger('maxSeqLength', options.maxSeqLength, 1, first.description.positions ?? undefined)
  checkType('doLowerCase', options.doLowerCase, 'boolean')
  return {
    ...first,
    ...(options.transformerTask === 'fill-mask' && {
      description: maskedModel(first.description, first.config, file),
      readsLogits: true,
    }),
    maxSeqLength: options.maxSeqLength ?? first.maxSeqLength,
    doLowerCase: options.doLowerCase ?? first.doLowerCase,
  }
}
