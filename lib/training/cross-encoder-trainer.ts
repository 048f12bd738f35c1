import type { Dataset } from '../data/dataset.js'
import { TokenCache } from '../data/pairs.js'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import { BinaryCrossEntropyLoss } from '../losses/cross-encoder/binary-cross-entropy.js'
import { CrossEntropyLoss } from '../losses/cross-encoder/cross-entropy.js'
import type { CrossEncoderLoss } from '../losses/cross-encoder/loss.js'
import type { CrossEncoder } from '../models/cross-encoder.js'
import type { TrainingPrompts } from './arguments/prompts.js'
import { BaseTrainer } from './base-trainer.js'
import { checkPairData } from './batches/check-pair-data.js'
import { CrossEncoderBatchMaker } from './batches/cross-encoder-batch-maker.js'
import type { BatchMakerParts } from './batches/source.js'
import type { ModelFacts } from './health/facts.js'
import type { BaseTrainerOptions } from './trainer-options.js'

export interface CrossEncoderTrainerOptions extends BaseTrainerOptions<CrossEncoder, CrossEncoderLoss> {}

/**
 * Fine-tunes a cross-encoder in place. The same arguments, schedule, log names and order of events as sentence-transformers'
 * trainer; see docs/cross-encoder.md for the losses and the data that each takes. Default loss: `BinaryCrossEntropyLoss` for
 * models with one label, else `CrossEntropyLoss`.
 *
 * @throws ERR_INVALID_DATA, naming the row, for data that the loss cannot take; ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 *   and ERR_NOT_IMPLEMENTED for options. All before training starts.
 */
export class CrossEncoderTrainer extends BaseTrainer<CrossEncoder, CrossEncoderLoss> {
  constructor(options: CrossEncoderTrainerOptions) {
    super(options, { trainerName: 'CrossEncoderTrainer', readsColumnsByName: false })
  }

  protected override checkModel(model: unknown): void {
    if (typeof (model as CrossEncoder | undefined)?.predict === 'function') return
    throw invalidArgument('model', 'a CrossEncoder', model)
  }

  protected override defaultLoss(): CrossEncoderLoss {
    return this.model.numLabels === 1 ? new BinaryCrossEntropyLoss() : new CrossEntropyLoss()
  }

  protected override checkLoss(loss: CrossEncoderLoss): void {
    if (loss.pairing !== undefined) return
    throw invalidArgument('the loss of CrossEncoderTrainer', 'one of `crossEncoderLosses`', loss.type)
  }

  protected override checkArguments(datasets: readonly string[]): void {
    lengthOf(this.args.maxSeqLength)
    for (const name of datasets) promptOf(this.args.prompts, name)
    if (this.args.tokenCacheDir === null) return
    throw new SentenceTorchError(
      'ERR_NOT_IMPLEMENTED',
      'tokenCacheDir is not built yet for cross-encoders, whose texts are tokenised as pairs',
    )
  }

  protected override checkDataset(dataset: Dataset, loss: CrossEncoderLoss, which: string): string | undefined {
    return checkPairData(dataset, loss, which, this.model.numLabels)
  }

  protected override batchMaker(parts: BatchMakerParts<CrossEncoderLoss>): CrossEncoderBatchMaker {
    const { loss, dataset, signal, timings } = parts
    const { model, args } = this
    const cache = new TokenCache()
    // Read once: a limit that is set while this trains is meant for later.
    const { maxLength } = model
    const prompt = promptOf(args.prompts, dataset)
    return new CrossEncoderBatchMaker({
      loss,
      tokenize: (first, second) => {
        const tokens = model.pairTokenizer.encode(first, second, lengthOf(args.maxSeqLength) ?? maxLength, {
          ...(signal && { signal }),
          ...(args.dataloaderNumWorkers > 0 && { workers: args.dataloaderNumWorkers }),
          cache,
          prompt,
        })
        return timings ? timings.tokenizing(tokens) : tokens
      },
      seed: args.seed,
    })
  }

  protected override modelFacts(): ModelFacts {
    return { isNormalized: false, isClassifier: true }
  }
}

/** @throws ERR_INVALID_ARGUMENT for lengths by column, because columns become pairs here */
function lengthOf(length: number | Readonly<Record<string, number>> | null | undefined): number | undefined {
  if (length === null || length === undefined || typeof length === 'number') return length ?? undefined
  throw invalidArgument('maxSeqLength', 'a number, since columns become pairs,', length)
}

/** The prompt of a dataset: one for all datasets, or one per dataset. @throws ERR_INVALID_ARGUMENT for prompts by column */
function promptOf(prompts: TrainingPrompts | null, dataset: string): string {
  if (prompts === null || typeof prompts === 'string') return prompts ?? ''
  const own = Object.hasOwn(prompts, dataset) ? prompts[dataset] : undefined
  if (dataset !== '' && (own === undefined || typeof own === 'string')) return own ?? ''
  throw invalidArgument('prompts', 'a text, or texts by dataset, since columns become pairs,', prompts)
}
