// Rows of the training arguments: names, state and notes are those of the table, and here is what tests each.
import type { AnyArgument } from '../../../lib/training/arguments/argument.js'
import { PLANNED_ARGUMENTS } from '../../../lib/training/arguments/planned-arguments.js'
import { ARGUMENTS } from '../../../lib/training/arguments/table/index.js'
import { built, notBuilt, onlyHere, type Row } from './row.js'

const DEFAULTS = ['test/unit/golden/make_training.py']
const DEFAULTS_TEST = 'test/unit/arguments.test.ts'
const FLOW = 'test/unit/trainer-flow.test.ts'
const RUN = 'test/parity/training-run.test.ts'
/** Where the expected values of a test come from. */
const SCRIPTS: Readonly<Record<string, string>> = {
  [FLOW]: 'test/unit/golden/make_flow.py',
  [RUN]: 'test/parity/make_training_run.py',
}
const STEP = 'test/parity/training.test.ts'
const FEED = 'test/unit/feed.test.ts'
const BATCHES = 'test/unit/trainer-batches.test.ts'
const NATIVE = 'test/addon/trainer-arguments.test.ts'
const TRAINER_NATIVE = 'test/addon/trainer.test.ts'
const REPORTING = 'test/unit/reporting.test.ts'
const TRAINER = 'test/unit/trainer.test.ts'
const GROUPS = 'test/unit/trainer-groups.test.ts'
const CHECKPOINT = 'test/unit/checkpoint.test.ts'
const SCHEDULE = 'test/unit/schedule.test.ts'
const PRECISION = 'test/unit/precision.test.ts'
const SCALER = 'test/parity/loss-scaler.test.ts'
const ONE_DEVICE = 'docs/distributed.md says how several processes train'

/** What tests an argument, besides its default. */
const TESTS: Readonly<Record<keyof typeof ARGUMENTS, readonly string[]>> = {
  outputDir: [FLOW],
  numTrainEpochs: [FLOW],
  maxSteps: [FLOW],
  perDeviceTrainBatchSize: [FLOW, RUN],
  perDeviceEvalBatchSize: [TRAINER],
  gradientAccumulationSteps: [FLOW, RUN],
  miniBatchSize: [GROUPS, 'test/addon/loss-training.test.ts'],
  miniBatchTokens: [GROUPS, 'test/addon/loss-training.test.ts'],
  dataloaderDropLast: [FLOW, TRAINER],
  dataloaderNumWorkers: [NATIVE],
  batchSampler: [BATCHES],
  multiDatasetBatchSampler: [RUN, FEED],
  datasetWeights: [NATIVE],
  prompts: [BATCHES, RUN],
  routerMapping: ['test/addon/router.test.ts'],
  maxSeqLength: [BATCHES],
  tokenCacheDir: [BATCHES, 'test/unit/token-cache.test.ts'],
  optim: [GROUPS, STEP],
  optimArgs: [GROUPS],
  learningRate: [RUN, GROUPS],
  learningRateMapping: [GROUPS, RUN],
  freeze: [NATIVE],
  lrSchedulerType: [RUN, SCHEDULE],
  lrSchedulerKwargs: [RUN, SCHEDULE],
  warmupSteps: [FLOW, SCHEDULE],
  warmupRatio: ['test/unit/flow.test.ts'],
  weightDecay: [RUN, STEP],
  adamBeta1: [GROUPS, STEP],
  adamBeta2: [GROUPS, STEP],
  adamEpsilon: [GROUPS, STEP],
  maxGradNorm: [RUN, STEP],
  bf16: [TRAINER_NATIVE, PRECISION],
  fp16: [PRECISION, SCALER],
  gradientCheckpointing: [NATIVE],
  memoryLimit: ['test/addon/memory-limit.test.ts', GROUPS],
  activationCheckpointing: [NATIVE],
  loggingStrategy: [FLOW],
  loggingSteps: [FLOW],
  loggingFirstStep: [FLOW],
  disableTqdm: ['test/unit/progress.test.ts'],
  logLevel: [REPORTING],
  reportTo: [REPORTING],
  loggingDir: [REPORTING],
  runName: ['test/unit/mlflow.test.ts'],
  mlflowTrackingUri: ['test/unit/mlflow.test.ts'],
  logTimings: ['test/addon/reporting.test.ts', 'test/unit/timings.test.ts'],
  evalStrategy: [FLOW],
  evalSteps: [FLOW],
  evalDelay: [CHECKPOINT],
  evalOnStart: [CHECKPOINT],
  saveStrategy: [FLOW],
  saveSteps: [FLOW],
  saveTotalLimit: [NATIVE, CHECKPOINT],
  saveOnlyModel: [NATIVE],
  loadBestModelAtEnd: [CHECKPOINT],
  metricForBestModel: [CHECKPOINT],
  greaterIsBetter: [CHECKPOINT],
  handleSignals: ['test/unit/signals.test.ts', 'test/addon/kills.test.ts'],
  resumeFromCheckpoint: ['test/addon/trainer-resume.test.ts'],
  seed: [TRAINER_NATIVE, TRAINER],
  dataSeed: [NATIVE],
  compat: [RUN, BATCHES],
  ddpTimeout: ['test/addon/distributed.test.ts'],
}

