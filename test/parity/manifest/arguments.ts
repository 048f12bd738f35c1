import { built, notBuilt, onlyHere, type Row } from './row.js'

const camel = (name: string) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
const DEFAULTS = ['test/unit/golden/make_training.py']
const DEFAULTS_TEST = 'test/unit/arguments.test.ts'
const FLOW = 'test/unit/trainer-flow.test.ts'
const RUN = 'test/parity/training-run.test.ts'
/** Where the expected values of a test come from. */
const SCRIPTS: Readonly<Record<string, string>> = {
  [FLOW]: 'test/unit/golden/make_flow.py',
  [RUN]: 'test/parity/make_training_run.py',
}

/** Arguments of the same meaning, whose defaults are compared; `tests`: what else holds them to it. */
const same = (names: string, tests: string[], note?: string): Row[] =>
  names.split(' ').map((name) =>
    built('arguments', name, camel(name), {
      golden: [...DEFAULTS, ...tests.flatMap((path) => SCRIPTS[path] ?? [])],
      tests: [...new Set([DEFAULTS_TEST, ...tests])],
      report: ['arguments', camel(name)],
      ...(note && { note }),
    }),
  )
const refused = (names: string, reason: string): Row[] =>
  names.split(' ').map((name) => notBuilt('arguments', name, reason))
const own = (names: string, note: string, tests: string[]): Row[] =>
  names.split(' ').map((name) => onlyHere('arguments', name, note, tests))

const STEP = 'test/parity/training.test.ts'
const FEED = 'test/unit/feed.test.ts'
const BATCHES = 'test/unit/trainer-batches.test.ts'
const NATIVE = 'test/addon/trainer-arguments.test.ts'
const RESUME = 'test/addon/trainer-resume.test.ts'
const REPORTING = 'test/unit/reporting.test.ts'
const TRAINER = 'test/unit/trainer.test.ts'
const GROUPS = 'test/unit/trainer-groups.test.ts'
const CHECKPOINT = 'test/unit/checkpoint.test.ts'
const ONE_DEVICE = 'training runs on one device'
const COMPILED = 'the engine is compiled ahead of time, with kernels of its own'
const NOTHING_THERE = 'sentence-transformers does nothing with it'
const THREADS = 'tokenizer threads live on by themselves, batches are made two steps ahead'
const UPLOAD = 'nothing is uploaded: save the model and upload the folder'

