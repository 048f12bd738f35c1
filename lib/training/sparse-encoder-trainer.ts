import type { Dataset } from '../data/dataset.js'
import { invalidArgument } from '../errors.js'
import type { Loss } from '../losses/loss.js'
import { SparseMultipleNegativesRankingLoss } from '../losses/sparse-multiple-negatives-ranking.js'
import { SpladeLoss } from '../losses/splade.js'
import { checkAlone } from '../losses/wrapped.js'
import { SparseEncoder } from '../models/sparse-encoder.js'
import type { TrainingArguments } from './arguments/arguments.js'
import { BaseTrainer } from './base-trainer.js'
import { BatchMaker } from './batches/batch-maker.js'
import { checkData } from './batches/check-data.js'
import { checkTasks, columnRoutes } from './batches/column-routes.js'
import { LossSet } from './batches/loss-set.js'
import type { BatchMakerParts } from './batches/source.js'
import { TokenCaches } from './batches/token-caches.js'
import { SpladeRegularizerWeightSchedulerCallback } from './callbacks/splade-weights.js'
import type { ModelFacts } from './health/facts.js'
import { columnOptions } from './sentence-transformer-trainer.js'
import type { BaseTrainerOptions } from './trainer-options.js'

export interface SparseEncoderTrainerOptions extends BaseTrainerOptions<SparseEncoder, Loss> {}

/** The arguments of {@link SparseEncoderTrainer}: those of all trainers. */
export type SparseEncoderTrainingArguments = TrainingArguments

/**
 * Fine-tunes a sparse encoder in place, as `SentenceTransformerTrainer` does models of dense embeddings. Each {@link SpladeLoss} gets a
 * `SpladeRegularizerWeightSchedulerCallback`, unless it has one. Default loss: `SpladeLoss` over `SparseMultipleNegativesRankingLoss` with
 * the weights 3e-5 (documents) and 5e-5 (queries), which are to be tuned.
 *
 * Source: sentence-transformers `SparseEncoderTrainer`.
 * @throws ERR_INVALID_DATA, naming the row, for data that the loss cannot take; ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 *   and ERR_NOT_IMPLEMENTED for options. All before training starts.
 */
export class SparseEncoderTrainer extends BaseTrainer<SparseEncoder, Loss> {
  constructor(options: SparseEncoderTrainerOptions) {
    super(withSchedules(options), { trainerName: 'SparseEncoderTrainer', readsColumnsByName: true })
    for (const { loss } of new LossSet(this.loss).all) {
      if (loss.similarityFnName) this.model.similarityFnName = loss.similarityFnName
    }
  }

  protected override checkModel(model: unknown): void {
    if (!(model instanceof SparseEncoder)) throw invalidArgument('model', 'a SparseEncoder', model)
  }

  protected override checkArguments(datasets: readonly string[]): void {
    checkTasks(this.model, this.args, datasets)
  }

  protected override defaultLoss(): Loss {
    return makeDefaultLoss()
  }

  protected override checkLoss(loss: Loss): void {
    if ('pairing' in loss) throw invalidArgument('the loss of SparseEncoderTrainer', 'one of `losses`', loss.type)
    checkAlone(loss)
  }

  protected override checkDataset(dataset: Dataset, loss: Loss, which: string): string | undefined {
    return checkData(dataset, loss, which)
  }

  protected override batchMaker({ loss, dataset, signal, timings }: BatchMakerParts<Loss>): BatchMaker {
    const { model, args } = this
    const routeOf = columnRoutes(model, args, dataset)
    return new BatchMaker({
      requirements: loss.requirements,
      tokenize: (texts, given, column = '') => {
        const { tokenizer, limit } = routeOf(column)
        const tokens = tokenizer.encodeAll(texts, given ?? limit, {
          ...(signal && { signal }),
          ...(args.dataloaderNumWorkers > 0 && { workers: args.dataloaderNumWorkers }),
          nameOf: () => 'A text of the training data',
        })
        return timings ? timings.tokenizing(tokens) : tokens
      },
      column: (name) => ({ ...columnOptions(args, dataset)(name), route: routeOf(name).number }),
      promptLength: undefined,
      mask: undefined,
      ...(args.tokenCacheDir !== null && {
        tokenCaches: new TokenCaches(args.tokenCacheDir, (column) => routeOf(column).tokenizer.fingerprint()),
        maxSeqLength: (column: string) => routeOf(column).limit,
      }),
    })
  }

  protected override modelFacts(): ModelFacts {
    const { model, args } = this
    return {
      isNormalized: false,
      async overlong(dataset, column, texts) {
        const { tokenizer, limit } = columnRoutes(model, args, dataset)(column)
        const { prompt, maxSeqLength: most = limit } = columnOptions(args, dataset)(column)
        const prompted = prompt === '' ? texts : texts.map((text) => prompt + text)
        // One token past the limit reveals truncation.
        const { offsets } = await tokenizer.encodeAll(prompted, most + 1, { allowEmpty: true })
        const lengths = texts.map((_, i) => offsets[i + 1]! - offsets[i]!)
        return { count: lengths.filter((length) => length > most).length, most }
      },
    }
  }
}

function makeDefaultLoss(): SpladeLoss {
  return new SpladeLoss({
    loss: new SparseMultipleNegativesRankingLoss(),
    documentRegularizerWeight: 3e-5,
    queryRegularizerWeight: 5e-5,
  })
}

/** The options with a schedule for each SpladeLoss, in front of other callbacks as in Python. */
function withSchedules(options: SparseEncoderTrainerOptions): SparseEncoderTrainerOptions {
  // Other values are refused by the base class.
  if (typeof options !== 'object' || options === null) return options
  const { callbacks = [] } = options
  const loss = options.loss ?? makeDefaultLoss()
  if (!Array.isArray(callbacks)) return options
  const losses = loss instanceof SpladeLoss ? [loss] : Object.values(loss)
  const isScheduled = (one: SpladeLoss) =>
    callbacks.some((callback) => callback instanceof SpladeRegularizerWeightSchedulerCallback && callback.loss === one)
  const missing = losses.filter((one): one is SpladeLoss => one instanceof SpladeLoss && !isScheduled(one))
  const schedules = missing.map((one) => new SpladeRegularizerWeightSchedulerCallback(one))
  return { ...options, loss, callbacks: [...schedules, ...callbacks] }
}