/** Gone there since transformers 5: there is no default to compare with. */
const WITHOUT_DEFAULT = ['loggingDir']

const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

function rowOf([name, { python = snake(name), differs }]: [string, AnyArgument]): Row {
  const tests = TESTS[name as keyof typeof ARGUMENTS]
  const note = differs === undefined ? {} : { note: differs }
  if (python === null) return onlyHere('arguments', name, differs ?? 'not there', [...tests])
  if (WITHOUT_DEFAULT.includes(name)) return built('arguments', python, name, { tests, ...note })
  return built('arguments', python, name, {
    golden: [...DEFAULTS, ...tests.flatMap((path) => SCRIPTS[path] ?? [])],
    tests: [DEFAULTS_TEST, ...tests],
    report: ['arguments', name],
    ...note,
  })
}

export const trainingArguments: readonly Row[] = [
  ...Object.entries(ARGUMENTS).map(rowOf),
  ...Object.entries(PLANNED_ARGUMENTS).map(([name, { instead }]) => notBuilt('arguments', snake(name), instead)),
]

const SCHEDULES = [
  ...['linear', 'cosine', 'cosine_with_restarts', 'polynomial', 'constant', 'constant_with_warmup', 'inverse_sqrt'],
  ...['cosine_with_min_lr', 'cosine_warmup_with_min_lr', 'warmup_stable_decay'],
]

