import type { Dataset } from '../data/dataset.js'
import { invalidArgument } from '../errors.js'
import type { MultiVectorLoss } from '../losses/multi-vector/loss.js'
import { MultiVectorMultipleNegativesRankingLoss } from '../losses/multi-vector/multiple-negatives-ranking.js'
import type { MultiVectorEncoder } from '../models/multi-vector-encoder.js'
import type { TrainingArguments } from './arguments/arguments.js'
import { BaseTrainer } from './base-trainer.js'
import { BatchMaker, type ColumnOptions } from './batches/batch-maker.js'
import { checkData } from './batches/check-data.js'
import { packVectors } from './batches/multi-vector-batch.js'
import type { BatchMakerParts } from './batches/source.js'
import { TokenCaches } from './batches/token-caches.js'
import type { ModelFacts } from './health/facts.js'
import { columnOptions } from './sentence-transformer-trainer.js'
import type { BaseTrainerOptions } from './trainer-options.js'

export interface MultiVectorEncoderTrainerOptions extends BaseTrainerOptions<MultiVectorEncoder, MultiVectorLoss> {}

/**
 * Fine-tunes a multi-vector encoder in place. The same arguments, schedule, log names and order of events as
 * sentence-transformers' trainer. The first text column has queries, the others documents: each kind has the model's length, skip
 * list and expansion, unless `maxSeqLength` gives all texts, `query` and `document`, or a column by its name, another length; the model
 * keeps its own. A fixed expansion is the length of queries whatever is said. Default loss: `MultiVectorMultipleNegativesRankingLoss`.
 *
 * @throws ERR_INVALID_DATA, naming the row, for data that the loss cannot take; ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 *   and ERR_NOT_IMPLEMENTED for options. All before training starts.
 */
export class MultiVectorEncoderTrainer extends BaseTrainer<MultiVectorEncoder, MultiVectorLoss> {
  constructor(options: MultiVectorEncoderTrainerOptions) {
    super(options, { trainerName: 'MultiVectorEncoderTrainer', readsColumnsByName: true, tasks: TASKS })
  }

  protected override checkModel(model: unknown): void {
    const given = model as MultiVectorEncoder | undefined
    if (typeof given?.rank === 'function' && typeof given.encodeQuery === 'function') return
    throw invalidArgument('model', 'a MultiVectorEncoder', model)
  }

  protected override defaultLoss(): MultiVectorLoss {
    return new MultiVectorMultipleNegativesRankingLoss()
  }

  protected override checkLoss(loss: MultiVectorLoss): void {
    if (loss.readsVectors) return
    throw invalidArgument('the loss of MultiVectorEncoderTrainer', 'one of `multiVectorLosses`', loss.type)
  }

  protected override checkDataset(dataset: Dataset, loss: MultiVectorLoss, which: string): string | undefined {
    return checkData(dataset, loss, which)
  }

  protected override batchMaker({ loss, dataset, signal, timings }: BatchMakerParts<MultiVectorLoss>): BatchMaker {
    const { model, args } = this
    const column = columnsOf(model, args, dataset)
    return new BatchMaker({
      requirements: loss.requirements,
      tokenize: (texts, maxSeqLength) => {
        const tokens = model.tokenizer.encodeAll(texts, maxSeqLength, {
          ...(signal && { signal }),
          ...(args.dataloaderNumWorkers > 0 && { workers: args.dataloaderNumWorkers }),
          nameOf: () => 'A text of the training data',
        })
        return timings ? timings.tokenizing(tokens) : tokens
      },
      column: column.options,
      pack: (columns) => packVectors(columns, (queries) => column.plan.expand(queries)),
      // Queries are filled up behind the cache.
      ...(args.tokenCacheDir !== null && {
        tokenCaches: new TokenCaches(args.tokenCacheDir, () => model.tokenizer.fingerprint()),
      }),
    })
  }

  protected override modelFacts(): ModelFacts {
    return { isNormalized: this.model.modules.some(({ type }) => type === 'Normalize') }
  }
}

const TASKS = ['query', 'document'] as const

/** How the texts of columns are read. The model's settings are read once: one that is set while this trains is meant for later. */
function columnsOf(model: MultiVectorEncoder, args: Readonly<TrainingArguments>, dataset: string) {
  const plan = model.tokenPlan()
  const own = columnOptions(args, dataset)
  const options = (name: string, position: number): ColumnOptions => {
    const task = TASKS[Math.min(position, 1)]!
    const { prompt, maxSeqLength } = own(name)
    const ofTask = typeof args.maxSeqLength === 'object' ? args.maxSeqLength?.[task] : undefined
    return { prompt, maxSeqLength: plan.most(task, maxSeqLength ?? ofTask) }
  }
  return { plan, options }
}
