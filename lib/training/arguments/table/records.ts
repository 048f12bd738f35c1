/** Arguments for output and files of a run: log, evaluations, checkpoints, seeds. */
import { SentenceTorchError } from '../../../errors.js'
import { choice, flag, integer, nullable, option, text } from '../../../options/kinds.js'
import { checkOneOf } from '../../../options.js'
import { amount, argument, either, seed, stepsOrShare } from '../argument.js'
import { LOG_LEVELS, PLANNED_REPORTERS, REPORTERS, type ReportTo } from '../log-arguments.js'
import { type IntervalStrategy, SAVE_STRATEGIES, STRATEGIES } from '../strategies.js'

const strategy = (fallback: IntervalStrategy) => choice(STRATEGIES, fallback, { type: 'IntervalStrategy' })

const address = text(undefined, 'the address of a server, or null')

/** Arguments are logged and saved. The error does not show the value, which may hold a password. */
function checkAddress(name: string, value: unknown): void {
  address.check(name, value)
  const url = URL.canParse(String(value)) ? new URL(String(value)) : undefined
  if (!url?.username && !url?.password && !/^([a-z][a-z0-9+.-]*:)?[/\\]*[^/?#\\]*@/i.test(String(value))) return
  const message = `${name}: expected an address without user and password; the variable MLFLOW_TRACKING_URI may have them`
  throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}

export const LOGGING = {
  loggingStrategy: argument(
    strategy('steps'),
    'When a log record is made. With `steps`, `loggingSteps` says how often.',
    { isFree: true },
  ),
  loggingSteps: argument(stepsOrShare(500), 'Steps between log records.', { isFree: true }),
  loggingFirstStep: argument(flag(false), 'Make a record after the first step too.', { isFree: true }),
  disableTqdm: argument(flag(false), 'Print plain lines instead of a progress bar.', { isFree: true }),
  logLevel: argument(
    choice(LOG_LEVELS, 'passive', { type: 'LogLevel' }),
    '`info`, `debug` and `detail` print what transformers prints at that level. The others print nothing more.',
    { isFree: true },
  ),
  reportTo: argument(
    option<ReportTo | readonly ReportTo[]>({
      type: 'ReportTo | readonly ReportTo[]',
      default: 'none',
      expected: 'the names of reporters',
      check: (name, value) => {
        for (const entry of [value].flat()) checkOneOf(name, entry, REPORTERS, PLANNED_REPORTERS)
      },
    }),
    'Where the log is written too: files in `loggingDir`, or a server of MLflow. See docs/reporting.md.',
    {
      isFree: true,
      differs: '`none`, `tensorboard`, `jsonl`, `csv`, `mlflow`; no other services',
      takes: '`none`, `tensorboard`, `jsonl`, `csv`, `mlflow`, or an array of them',
    },
  ),
  loggingDir: argument(
    nullable(text(undefined, 'the path of a folder, or null')),
    'Folder of `reportTo`. `null`: `runs/<date>_<host>` in `outputDir`.',
    { isFree: true, differs: 'gone there since transformers 5' },
  ),
  runName: argument(
    nullable(text(undefined, 'a name, or null')),
    "Name of the run on MLflow's server. `null`: one of the server's.",
    {
      isFree: true,
    },
  ),
  mlflowTrackingUri: argument(
    nullable({ ...address, check: checkAddress }),
    "MLflow's server for `reportTo: 'mlflow'`. `null`: the variable MLFLOW_TRACKING_URI.",
    { isFree: true, python: null, differs: 'not there: the variable alone' },
  ),
  logTimings: argument(flag(false), 'Log where the time goes (`time_…`) and `tokens_per_second`.', {
    isFree: true,
    python: null,
    differs: 'not there',
  }),
}

export const EVALUATION_AND_CHECKPOINTS = {
  evalStrategy: argument(strategy('no'), 'When the model is evaluated. With `steps` also after the last step.', {
    isFree: true,
  }),
  evalSteps: argument(stepsOrShare(500), 'Steps between evaluations.', {
    isFree: true,
    defaultDoc: '`loggingSteps`',
  }),
  evalDelay: argument(amount(0), 'Steps, or epochs where `evalStrategy` is `epoch`, before the first evaluation.', {
    isFree: true,
  }),
  evalOnStart: argument(flag(false), 'Evaluate before the first step.', { isFree: true }),
  saveStrategy: argument(
    choice(SAVE_STRATEGIES, 'steps', { type: 'SaveStrategy' }),
    'When a checkpoint is written. With `steps` also after the last step; with `best` after every evaluation that is ' +
      'better than all before.',
    { isFree: true },
  ),
  saveSteps: argument(stepsOrShare(500), 'Steps between checkpoints.', { isFree: true }),
  saveTotalLimit: argument(
    nullable(integer(undefined, { least: 0 })),
    'Checkpoints that are kept: the newest, the best, and the newest of the others. `null` and 0: all.',
    { isFree: true },
  ),
  saveOnlyModel: argument(
    flag(false),
    'Write checkpoints without the state of the optimiser. They are smaller, but training cannot go on from them.',
    { isFree: true },
  ),
  loadBestModelAtEnd: argument(
    flag(false),
    'At the end, give the model and the losses the weights of the best checkpoint.',
    { isFree: true },
  ),
  metricForBestModel: argument(
    nullable(text(undefined, 'the name of a metric')),
    'The metric that says which checkpoint is best, with or without `eval_`. `null`: `loss` where one is needed.',
    { isFree: true },
  ),
  greaterIsBetter: argument(
    nullable(flag(false)),
    'Whether a larger metric is better. `null`: false for metrics that end in `loss`.',
    {
      isFree: true,
    },
  ),
  handleSignals: argument(
    flag(false),
    'SIGINT and SIGTERM end training after the running step, with a last checkpoint. See docs/training.md.',
    { isFree: true, python: null, differs: 'not there' },
  ),
  resumeFromCheckpoint: argument(
    nullable(
      either(flag(false), text(undefined, 'true or the path of a checkpoint'), (value) => typeof value === 'boolean'),
    ),
    'A checkpoint to go on from; true: the newest of `outputDir`. `train({ resumeFromCheckpoint })` overrides it.',
    { isFree: true, differs: 'bit for bit on the CPU', takes: '`true`, or the path of a checkpoint' },
  ),
}

export const SEEDS = {
  seed: argument(seed(42), 'Seed of the order of the data, of the dropout, and of what losses draw and start from.', {
    differs: 'other random numbers than torch’s',
  }),
  dataSeed: argument(nullable(seed(0)), 'Seed of the order of the data alone. `null`: `seed`.', {
    differs: 'other random numbers than torch’s',
  }),
  compat: argument(
    nullable(choice(['st-6.0.1'], 'st-6.0.1')),
    'Imitate what sentence-transformers 6.0.1 does otherwise than it documents. See docs/training.md.',
    { python: null, differs: 'what 6.0.1 does otherwise than it documents' },
  ),
}
