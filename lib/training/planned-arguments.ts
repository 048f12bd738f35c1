import type { NotBuilt } from '../options.js'

/** Off, by any of its names. */
const off: NotBuilt = { harmless: [false, null] }
const none: NotBuilt = { harmless: [null] }
const is = (...harmless: unknown[]): NotBuilt => ({ harmless })

/**
 * Arguments of sentence-transformers' trainer that are not built yet: refused as such, not as misspelt. Their values there
 * that ask for what happens here anyway, the defaults above all, are accepted, so that arguments can be carried over.
 */
export const PLANNED_ARGUMENTS: Readonly<Record<string, NotBuilt>> = {
  // optimiser and schedule
  optimTargetModules: none,
  averageTokensAcrossDevices: is(true),
  labelSmoothingFactor: is(0),
  neftuneNoiseAlpha: none,
  // precision and memory
  bf16FullEval: { ...off, instead: 'bf16: true evaluates in bfloat16 too' },
  fp16FullEval: off,
  tf32: off,
  activationCheckpointingKwargs: none,
  gradientCheckpointingKwargs: none,
  torchCompile: off,
  torchCompileBackend: none,
  torchCompileMode: none,
  useLigerKernel: off,
  ligerKernelConfig: none,
  useCache: off,
  torchEmptyCacheSteps: none,
  autoFindBatchSize: off,
  // logging
  logOnEachNode: is(true),
  loggingNanInfFilter: is(true),
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
  saveOnEachNode: off,
  enableJitCheckpoint: off,
  ignoreDataSkip: off,
  restoreCallbackStatesFromCheckpoint: off,
  pushToHub: off,
  hubToken: none,
  hubPrivateRepo: none,
  hubModelId: none,
  hubStrategy: is('every_save'),
  hubAlwaysPush: off,
  hubRevision: none,
  // data
  dataloaderPinMemory: is(true),
  dataloaderPersistentWorkers: off,
  dataloaderPrefetchFactor: none,
  dataloaderMultiprocessingContext: none,
  dataloaderInOrder: is(true),
  removeUnusedColumns: is(true),
  labelNames: none,
  trainSamplingStrategy: is('random'),
  lengthColumnName: is('length'),
  routerMapping: is(null, {}),
  // devices
  fullDeterminism: off,
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
  deepspeed: none,
  localRank: is(-1),
  debug: is('', []),
  // read by transformers' example scripts alone
  doTrain: off,
  doEval: off,
  doPredict: off,
}

/** Schedules of transformers that are not built: their rate depends on evaluations. */
export const PLANNED_SCHEDULERS: readonly string[] = ['reduce_lr_on_plateau', 'greedy']