export const training: readonly Row[] = [
  ...SCHEDULES.map((name) =>
    built('training', `schedule ${name}`, name, {
      golden: DEFAULTS,
      tests: ['test/unit/schedule.test.ts'],
      report: ['schedule', name],
    }),
  ),
  notBuilt('training', ['schedule reduce_lr_on_plateau', 'schedule greedy'], 'their rate depends on evaluations'),
  built('training', 'SentenceTransformerTrainer, a whole run', 'SentenceTransformerTrainer', {
    golden: ['test/parity/make_training_run.py'],
    tests: [RUN],
    report: ['training-run', 'SentenceTransformerTrainer'],
  }),
  built('training', 'CrossEncoderTrainer, whole runs', 'CrossEncoderTrainer', {
    golden: ['test/parity/make_cross_encoder_training.py'],
    tests: ['test/parity/cross-encoder-training.test.ts'],
    report: ['cross-encoder-training', 'CrossEncoderTrainer'],
  }),
  built('training', 'AdamW, clipping, weight decay: 1 to 10 steps', ['adamw_torch', 'maxGradNorm', 'weightDecay'], {
    golden: ['test/parity/make_goldens.py'],
    tests: [STEP],
    report: ['training', 'step'],
  }),
  built('training', 'steps, rates, evaluations, checkpoints, events', 'TrainerCallback', {
    golden: ['test/unit/golden/make_flow.py'],
    tests: [FLOW],
    report: ['flow', 'run'],
  }),
  built('training', 'SentenceTransformer.encode', 'encode', {
    golden: ['test/parity/make_goldens.py'],
    tests: ['test/parity/encoding.test.ts'],
    report: ['encoding', 'encode'],
  }),
  built('training', 'all-MiniLM-L6-v2, from text to embedding', 'encode', {
    golden: ['test/parity/make_goldens.py'],
    tests: ['test/parity/stsb.test.ts'],
    report: ['stsb', 'encode'],
  }),
  built('training', 'all-MiniLM-L6-v2, Spearman on the STS benchmark', 'EmbeddingSimilarityEvaluator', {
    golden: ['test/parity/make_goldens.py'],
    tests: ['test/parity/stsb.test.ts'],
    report: ['stsb', 'spearman'],
  }),
  built('training', ['CrossEncoder.predict', 'CrossEncoder.rank'], ['predict', 'rank'], {
    golden: ['test/parity/make_cross_encoder.py'],
    tests: ['test/parity/cross-encoder.test.ts'],
    report: ['cross-encoder', 'predict'],
  }),
  built(
    'training',
    'CrossEncoder with LogitScore (Qwen2, Qwen3, Gemma 3)',
    ['predict', 'rank', 'CrossEncoderTrainer'],
    {
      golden: ['test/parity/make_logit_score.py'],
      tests: ['test/parity/logit-score.test.ts', 'test/addon/logit-score.test.ts'],
      report: ['logit-score', 'predict'],
    },
  ),
  built('training', 'chat templates of pairs', ['predict', 'rank'], {
    golden: ['test/parity/make_logit_score.py'],
    tests: ['test/parity/chat-templates.test.ts'],
    report: ['chat-templates', 'texts'],
  }),
  built('training', 'EarlyStoppingCallback', 'EarlyStoppingCallback', { tests: ['test/unit/checkpoint.test.ts'] }),
  built('training', 'gradient accumulation', 'gradientAccumulationSteps', {
    golden: ['test/parity/make_training_run.py'],
    tests: [RUN],
    report: ['training-run', 'SentenceTransformerTrainer'],
  }),
  built('training', ['Trainer.evaluate', 'Trainer.save_model', 'Trainer.state'], ['evaluate', 'saveModel', 'state'], {
    tests: ['test/addon/trainer-evaluate.test.ts'],
    note: 'with several datasets outside of training the evaluator runs once, as during training',
  }),
  built('training', ['SentenceTransformer.evaluate', 'save_pretrained'], ['model.evaluate', 'savePretrained'], {
    tests: ['test/addon/trainer-evaluate.test.ts'],
  }),
  built('training', ['torch.cuda.is_available'], ['engine.isCudaAvailable', 'engine.devices'], {
    tests: ['test/addon/trainer-evaluate.test.ts'],
  }),
  built('training', 'model.fit (before version 3)', ['fit', 'fitSentenceTransformer', 'fitCrossEncoder'], {
    tests: ['test/addon/fit.test.ts', 'test/addon/cross-encoder-trainer.test.ts'],
    note: 'the schedule counts a last batch that is not full',
  }),
  built('training', 'DDP', 'several processes', {
    note: 'gloo on CPUs; docs/distributed.md',
    tests: ['test/addon/distributed.test.ts', 'test/unit/launch.test.ts'],
  }),
  notBuilt('training', ['DataParallel', 'FSDP', 'DeepSpeed'], ONE_DEVICE),
  built('training', ['PEFT', 'LoRA'], 'addAdapter', {
    golden: ['test/parity/make_adapters.py'],
    tests: ['test/parity/adapters.test.ts', 'test/addon/adapters.test.ts'],
    report: ['adapters', 'bert'],
    note: 'docs/adapters.md; initial values have the same distribution, not the same numbers',
  }),
  built('training', ['torch.amp.GradScaler', 'AcceleratedScheduler'], 'fp16', {
    ...{ golden: ['test/parity/make_loss_scaler.py'], tests: [SCALER], report: ['loss-scaler', 'GradScaler'] },
    note: 'the arithmetic, on the CPU; float16 itself is for GPUs',
  }),
  built('training', ['torch.Tensor', 'torch.optim'], ['Tensor', 'forward', 'optim', 'schedules'], {
    ...{ golden: ['test/parity/make_tensors.py'], report: ['tensors', 'operations'] },
    tests: ['test/parity/tensors.test.ts', 'test/parity/tensor-losses.test.ts', 'test/addon/by-hand.test.ts'],
    note: 'sentence-torch/tensor, some 60 operations: docs/tensor.md',
  }),
  notBuilt('training', 'hyperparameter_search', 'a loop over trainers of your own'),
]
