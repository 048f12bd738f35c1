/** What a learner is told. */
import { invalidArgument } from '../../errors.js'
import type { Evaluator } from '../../evaluation/evaluator.js'
import type { Loss } from '../../losses/loss.js'
import { SentenceTransformer } from '../../models/sentence-transformer.js'
import {
  choice,
  integer,
  needed,
  nullable,
  type OptionTable,
  type OptionValues,
  option,
  optionValues,
  text,
} from '../../options/kinds.js'
import type { PartialTrainingArguments } from '../../training/index.js'
import { ServedModel } from '../served-model.js'
import type { Feedback } from './feedback.js'
import type { Round } from './rounds.js'

export interface LearnerOptions {
  /** The model that serves and learns, one of embeddings. */
  served: ServedModel
  /** Folder of the feedback, the versions and the state. A learner that starts again goes on from there. */
  folder: string
  /** Measures versions, on data that the feedback does not hold. Its primary metric decides which one serves. */
  evaluator: Evaluator
  /** New pairs of feedback after which a training starts; 0: only `learn()` starts one. Default 200. */
  every?: number
  /**
   * When a new version serves: `better` when its metric is higher; `measurably better` when the 95 % interval of the difference lies
   * above 0, too, which needs an evaluator that gives scores of items. Default `better`.
   */
  swap?: 'better' | 'measurably better'
  /**
   * A frozen model of documents, by default none. With it the served model embeds queries alone and learns to find documents by the
   * vectors that this model gave them: an index stays valid.
   */
  documents?: SentenceTransformer | null
  /**
   * The texts that `documents` has embedded: near ones are the wrong documents of a training, and first sentences are queries, too.
   * Default: none; the wrong ones are then the batch's other documents alone.
   */
  corpus?: readonly string[]
  /** Makes the loss of a training. Default `MultipleNegativesRankingLoss`. Not with `documents`, which has its own. */
  loss?: (() => Loss) | null
  /**
   * Arguments of the trainings, over the learner's: one epoch in batches of 16 with a learning rate of 2e-5; with `documents`, three in
   * batches of 32 with 1e-4.
   */
  args?: PartialTrainingArguments
  /** Feedback from elsewhere, beside `add` and `POST /feedback`. */
  source?: AsyncIterable<Feedback | readonly Feedback[]> | null
  /** Gets the record of each training. What it throws changes nothing. */
  onRound?: ((round: Round) => void) | null
}

const ofFunction = <T>() =>
  nullable(
    option<T>({
      ...{ type: 'function', default: null as never, expected: 'a function' },
      fits: (value) => typeof value === 'function',
    }),
  )

const having = <T>(type: string, expected: string, fits: (value: object) => boolean) =>
  option<T>({
    ...{ type, expected, default: null as never },
    // Evaluators can be called.
    fits: (value) => ['object', 'function'].includes(typeof value) && value !== null && fits(value as object),
  })

const OPTIONS = {
  served: needed(having<ServedModel>('ServedModel', 'a ServedModel', (value) => value instanceof ServedModel)),
  folder: needed(text('', 'the path of a folder')),
  evaluator: needed(having<Evaluator>('Evaluator', 'an evaluator', (value) => 'evaluate' in value)),
  every: integer(200, { least: 0 }),
  swap: choice(['better', 'measurably better'], 'better'),
  documents: nullable(
    having<SentenceTransformer>(
      ...(['SentenceTransformer', 'a SentenceTransformer'] as const),
      (value) => value instanceof SentenceTransformer,
    ),
  ),
  corpus: option<readonly string[]>({
    ...{ type: 'readonly string[]', default: [], expected: 'an array of texts' },
    fits: (value) => Array.isArray(value) && value.every((each) => typeof each === 'string'),
  }),
  loss: ofFunction<() => Loss>(),
  args: option<PartialTrainingArguments>({
    ...{ type: 'PartialTrainingArguments', default: {}, expected: 'an object of training arguments' },
    fits: (value) => typeof value === 'object' && value !== null,
  }),
  source: nullable(
    having<AsyncIterable<Feedback | readonly Feedback[]>>(
      ...(['AsyncIterable<Feedback>', 'an async iterable of feedback'] as const),
      (value) => Symbol.asyncIterator in value,
    ),
  ),
  onRound: ofFunction<(round: Round) => void>(),
} satisfies OptionTable<LearnerOptions>

export type LearnerSettings = OptionValues<typeof OPTIONS>

/** Arguments that the learner sets itself. */
const OWN = ['outputDir', 'loggingDir']

/** @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION */
export function learnerSettings(options: LearnerOptions): LearnerSettings {
  const settings = optionValues('Learner', options, OPTIONS)
  const { served, documents, loss, corpus, args } = settings
  if (!(served.model instanceof SentenceTransformer)) {
    throw invalidArgument('Learner served', 'a model of embeddings', `one for ${served.task}`)
  }
  if (documents === served.model) {
    throw invalidArgument('Learner documents', 'a model of its own, which stays as it is', 'the served one')
  }
  if (documents !== null && loss !== null) throw invalidArgument('Learner loss', 'nothing beside documents', loss)
  if (documents === null && corpus.length > 0) {
    throw invalidArgument('Learner corpus', 'nothing without documents', corpus)
  }
  for (const name of OWN) {
    if (Object.hasOwn(args, name)) throw invalidArgument(`Learner args.${name}`, 'nothing: folder decides it', args)
  }
  return settings
}
