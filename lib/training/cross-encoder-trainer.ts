import { TokenCache } from '../data/pairs.js'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import { BinaryCrossEntropyLoss } from '../losses/cross-encoder/binary-cross-entropy.js'
import { CrossEntropyLoss } from '../losses/cross-encoder/cross-entropy.js'
import type { CrossEncoderLoss } from '../losses/cross-encoder/loss.js'
import type { CrossEncoder } from '../models/cross-encoder.js'
import type { TrainingPrompts } from './arguments/prompts.js'
import { BaseTrainer, type BaseTrainerOptions, type BatchMakerParts, type TrainerKind } from './base-trainer.js'
import { checkPairData } from './batches/check-pair-data.js'
import { CrossEncoderBatchMaker } from './batches/cross-encoder-batch-maker.js'

export interface CrossEncoderTrainerOptions extends BaseTrainerOptions<CrossEncoder, CrossEncoderLoss> {}

/**
 * Fine-tunes a cross-encoder in place. The same arguments, schedule, log names and order of events as sentence-transformers'
 * trainer; see docs/cross-encoder.md for the losses and what each wants of the data. Default loss:
 * `BinaryCrossEntropyLoss` for models with one label, else `CrossEntropyLoss`.
 *
 * @throws ERR_INVALID_DATA, naming the row, for data that the loss cannot take; ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 *   and ERR_NOT_IMPLEMENTED for options. All before training starts.
 */
export class CrossEncoderTrainer extends BaseTrainer<CrossEncoder, CrossEncoderLoss> {
  constructor(options: CrossEncoderTrainerOptions) {
    super(options, kindOf(options?.model))
    if (this.args.tokenCacheDir === null) return
    throw new SentenceTorchError(
      'ERR_NOT_IMPLEMENTED',
      'tokenCacheDir is not built yet for cross-encoders, whose texts are tokenised as pairs',
    )
  }
}

function kindOf(model: CrossEncoder | undefined): TrainerKind<CrossEncoder, CrossEncoderLoss> {
  return {
    name: 'CrossEncoderTrainer',
    isModel: (value) => typeof (value as CrossEncoder | undefined)?.predict === 'function',
    modelName: 'a CrossEncoder',
    isOwnLoss: (loss) => loss.pairing !== undefined,
    lossName: 'one of `crossEncoderLosses`',
    defaultLoss: ({ numLabels }) => (numLabels === 1 ? new BinaryCrossEntropyLoss() : new CrossEntropyLoss()),
    byColumn: false,
    checkArguments: ({ maxSeqLength, prompts }, datasets) => {
      lengthOf(maxSeqLength)
      for (const name of datasets) promptOf(prompts, name)
    },
    checkData: (dataset, loss, which) => checkPairData(dataset, loss, which, model!.numLabels),
    batchMaker,
    modelFacts: () => ({ isNormalized: false, isClassifier: true }),
  }
}

function batchMaker({ model, loss, dataset, args, signal, timings }: BatchMakerParts<CrossEncoder, CrossEncoderLoss>) {
  const cache = new TokenCache()
  // Once: whoever sets it while this trains means what comes later.
  const { maxLength } = model
  return new CrossEncoderBatchMaker({
    loss,
    tokenize: (first, second) => {
      const tokens = model.pairTokenizer.encode(first, second, lengthOf(args.maxSeqLength) ?? maxLength, {
        ...(signal && { signal }),
        ...(args.dataloaderNumWorkers > 0 && { workers: args.dataloaderNumWorkers }),
        cache,
      })
      return timings ? timings.tokenizing(tokens) : tokens
    },
    prompt: promptOf(args.prompts, dataset),
    seed: args.seed,
  })
}

/** @throws ERR_INVALID_ARGUMENT: columns become pairs here, so that none has a length of its own */
function lengthOf(length: number | Readonly<Record<string, number>> | null | undefined): number | undefined {
  if (length === null || length === undefined || typeof length === 'number') return length ?? undefined
  throw invalidArgument('maxSeqLength', 'a number, since columns become pairs,', length)
}

/** One prompt for all datasets, or one for each by name. @throws ERR_INVALID_ARGUMENT for prompts by column */
function promptOf(prompts: TrainingPrompts | null, dataset: string): string {
  if (prompts === null || typeof prompts === 'string') return prompts ?? ''
  const own = Object.hasOwn(prompts, dataset) ? prompts[dataset] : undefined
  if (dataset !== '' && (own === undefined || typeof own === 'string')) return own ?? ''
  throw invalidArgument('prompts', 'a text, or texts by dataset, since columns become pairs,', prompts)
}
