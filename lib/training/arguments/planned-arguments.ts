import type { NotBuilt } from '../../options.js'

/** Off, by any of its names. */
const off: NotBuilt = { harmless: [false, null] }
const none: NotBuilt = { harmless: [null] }
const is = (...harmless: unknown[]): NotBuilt => ({ harmless })

/**
 * Arguments of sentence-transformers' trainer that are not built, some for the reason given: refused as such, not as misspelt. Their values there
 * that ask for what happens here anyway, the defaults above all, are accepted, so that arguments can be carried over.
 */
export const PLANNED_ARGUMENTS: Readonly<Record<string, NotBuilt>> = {
  // optimiser and schedule
  optimTargetModules: none,
  averageTokensAcrossDevices: is(true),
  labelSmoothingFactor: { harmless: [0], instead: 'no loss of sentence-transformers reads it' },
  neftuneNoiseAlpha: { ...none, instead: 'no noise is added to embeddings' },
  // precision and memory
  bf16FullEval: { ...off, instead: 'bf16: true evaluates in bfloat16 too' },
  fp16FullEval: { ...off, instead: 'bf16: true evaluates in bfloat16' },
  tf32: off,
  activationCheckpointingKwargs: { ...none, instead: 'there is nothing to set' },
  gradientCheckpointingKwargs: { ...none, instead: 'there is nothing to set' },
  torchCompile: { ...off, instead: 'the engine is compiled ahead of time' },
  torchCompileBackend: { ...none, instead: 'the engine is compiled ahead of time' },
  torchCompileMode: { ...none, instead: 'the engine is compiled ahead of time' },
  useLigerKernel: { ...off, instead: 'the engine has kernels of its own' },
  ligerKernelConfig: { ...none, instead: 'the engine has kernels of its own' },
  useCache: off,
  torchEmptyCacheSteps: none,
  autoFindBatchSize: { ...off, instead: "miniBatchSize: 'auto' fits any batch into the memory" },
  // logging
  logOnEachNode: is(true),
  loggingNanInfFilter: {
    harmless: [true],
    instead: 'losses that are not finite never count in means; skipped_steps says how many',
  },
  includeNumInputTokensSeen: is('no', false),
  logLevelReplica: is('warning'),
  runName: none,
  project: is('huggingface'),
  trackioSpaceId: is(null, 'trackio'),
  trackioBucketId: none,
  trackioStaticSpaceId: none,
  skipMemoryMetrics: is(true),
  // evaluation
  // sentence-transformers forces it.
  predictionLossOnly: is(true, false),
  evalDoConcatBatches: is(true),
  evalUseGatherObject: off,
  evalAccumulationSteps: none,
  includeForMetrics: is([]),
  batchEvalMetrics: off,
  // saving
  saveOnEachNode: { ...off, instead: 'training runs on one device' },
  enableJitCheckpoint: off,
  ignoreDataSkip: { ...off, instead: 'the batches that were trained on are passed over without being made' },
  restoreCallbackStatesFromCheckpoint: {
    harmless: [true, false, null],
    instead: 'callbacks with state and loadState always get theirs back',
  },
  pushToHub: { ...off, instead: 'save the model and upload the folder' },
  hubToken: none,
  hubPrivateRepo: none,
  hubModelId: none,
  hubStrategy: is('every_save'),
  hubAlwaysPush: off,
  hubRevision: none,
  // data
  dataloaderPinMemory: is(true),
  dataloaderPersistentWorkers: { ...off, instead: 'tokenizer threads live on by themselves' },
  dataloaderPrefetchFactor: none,
  dataloaderMultiprocessingContext: none,
  dataloaderInOrder: is(true),
  removeUnusedColumns: { harmless: [true], instead: 'take columns away with dataset.selectColumns' },
  labelNames: none,
  trainSamplingStrategy: { harmless: ['random'], instead: 'batchSampler chooses the order' },
  lengthColumnName: is('length'),
  routerMapping: is(null, {}),
  // devices
  fullDeterminism: { ...off, instead: 'on the CPU equal seeds give equal weights bit for bit' },
  useCpu: { ...off, instead: 'choose the device in SentenceTransformer.load' },
  acceleratorConfig: none,
  parallelismConfig: none,
  ddpFindUnusedParameters: off,
  ddpBucketCapMb: none,
  ddpBroadcastBuffers: off,
  ddpStaticGraph: off,
  ddpBackend: none,
  ddpTimeout: is(1800),
  fsdp: is(null, '', []),
  fsdpConfig: none,
  deepspeed: { ...none, instead: 'training runs on one device' },
  localRank: is(-1),
  debug: is('', []),
  // read by transformers' example scripts alone
  doTrain: off,
  doEval: off,
  doPredict: off,
}

/** Schedules of transformers that are not built: their rate depends on evaluations. */
export const PLANNED_SCHEDULERS: readonly string[] = ['reduce_lr_on_plateau', 'greedy']
