/** Arguments of the length of a run and of its batches. */
import { type BatchSamplerChoice, checkBatchSampler } from '../../../data/samplers/index.js'
import type { MultiDatasetBatchSamplerFactory } from '../../../data/samplers/multi-dataset.js'
import { choice, flag, integer, nullable, number, option } from '../../../options/kinds.js'
import { isPlainObject } from '../../../options.js'
import { amount, argument, type ByName, count, either, folder, numbersByName } from '../argument.js'
import { checkPrompts, type TrainingPrompts } from '../prompts.js'
import { checkRouterMapping, type RouterMapping } from '../routes.js'

const rowsAtOnce = integer(undefined, { least: 1 })
const tokensOfText = count(undefined)
const isFunction = (value: unknown) => typeof value === 'function'

export const LENGTH_AND_BATCHES = {
  outputDir: argument(
    folder('tmp_trainer'),
    'Folder for checkpoints (`checkpoint-N`) and the CSV files of evaluators (`eval`).',
    { isFree: true },
  ),
  numTrainEpochs: argument(
    number(3, { above: 0, expected: 'a positive number' }),
    'Passes over the data. A fraction ends inside a pass.',
    { isFree: true },
  ),
  maxSteps: argument(
    option<number>({
      type: 'number',
      default: -1,
      expected: 'a whole number above 0, or -1 for none',
      fits: (value) => Number.isInteger(value) && ((value as number) > 0 || value === -1),
    }),
    'Optimiser steps. Above 0 it overrides `numTrainEpochs`. A stream of unknown length needs it.',
    { isFree: true },
  ),
  perDeviceTrainBatchSize: argument(count(8), 'Rows per training batch.'),
  perDeviceEvalBatchSize: argument(count(8), 'Rows per batch of `evalDataset`.', { isFree: true }),
  gradientAccumulationSteps: argument(
    count(1),
    'Batches per update. Their losses are averaged. More of them add no in-batch negatives.',
  ),
  miniBatchSize: argument(
    nullable(
      option<number | 'auto', undefined>({
        type: "number | 'auto'",
        default: undefined,
        expected: rowsAtOnce.expected,
        fits: (value) => value === 'auto' || (Number.isSafeInteger(value) && (value as number) >= 1),
      }),
    ),
    'Gradient caching for any loss: rows that pass the encoder at once. `auto`: half of the free memory. `null`: the loss decides.',
    { python: null, differs: 'gradient caching for every loss', takes: '`auto`, or an integer of at least 1' },
  ),
  miniBatchTokens: argument(nullable(rowsAtOnce), 'As `miniBatchSize`, in tokens. Give at most one of the two.', {
    python: null,
    differs: 'gradient caching for every loss',
  }),
  dataloaderDropLast: argument(flag(false), 'Leave out the last batch of a pass when it is not full.'),
  dataloaderNumWorkers: argument(
    count(0, 0),
    'Threads that tokenise. 0: the main thread, in slices of a few milliseconds, which is faster for the tokenizer of BERT.',
    { isFree: true, differs: 'threads that tokenise' },
  ),
  batchSampler: argument(
    option<BatchSamplerChoice | ByName<BatchSamplerChoice>>({
      type: 'BatchSamplerChoice | Readonly<Record<string, BatchSamplerChoice>>',
      default: 'batch_sampler',
      expected: 'the name of a sampler, or a function that makes one',
      check: (_name, value) => {
        for (const entry of isPlainObject(value) ? Object.values(value) : [value]) checkBatchSampler(entry)
      },
    }),
    'How rows become batches: one sampler for all datasets, or one for each by name. See docs/data.md.',
    {
      differs: 'also by dataset',
      takes: '`batch_sampler`, `no_duplicates`, `no_duplicates_hashed`, `group_by_label`, `sequential`, or a function',
    },
  ),
  multiDatasetBatchSampler: argument(
    either(
      option<MultiDatasetBatchSamplerFactory, undefined>({
        type: 'MultiDatasetBatchSamplerFactory',
        default: undefined,
        expected: 'a function',
        fits: isFunction,
      }),
      choice(['proportional', 'round_robin'], 'proportional'),
      isFunction,
    ),
    'Which of several datasets each batch comes from.',
    { type: 'MultiDatasetBatchSamplerChoice', takes: '`proportional`, `round_robin`, or a function' },
  ),
  datasetWeights: argument(
    nullable(numbersByName(undefined, amount(undefined))),
    'Factors of the losses of datasets, by name. `null`: 1 for all. The log has the losses without the factors.',
    { python: null, differs: 'not there' },
  ),
  prompts: argument(
    option<TrainingPrompts | null>({
      type: 'TrainingPrompts | null',
      default: null,
      expected: 'a text, or texts by column or dataset',
      check: (_name, value) => checkPrompts(value),
    }),
    'Prefix of the texts: one for all, or one by column, by dataset, or by dataset and column.',
    { takes: 'a text, or texts by name' },
  ),
  routerMapping: argument(
    option<RouterMapping>({
      type: 'RouterMapping',
      default: {},
      expected: 'an object of tasks by column, or of such objects by dataset',
      check: (_name, value) => checkRouterMapping(value),
    }),
    'The task (`query`, `document`, …) of each column, by which a Router chooses its route. A model with a Router needs it.',
    { takes: 'tasks by column, or by dataset and column' },
  ),
  maxSeqLength: argument(
    nullable(either(tokensOfText, numbersByName(undefined, tokensOfText), (value) => typeof value === 'number')),
    "Limit of tokens in a text; of multi-vector models also by task (`query`, `document`). `null`: the model's.",
    {
      python: null,
      differs: 'there `max_length`, of multi-vector models alone and not by column',
      takes: 'a whole number of at least 1, or such numbers by column',
    },
  ),
  tokenCacheDir: argument(
    nullable(folder(undefined)),
    'Folder where token ids are kept, so that later epochs and later runs do not tokenise again. `null`: only in memory.',
    { isFree: true, python: null, differs: 'not there' },
  ),
}
