import { invalidArgument } from '../errors.js'
import { checkInteger, checkOneOf, checkOptions, checkSignal, checkType } from '../options.js'
import { ACTIVATION_NAMES, type ActivationName } from './activations.js'
import type { Priority } from './batcher.js'
import { checkPatterns, checkPriority, checkRunOptions, checkSourceOptions } from './load-options.js'
import { LOAD_NOT_BUILT, type LoadOptions, SOURCE_OPTIONS } from './types.js'

export interface CrossEncoderLoadOptions
  extends Omit<LoadOptions, 'truncateDim' | 'similarityFnName' | 'maxSeqLength' | 'pooling'> {
  /** Number of scores per pair. Default: the model's; 1 for a transformer without classifier. */
  numLabels?: number
  /** Tokens to which pairs are cut, special tokens included. Default: the model's. */
  maxLength?: number
  /** What `predict` applies to the logits. Default: the model's, else `sigmoid` for one label and `identity` for more. */
  activationFn?: ActivationName
  /** Of the weights that a model without classifier gets. Default 0. */
  seed?: number
  /**
   * A Jinja template that makes the text of a pair, in place of the model's chat template: `messages` has one of the role `query`
   * and one of the role `document`, behind a prompt of the role `system`. Saved with the model.
   */
  chatTemplate?: string
}

export interface PredictOptions {
  /** Pairs that the engine computes together, where they are not so short that more fit into 2,048
   * tokens; changes speed and memory, not the result. Default 32. */
  batchSize?: number
  /** Applied to the logits. Default: the model's. */
  activationFn?: ActivationName
  /** A shorter name of `activationFn`; at most one of the two. */
  activation?: ActivationName
  /** Softmax over the labels of each pair, after the activation; without effect on models with one label. Default false. */
  applySoftmax?: boolean
  /** Put in front of the first text of every pair; where pairs pass a chat template, its message of the role `system`. */
  prompt?: string
  /** Name of one of the model's prompts. Default: the model's `defaultPromptName`. */
  promptName?: string
  /** Show progress on stderr. Default false. */
  showProgressBar?: boolean
  /** Stops between two jobs of the engine, and drops those that have not begun; the promise rejects with ERR_ABORTED. */
  signal?: AbortSignal
  /** As of `SentenceTransformer.encode`, with pairs as texts. */
  priority?: Priority
  /** As of `SentenceTransformer.encode`, with pairs as texts. */
  maxBatchTokens?: number
}

export interface RankOptions extends PredictOptions {
  /** How many of the best documents to give. Default: all. */
  topK?: number
  /** Give the documents' texts too. Default false. */
  returnDocuments?: boolean
}

const PREDICT = [
  ...['batchSize', 'activationFn', 'activation', 'applySoftmax', 'prompt', 'promptName', 'showProgressBar', 'signal'],
  ...['priority', 'maxBatchTokens'],
]
const PREDICT_NOT_BUILT = {
  convertToNumpy: { harmless: [true], instead: 'the result is always a Float32Array' },
  convertToTensor: { harmless: [false], instead: 'the result is always a Float32Array' },
  device: { instead: 'choose it in CrossEncoder.load' },
  pool: { instead: 'one engine uses all cores' },
  chunkSize: { instead: 'one engine uses all cores' },
}

/** Checks types and ranges of everything that does not depend on the model. */
export function checkCrossEncoderLoadOptions(options: CrossEncoderLoadOptions): void {
  const own = ['numLabels', 'maxLength', 'activationFn', 'seed', 'chatTemplate', 'prompts', 'defaultPromptName']
  const shared = ['device', 'dtype', 'threads', 'ignoreTensors', ...SOURCE_OPTIONS]
  checkOptions('CrossEncoder.load', options, [...own, ...shared], LOAD_NOT_BUILT)
  checkInteger('numLabels', options.numLabels, 1)
  checkInteger('maxLength', options.maxLength, 1)
  checkType('chatTemplate', options.chatTemplate, 'string')
  checkOneOf('activationFn', options.activationFn, ACTIVATION_NAMES)
  checkInteger('seed', options.seed, 0)
  checkSourceOptions(options)
  checkRunOptions(options)
  checkPatterns('ignoreTensors', options.ignoreTensors)
}

export function checkPredictOptions(where: string, options: PredictOptions, more: readonly string[] = []): void {
  checkOptions(where, options, [...PREDICT, ...more], PREDICT_NOT_BUILT)
  checkInteger('batchSize', options.batchSize, 1)
  checkOneOf('activationFn', options.activationFn, ACTIVATION_NAMES)
  checkOneOf('activation', options.activation, ACTIVATION_NAMES)
  if (options.activation !== undefined && options.activationFn !== undefined) {
    throw invalidArgument('activation', 'nothing beside activationFn', options.activation)
  }
  checkType('applySoftmax', options.applySoftmax, 'boolean')
  checkType('prompt', options.prompt, 'string')
  checkType('promptName', options.promptName, 'string')
  checkType('showProgressBar', options.showProgressBar, 'boolean')
  checkSignal(options.signal)
  checkPriority(options)
}

export function checkRankOptions(options: RankOptions): void {
  checkPredictOptions('rank', options, ['topK', 'returnDocuments'])
  checkInteger('topK', options.topK, 1)
  checkType('returnDocuments', options.returnDocuments, 'boolean')
}
