import { maskTokens } from '../data/masking.js'
import type { Tokenizer } from '../data/tokenizer.js'
import { SentenceTorchError } from '../errors.js'
import { CoSENTLoss } from '../losses/cosent.js'
import type { Loss } from '../losses/loss.js'
import type { SentenceTransformer } from '../models/sentence-transformer.js'
import type { TrainingArguments } from './arguments/arguments.js'
import { promptOf } from './arguments/prompts.js'
import { BaseTrainer, type BaseTrainerOptions, type BatchMakerParts, type TrainerKind } from './base-trainer.js'
import { BatchMaker, type ColumnOptions, type MaskTokens } from './batches/batch-maker.js'
import { checkData } from './batches/check-data.js'
import { TokenCaches } from './batches/token-caches.js'
import type { ModelFacts } from './health/facts.js'

export interface SentenceTransformerTrainerOptions extends BaseTrainerOptions<SentenceTransformer, Loss> {}

const KIND: TrainerKind<SentenceTransformer, Loss> = {
  name: 'SentenceTransformerTrainer',
  isModel: (value) => typeof (value as SentenceTransformer | undefined)?.encode === 'function',
  modelName: 'a SentenceTransformer',
  defaultLoss: () => new CoSENTLoss(),
  isOwnLoss: (loss) => !('pairing' in loss),
  lossName: 'one of `losses`',
  byColumn: true,
  pretrained: async ({ source }, nameOrPath, signal) => {
    const { LanguageModelWeights } = await import('../models/language-model.js')
    return LanguageModelWeights.open(source, nameOrPath, signal && { signal })
  },
  checkData,
  batchMaker: sentenceBatchMaker,
  modelFacts,
}

/**
 * Fine-tunes a model in place. The same arguments, schedule, log names and order of events as sentence-transformers'
 * trainer; see docs/training.md for the arguments and docs/losses.md for what each loss wants of the data. Default loss:
 * `new CoSENTLoss()`.
 *
 * @throws ERR_INVALID_DATA, naming the row, for data that the loss cannot take; ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 *   and ERR_NOT_IMPLEMENTED for options. All before training starts.
 */
export class SentenceTransformerTrainer extends BaseTrainer<SentenceTransformer, Loss> {
  constructor(options: SentenceTransformerTrainerOptions) {
    super(options, KIND)
  }
}

function sentenceBatchMaker({
  model,
  loss,
  dataset,
  args,
  signal,
  timings,
}: BatchMakerParts<SentenceTransformer, Loss>) {
  // The limit once: whoever sets it while this trains means what comes later.
  const { tokenizer, maxSeqLength: limit } = model
  const leavesPromptsOut = model.modules.some(({ includePrompt }) => includePrompt === false)
  return new BatchMaker({
    requirements: loss.requirements,
    tokenize: (texts, maxSeqLength = limit) => {
      const tokens = tokenizer.encodeAll(texts, maxSeqLength, {
        ...(signal && { signal }),
        ...(args.dataloaderNumWorkers > 0 && { workers: args.dataloaderNumWorkers }),
        nameOf: () => 'A text of the training data',
      })
      return timings ? timings.tokenizing(tokens) : tokens
    },
    column: columnOptions(args, dataset),
    promptLength: leavesPromptsOut ? promptLengths(tokenizer) : undefined,
    mask: loss.requirements.targets === 'masked' ? masking(model, loss, args.seed) : undefined,
    ...(args.tokenCacheDir !== null && {
      tokenCaches: new TokenCaches(args.tokenCacheDir, () => tokenizer.fingerprint()),
      maxSeqLength: limit,
    }),
  })
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

function modelFacts(model: SentenceTransformer, args: Readonly<TrainingArguments>): ModelFacts {
  return {
    isNormalized: model.modules.at(-1)?.type === 'Normalize',
    async overlong(dataset, column, texts) {
      const { prompt, maxSeqLength: most = model.maxSeqLength } = columnOptions(args, dataset)(column)
      // One token more than is read tells enough.
      const prompted = prompt === '' ? texts : texts.map((text) => prompt + text)
      const { offsets } = await model.tokenizer.encodeAll(prompted, most + 1, { allowEmpty: true })
      let count = 0
      for (let i = 0; i < texts.length; i++) if (offsets[i + 1]! - offsets[i]! > most) count++
      return { count, most }
    },
  }
}

/** Prompt and length of the columns of a dataset. */
export function columnOptions(
  { prompts, maxSeqLength }: Readonly<TrainingArguments>,
  dataset: string,
): (name: string) => ColumnOptions {
  return (name) => ({
    prompt: promptOf(prompts, dataset, name),
    maxSeqLength: typeof maxSeqLength === 'object' ? maxSeqLength?.[name] : maxSeqLength,
  })
}

/** Each prompt is tokenised once. */
function promptLengths(tokenizer: Tokenizer): (prompt: string) => number {
  const known = new Map<string, number>()
  return (prompt) => {
    const length = known.get(prompt) ?? tokenizer.promptLength(prompt)
    known.set(prompt, length)
    return length
  }
}
