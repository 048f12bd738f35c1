// Names of datasets and columns in arguments: what does not exist is refused, with the nearest that does.
import test from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import { DataStream } from '../../lib/data/stream.js'
import { CoSENTLoss } from '../../lib/losses/index.js'
import { resolveArguments, type TrainingArguments } from '../../lib/training/arguments/arguments.js'
import { type NamedSources, NamesOfArguments } from '../../lib/training/arguments/check-names.js'
import { LossSet } from '../../lib/training/batches/loss-set.js'

const pairs = Dataset.fromColumns({ anchor: ['a'], positive: ['b'], label: [1] })
const questions = Dataset.fromColumns({ question: ['a'], answer: ['b'] })
const stream = DataStream.from(() => [{ anchor: 'a', positive: 'b' }])
const two = { trainDataset: { pairs, questions } }

const check = (args: Partial<TrainingArguments>, sources: NamedSources, byColumn = true) =>
  new NamesOfArguments(resolveArguments(args), sources, byColumn)

test('names that exist pass', (t) => {
  for (const [args, sources] of [
    [{ prompts: { anchor: 'query: ', positive: '' } }, { trainDataset: pairs }],
    [{ prompts: 'all: ', maxSeqLength: { anchor: 10 } }, { trainDataset: pairs }],
    [{ prompts: { pairs: 'query: ' } }, two],
    [{ prompts: { pairs: { anchor: 'query: ' }, questions: { answer: '' } } }, two],
    [{ prompts: { questions: { answer: 'a: ' } } }, two],
    // By column, for the datasets that have none of their own.
    [{ prompts: { question: 'q: ', pairs: { anchor: 'query: ' } } }, two],
    [{ prompts: { anchor: 'a: ', question: 'q: ' }, maxSeqLength: { answer: 9, positive: 10 } }, two],
    [{ datasetWeights: { questions: 2 }, batchSampler: { pairs: 'no_duplicates' } }, two],
    // Of the evaluation alone.
    [
      { prompts: { question: 'q: ' }, maxSeqLength: { answer: 5 } },
      { trainDataset: pairs, evalDataset: questions },
    ],
    [{ datasetWeights: { dev: 2 } }, { ...two, evalDataset: { dev: pairs } }],
  ] as [Partial<TrainingArguments>, NamedSources][]) {
    t.notThrows(() => check(args, sources), JSON.stringify(args))
  }
})

test('names that do not exist are refused with a suggestion', (t) => {
  for (const [args, sources, message] of [
    [
      { prompts: { ancor: 'query: ' } },
      { trainDataset: pairs },
      'prompts names the column "ancor", but there are anchor, positive; did you mean anchor?',
    ],
    [
      { prompts: { label: 'query: ' } },
      { trainDataset: pairs },
      'prompts names the column "label", but there are anchor, positive',
    ],
    [
      { prompts: { noSuchDataset: { anchor: '' } } },
      two,
      'prompts names the dataset "noSuchDataset", but there are pairs, questions',
    ],
    [
      { prompts: { pairs: { question: '' } } },
      two,
      'prompts.pairs names the column "question", but there are anchor, positive',
    ],
    [
      { prompts: { pair: 'query: ' } },
      two,
      'prompts names the column or dataset "pair", but there are anchor, positive, question, answer, pairs, questions; did you mean pairs?',
    ],
    // The pairs have an entry of their own, so nothing reads this one.
    [
      { prompts: { anchor: 'q: ', pairs: 'query: ' } },
      two,
      'prompts names the column or dataset "anchor", but there are question, answer, pairs, questions',
    ],
    // After an entry by dataset none by column is read.
    [
      { prompts: { pairs: { anchor: 'q: ' }, question: 'q: ' } },
      two,
      'prompts names the dataset "question", but there are pairs, questions; did you mean questions?',
    ],
    [
      { prompts: { pairs: { anchor: '' } } },
      { trainDataset: pairs },
      /a single dataset without a name: give them by column/,
    ],
    [{ prompts: { anchor: 'a', positive: { b: 'c' } } }, { trainDataset: pairs }, /a single dataset without a name/],
    [
      { maxSeqLength: { ancor: 10 } },
      { trainDataset: pairs },
      'maxSeqLength names the column "ancor", but there are anchor, positive; did you mean anchor?',
    ],
    [{ datasetWeights: { z: 2 } }, two, 'datasetWeights names the dataset "z", but there are pairs, questions'],
    [
      { datasetWeights: { z: 2 } },
      { trainDataset: pairs },
      'datasetWeights names the dataset "z", but there is none with a name',
    ],
    [
      { batchSampler: { pair: 'no_duplicates' } },
      two,
      'batchSampler names the dataset "pair", but there are pairs, questions; did you mean pairs?',
    ],
  ] as [Partial<TrainingArguments>, NamedSources, string | RegExp][]) {
    t.throws(() => check(args, sources), { code: 'ERR_INVALID_ARGUMENT', message }, JSON.stringify(args))
  }
})

test('the columns of a stream are known with its first batch', (t) => {
  const first = { textColumns: ['anchor', 'positive'] }
  const code = 'ERR_INVALID_ARGUMENT'
  for (const args of [{ prompts: { ancor: 'q: ' } }, { maxSeqLength: { ancor: 3 } }]) {
    const names = check(args, { trainDataset: stream })
    t.throws(() => names.learn('trainDataset', '', first), { code, message: /"ancor".*did you mean anchor\?/ })
  }
  const fine = check({ prompts: { anchor: 'q: ' }, maxSeqLength: { positive: 3 } }, { trainDataset: stream })
  t.notThrows(() => fine.learn('trainDataset', '', first))
  t.notThrows(() => fine.learn('trainDataset', '', first))
  // Of two streams each has its own; what is asked of all waits for the last.
  const both = { trainDataset: { a: stream, b: stream } }
  const own = check({ prompts: { a: { ancor: 'q: ' } } }, both)
  t.throws(() => own.learn('trainDataset', 'a', first), { code, message: /^prompts\.a names/ })
  const all = check({ prompts: { text: 'q: ' } }, both)
  t.notThrows(() => all.learn('trainDataset', 'a', first))
  t.notThrows(() => all.learn('trainDataset', 'b', { textColumns: ['text'] }))
  const none = check({ maxSeqLength: { text: 4 } }, both)
  none.learn('trainDataset', 'a', first)
  t.throws(() => none.learn('trainDataset', 'b', first), { code })
})

test('columns that become pairs have no names of their own', (t) => {
  t.notThrows(() => check({ prompts: { pairs: 'q: ' } }, two, false))
  t.throws(() => check({ prompts: { pair: 'q: ' } }, two, false), { message: /"pair".*did you mean pairs\?/ })
})

test('a Map is no object of names', (t) => {
  for (const name of [
    'prompts',
    'maxSeqLength',
    'datasetWeights',
    'learningRateMapping',
    'optimArgs',
    'batchSampler',
  ]) {
    t.throws(() => resolveArguments({ [name]: new Map() }), { code: 'ERR_INVALID_ARGUMENT' }, name)
  }
})

test('a loss for a dataset that is not there', (t) => {
  const losses = new LossSet({ pairs: new CoSENTLoss(), question: new CoSENTLoss() })
  t.throws(() => losses.checkUsed(['pairs', 'questions']), {
    code: 'ERR_INVALID_ARGUMENT',
    message: 'loss names the dataset "question", but there are pairs, questions; did you mean questions?',
  })
  t.notThrows(() => losses.checkUsed(['pairs', 'question']))
  t.notThrows(() => new LossSet(new CoSENTLoss()).checkUsed(['pairs']))
})
