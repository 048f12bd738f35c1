import type { Dataset } from '../data/dataset.js'
import { maskTokens } from '../data/masking.js'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import { CoSENTLoss } from '../losses/cosent.js'
import type { Loss } from '../losses/loss.js'
import { checkAlone } from '../losses/wrapped.js'
import type { LanguageModelWeights } from '../models/language-model.js'
import type { SentenceTransformer } from '../models/sentence-transformer.js'
import type { TrainingArguments } from './arguments/arguments.js'
import { promptOf } from './arguments/prompts.js'
import { BaseTrainer } from './base-trainer.js'
import { BatchMaker, type ColumnOptions, type MaskTokens } from './batches/batch-maker.js'
import { checkData } from './batches/check-data.js'
import { type ColumnRoute, checkTasks, columnRoutes } from './batches/column-routes.js'
import type { BatchMakerParts } from './batches/source.js'
import { TokenCaches } from './batches/token-caches.js'
import type { ModelFacts } from './health/facts.js'
import type { BaseTrainerOptions } from './trainer-options.js'

export interface SentenceTransformerTrainerOptions extends BaseTrainerOptions<SentenceTransformer, Loss> {}

/**
 * Fine-tunes a model in place. The same arguments, schedule, log names and order of events as sentence-transformers'
 * trainer; see docs/training.md for the arguments and docs/losses.md for the data that each loss takes. Default loss:
 * `new CoSENTLoss()`.
 *
 * @throws ERR_INVALID_DATA, naming the row, for data that the loss cannot take; ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 *   and ERR_NOT_IMPLEMENTED for options. All before training starts.
 */
export class SentenceTransformerTrainer extends BaseTrainer<SentenceTransformer, Loss> {
  constructor(options: SentenceTransformerTrainerOptions) {
    super(options, { trainerName: 'SentenceTransformerTrainer', readsColumnsByName: true })
  }

  protected override checkModel(model: unknown): void {
    if (typeof (model as SentenceTransformer | undefined)?.encode === 'function') return
    throw invalidArgument('model', 'a SentenceTransformer', model)
  }

  protected override checkArguments(datasets: readonly string[]): void {
    checkTasks(this.model, this.args, datasets)
  }

  protected override defaultLoss(): Loss {
    return new CoSENTLoss()
  }

  protected override checkLoss(loss: Loss): void {
    if ('pairing' in loss) throw invalidArgument('the loss of SentenceTransformerTrainer', 'one of `losses`', loss.type)
    checkAlone(loss)
  }

  protected override checkDataset(dataset: Dataset, loss: Loss, which: string): string | undefined {
    return checkData(dataset, loss, which)
  }

  protected override async openPretrained(
    nameOrPath: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<LanguageModelWeights> {
    const { LanguageModelWeights } = await import('../models/language-model.js')
    return LanguageModelWeights.open(this.model.source, nameOrPath, signal && { signal })
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
      promptLength: model.leavesPromptsOut ? promptLengths(routeOf) : undefined,
      mask: loss.requirements.targets === 'masked' ? masking(model, loss, args.seed) : undefined,
      ...(args.tokenCacheDir !== null && {
        tokenCaches: new TokenCaches(args.tokenCacheDir, (column) => routeOf(column).tokenizer.fingerprint()),
        maxSeqLength: (column: string) => routeOf(column).limit,
      }),
    })
  }

  protected override modelFacts(): ModelFacts {
    const { model, args } = this
    return {
      isNormalized: model.modules.at(-1)?.type === 'Normalize',
      async overlong(dataset, column, texts) {
        const { tokenizer, limit } = columnRoutes(model, args, dataset)(column)
        const { prompt, maxSeqLength: most = limit } = columnOptions(args, dataset)(column)
        // One token past the limit reveals truncation.
        const prompted = prompt === '' ? texts : texts.map((text) => prompt + text)
        const { offsets } = await tokenizer.encodeAll(prompted, most + 1, { allowEmpty: true })
        let count = 0
        for (let i = 0; i < texts.length; i++) if (offsets[i + 1]! - offsets[i]! > most) count++
        return { count, most }
      },
    }
  }
}

/** @throws ERR_INVALID_MODEL for a tokenizer without a mask token */
function masking({ tokenizer }: SentenceTransformer, loss: Loss, seed: number): MaskTokens {
  const { maskTokenId, vocabSize, specialTokenIds } = tokenizer
  if (maskTokenId === undefined) {
    throw new SentenceTorchError('ERR_INVALID_MODEL', `${loss.type} needs a mask token, and the tokenizer has none`)
  }
  const { mlmProbability = 0.15, wholeWordMask = false } = loss.requirements.masking ?? {}
  const continuesWord = wholeWordMask ? tokenizer.continuations() : undefined
  const options = { maskTokenId, vocabSize, specialTokenIds, mlmProbability, continuesWord }
  return (tokens, rows, epoch) => maskTokens(tokens, options, { seed, epoch, rows })
}

/** Prompt and length limit of the columns of a dataset. */
export function columnOptions(
  { prompts, maxSeqLength }: Readonly<TrainingArguments>,
  dataset: string,
): (name: string) => ColumnOptions {
  return (name) => ({
    prompt: promptOf(prompts, dataset, name),
    maxSeqLength: typeof maxSeqLength === 'object' ? maxSeqLength?.[name] : maxSeqLength,
  })
}

/** The number of leading tokens of a prompt that pooling leaves out. Each prompt is tokenised once for a column. */
function promptLengths(routeOf: (column: string) => ColumnRoute): (prompt: string, column: string) => number {
  const known = new Map<string, number>()
  return (prompt, column) => {
    const { tokenizer, leavesPromptsOut } = routeOf(column)
    const key = `${column} ${prompt}`
    const length = known.get(key) ?? (leavesPromptsOut ? tokenizer.promptLength(prompt) : 0)
    known.set(key, length)
    return length
  }
}