export const trainingArguments: readonly Row[] = [
  ...same('output_dir num_train_epochs max_steps', [FLOW]),
  ...same('per_device_train_batch_size gradient_accumulation_steps', [FLOW, RUN]),
  ...same('per_device_eval_batch_size', [TRAINER]),
  ...same('dataloader_drop_last', [FLOW, TRAINER]),
  ...same('dataloader_num_workers', [NATIVE], 'threads that tokenise'),
  ...same('batch_sampler', [BATCHES], 'also by dataset'),
  ...same('multi_dataset_batch_sampler', [RUN, FEED]),
  ...same('prompts', [BATCHES, RUN]),
  ...same('optim', [GROUPS, STEP], '`adamw_torch_fused`, `adamw_torch`, `sgd`, `rmsprop`; others are refused by name'),
  ...same('optim_args', [GROUPS]),
  ...same('weight_decay max_grad_norm', [RUN, STEP]),
  ...same('learning_rate', [RUN, GROUPS]),
  ...same('adam_beta1 adam_beta2 adam_epsilon', [GROUPS, STEP]),
  ...same('learning_rate_mapping', [GROUPS, RUN]),
  ...same('lr_scheduler_type lr_scheduler_kwargs', [RUN, 'test/unit/schedule.test.ts'], 'schedules: below'),
  ...same('warmup_steps', [FLOW, 'test/unit/schedule.test.ts']),
  ...same('warmup_ratio', ['test/unit/flow.test.ts'], 'deprecated there; default 0'),
  ...same('bf16', ['test/addon/trainer.test.ts', 'test/unit/precision.test.ts'], 'from float32 masters, no autocast'),
  ...same('fp16', ['test/unit/precision.test.ts'], 'on the CPU a warning and float32; elsewhere refused'),
  ...same('gradient_checkpointing', [NATIVE]),
  ...same('activation_checkpointing', [NATIVE], 'another name of `gradient_checkpointing`'),
  ...same('logging_strategy logging_steps logging_first_step', [FLOW]),
  ...same('disable_tqdm', ['test/unit/progress.test.ts']),
  ...same('log_level', [REPORTING]),
  ...same('report_to', [REPORTING], '`none`, `tensorboard`, `jsonl`, `csv`; no services'),
  ...same('eval_strategy eval_steps', [FLOW]),
  ...same('eval_delay eval_on_start', [CHECKPOINT]),
  ...same('save_strategy save_steps', [FLOW]),
  ...same('save_total_limit', [NATIVE, CHECKPOINT]),
  ...same('save_only_model', [NATIVE]),
  ...same('load_best_model_at_end metric_for_best_model greater_is_better', [CHECKPOINT]),
  ...same('resume_from_checkpoint', [RESUME], 'bit for bit on the CPU'),
  ...same('seed', ['test/addon/trainer.test.ts', TRAINER], 'other random numbers than torch’s'),
  ...same('data_seed', [NATIVE], 'other random numbers than torch’s'),
  built('arguments', 'logging_dir', 'loggingDir', { tests: [REPORTING], note: 'gone there since transformers 5' }),
  ...own('miniBatchSize miniBatchTokens', 'gradient caching for every loss', [
    GROUPS,
    'test/addon/loss-training.test.ts',
  ]),
  ...own('datasetWeights freeze', 'not there', [NATIVE]),
  ...own('maxSeqLength', 'there only of multi-vector models', [BATCHES]),
  ...own('tokenCacheDir', 'not there', [BATCHES, 'test/unit/token-cache.test.ts']),
  ...own('logTimings', 'not there', ['test/addon/reporting.test.ts', 'test/unit/timings.test.ts']),
  ...own('handleSignals', 'not there', ['test/unit/signals.test.ts', 'test/addon/kills.test.ts']),
  ...own('compat', 'what 6.0.1 does otherwise than it documents', [RUN, BATCHES]),
  ...refused('auto_find_batch_size', "`miniBatchSize: 'auto'` fits any batch into the memory"),
  ...refused('torch_compile torch_compile_backend torch_compile_mode', COMPILED),
  ...refused('use_liger_kernel liger_kernel_config use_cache', COMPILED),
  ...refused('gradient_checkpointing_kwargs activation_checkpointing_kwargs', 'there is nothing to set'),
  ...refused('bf16_full_eval fp16_full_eval', '`bf16` evaluates in bfloat16 too'),
  ...refused('tf32', 'the variable SENTENCE_TORCH_TF32 sets it for a CUDA build'),
  ...refused('neftune_noise_alpha', 'no noise is added to embeddings'),
  ...refused('optim_target_modules', 'of GaLore and the like, which are not built'),
  ...refused('torch_empty_cache_steps', 'CUDA has not run yet'),
  ...refused('label_smoothing_factor label_names prediction_loss_only include_for_metrics', NOTHING_THERE),
  ...refused('batch_eval_metrics eval_accumulation_steps eval_do_concat_batches', NOTHING_THERE),
  ...refused('eval_use_gather_object', NOTHING_THERE),
  ...refused('logging_nan_inf_filter', 'always on: what is not finite counts in no mean; `skipped_steps`'),
  ...refused('remove_unused_columns', 'take columns away with `dataset.selectColumns`'),
  ...refused('train_sampling_strategy length_column_name', '`batchSampler` chooses the order'),
  ...refused('router_mapping', 'there is no Router module yet'),
  ...refused('dataloader_pin_memory dataloader_persistent_workers dataloader_prefetch_factor', THREADS),
  ...refused('dataloader_multiprocessing_context dataloader_in_order', THREADS),
  ...refused('ignore_data_skip', 'batches that were trained on are passed over without being made'),
  ...refused('restore_callback_states_from_checkpoint', 'callbacks with `state` and `loadState` always get theirs'),
  ...refused('full_determinism', 'on the CPU equal seeds give equal weights bit for bit'),
  ...refused('use_cpu', 'the device is chosen in `SentenceTransformer.load`'),
  ...refused('push_to_hub hub_token hub_private_repo hub_model_id hub_strategy hub_always_push hub_revision', UPLOAD),
  ...refused('save_on_each_node log_on_each_node log_level_replica average_tokens_across_devices', ONE_DEVICE),
  ...refused('accelerator_config parallelism_config ddp_find_unused_parameters ddp_bucket_cap_mb', ONE_DEVICE),
  ...refused('ddp_broadcast_buffers ddp_static_graph ddp_backend ddp_timeout fsdp fsdp_config', ONE_DEVICE),
  ...refused('deepspeed local_rank', ONE_DEVICE),
  ...refused('enable_jit_checkpoint', 'a checkpoint is whole whenever a process ends'),
  ...refused('include_num_input_tokens_seen', '`logTimings` logs tokens per second'),
  ...refused(
    'run_name project trackio_space_id trackio_bucket_id trackio_static_space_id',
    'of services that are not built',
  ),
  ...refused('skip_memory_metrics debug', 'not built; callbacks hear every record'),
  ...refused('do_train do_eval do_predict', 'read by example scripts alone'),
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
  notBuilt('training', ['DDP', 'DataParallel', 'FSDP', 'DeepSpeed'], `${ONE_DEVICE}; so no gather_across_devices`),
  notBuilt('training', ['PEFT', 'LoRA'], 'no adapters yet'),
  notBuilt('training', 'hyperparameter_search', 'a loop over trainers of your own'),
]
