import type { Dataset } from '../data/dataset.js'
import { type DataSource, isDataStream, isDataset } from '../data/feed.js'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import type { LossRequirements } from '../losses/loss.js'
import type { Seq2SeqModel } from '../models/seq2seq-model.js'
import type { LossSpec } from '../native/types.js'
import { checkType } from '../options.js'
import type { TrainingArguments } from './arguments/arguments.js'
import { promptOf } from './arguments/prompts.js'
import { BaseTrainer } from './base-trainer.js'
import type { ColumnOptions } from './batches/batch-maker.js'
import { checkData } from './batches/check-data.js'
import { Seq2SeqBatchMaker } from './batches/seq2seq-batch-maker.js'
import type { BatchMakerParts } from './batches/source.js'
import type { LogRecord } from './callbacks/callbacks.js'
import type { ModelFacts } from './health/facts.js'
import type { BaseTrainerOptions, EvaluateOptions } from './trainer-options.js'

/** The loss of all models for text to text. */
class TokenCrossEntropy {
  readonly type = 'TokenCrossEntropy'
  readonly requirements: LossRequirements = { minColumns: 2, maxColumns: 2, labels: 'none' }

  spec(): LossSpec {
    return { type: this.type }
  }
}

export interface Seq2SeqTrainerOptions
  extends Omit<BaseTrainerOptions<Seq2SeqModel, TokenCrossEntropy>, 'loss' | 'lossTensors'> {
  /** The column of the texts that the model reads, and that of the texts that it is to write. Default: the first two. */
  sourceColumn?: string
  targetColumn?: string
}

/**
 * Fine-tunes a model for text to text in place: it learns to write the target text of each row. The arguments, callbacks,
 * checkpoints and log records are those of `SentenceTransformerTrainer`. The loss is the mean cross-entropy of the targets'
 * tokens. `prompts` as one text is put in front of the sources. `maxSeqLength` may have an entry for each column; what is cut of
 * target texts is counted in a warning at the end.
 *
 * @throws ERR_INVALID_DATA, naming the row, for data that cannot be taken; ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 *   and ERR_NOT_IMPLEMENTED for options. All before training starts.
 */
export class Seq2SeqTrainer extends BaseTrainer<Seq2SeqModel, TokenCrossEntropy> {
  readonly #columns: readonly [string, string] | undefined

  constructor(options: Seq2SeqTrainerOptions) {
    const { sourceColumn, targetColumn, ...rest } = Object(options) as Seq2SeqTrainerOptions
    for (const name of ['loss', 'lossTensors'] as const) {
      const given = (options as { loss?: unknown; lossTensors?: unknown } | undefined)?.[name]
      if (given !== undefined) throw invalidArgument(name, 'none, since Seq2SeqTrainer has its own,', given)
    }
    const columns = columnsOf(sourceColumn, targetColumn)
    const { trainDataset, evalDataset } = rest
    super(
      {
        ...rest,
        trainDataset: chosen(trainDataset, columns),
        ...(evalDataset !== undefined && { evalDataset: chosen(evalDataset, columns) }),
      },
      { trainerName: 'Seq2SeqTrainer', readsColumnsByName: true },
    )
    this.#columns = columns
  }

  override async evaluate(dataset?: DataSource, options: EvaluateOptions = {}): Promise<LogRecord> {
    return super.evaluate(dataset && chosen(dataset, this.#columns), options)
  }

  protected override checkModel(model: unknown): void {
    if (typeof (model as Seq2SeqModel | undefined)?.generateStream === 'function') return
    throw invalidArgument('model', 'a Seq2SeqModel', model)
  }

  protected override defaultLoss(): TokenCrossEntropy {
    return new TokenCrossEntropy()
  }

  protected override checkLoss(): void {}

  protected override checkArguments(): void {
    if (this.args.tokenCacheDir === null) return
    const message = 'tokenCacheDir is not built yet for Seq2SeqTrainer'
    throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
  }

  protected override checkDataset(dataset: Dataset, loss: TokenCrossEntropy, which: string): string | undefined {
    const warning = checkData(dataset, loss, which)
    const [source] = dataset.textColumns as [string]
    const row = dataset.texts(source).findIndex((text) => text.trim() === '')
    if (row === -1) return warning
    const message = `Expected a text in column "${source}" of ${which}, row ${row}, found an empty one: filter() leaves such rows out`
    throw new SentenceTorchError('ERR_INVALID_DATA', message)
  }

  protected override batchMaker({ dataset, signal, timings }: BatchMakerParts<TokenCrossEntropy>): Seq2SeqBatchMaker {
    const { model, args } = this
    const { tokenizer, maxSeqLength } = model
    return new Seq2SeqBatchMaker({
      tokenize: (texts, limit = maxSeqLength) => {
        const tokens = tokenizer.encodeAll(texts, limit, {
          ...(signal && { signal }),
          ...(args.dataloaderNumWorkers > 0 && { workers: args.dataloaderNumWorkers }),
          nameOf: () => 'A text of the training data',
        })
        return timings ? timings.tokenizing(tokens) : tokens
      },
      // Read once: a limit that is set while this trains is meant for later.
      maxSeqLength,
      column: columnOptions(args, dataset),
      onCut: warnOfCut,
    })
  }

  protected override modelFacts(): ModelFacts {
    return { isNormalized: false, isClassifier: true, hasOtherColumns: true }
  }
}

/** @throws ERR_INVALID_ARGUMENT for one column without the other */
function columnsOf(source: unknown, target: unknown): readonly [string, string] | undefined {
  checkType('sourceColumn', source, 'string')
  checkType('targetColumn', target, 'string')
  if (source === undefined && target === undefined) return undefined
  if (source === undefined) throw invalidArgument('sourceColumn', 'the name of a column beside targetColumn', source)
  if (target === undefined) throw invalidArgument('targetColumn', 'the name of a column beside sourceColumn', target)
  return [source as string, target as string]
}

/** The data with the two columns alone. */
function chosen(source: DataSource, columns: readonly [string, string] | undefined): DataSource {
  if (columns === undefined) return source
  if (isDataset(source)) return source.selectColumns(columns)
  if (isDataStream(source)) return source.map((row) => row, { columns })
  // What is no data at all is refused by the trainer.
  if (typeof source !== 'object' || source === null) return source
  const entries = Object.entries(source).map(([name, one]) => [name, chosen(one as DataSource, columns)])
  return Object.fromEntries(entries) as DataSource
}

/** Prompt and length limit of the columns of a dataset. One prompt for all is for the sources. */
function columnOptions(
  { prompts, maxSeqLength }: Readonly<TrainingArguments>,
  dataset: string,
): (name: string, isTarget: boolean) => ColumnOptions {
  return (name, isTarget) => ({
    prompt: typeof prompts === 'string' && isTarget ? '' : promptOf(prompts, dataset, name),
    maxSeqLength: (typeof maxSeqLength === 'object' ? maxSeqLength?.[name] : maxSeqLength) ?? undefined,
  })
}

function warnOfCut(cut: number, all: number, most: number): void {
  process.emitWarning(
    `${cut} of ${all} target texts were longer than ${most} tokens; the model learned to end them there`,
    {
      type: 'SentenceTorchWarning',
      code: 'WARN_TRUNCATION',
      detail: 'Raise maxSeqLength of the target column, or leave such rows out.',
    },
  )
}
