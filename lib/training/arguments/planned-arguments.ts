import type { NotBuilt } from '../../options.js'

/** Off, by any of its names. */
const OFF = [false, null]
const NONE = [null]

/** Arguments that are refused for one reason, each with the values that are accepted anyway. */
const refused = (reason: string, names: Readonly<Record<string, readonly unknown[]>>): [string, PlannedArgument][] =>
  Object.entries(names).map(([name, harmless]) => [name, { harmless, instead: reason }])

/** An argument of sentence-transformers' trainer that is not built. `instead`: why, and what does its work. */
export type PlannedArgument = Required<NotBuilt>

/**
 * Arguments of sentence-transformers' trainer that are not built. They are refused with a reason, not as misspelt. Values with no effect
 * here are accepted, above all the defaults, so that existing arguments can be kept. The rows of docs/training.md and of the parity
 * manifest come from this table.
 */
export const PLANNED_ARGUMENTS: Readonly<Record<string, PlannedArgument>> = Object.fromEntries([
  // length, batches, data
  ...refused("miniBatchSize: 'auto' fits any batch into the memory", { autoFindBatchSize: OFF }),
  ...refused('remove columns with dataset.selectColumns', { removeUnusedColumns: [true] }),
  ...refused('batchSampler chooses the order', { trainSamplingStrategy: ['random'], lengthColumnName: ['length'] }),
  ...refused('tokenizer threads stay alive anyway', { dataloaderPersistentWorkers: OFF }),
  ...refused('batches are made two steps ahead', {
    dataloaderPinMemory: [true],
    dataloaderPrefetchFactor: NONE,
    dataloaderMultiprocessingContext: NONE,
    dataloaderInOrder: [true],
  }),
  // optimiser, precision, memory
  ...refused('no loss of sentence-transformers reads it', { labelSmoothingFactor: [0] }),
  ...refused('no noise is added to embeddings', { neftuneNoiseAlpha: NONE }),
  ...refused('it is for GaLore and similar optimisers, which are not built', { optimTargetModules: NONE }),
  ...refused('bf16: true evaluates in bfloat16 too', { bf16FullEval: OFF }),
  ...refused('bf16: true evaluates in bfloat16', { fp16FullEval: OFF }),
  ...refused('the variable SENTENCE_TORCH_TF32 sets it for a CUDA build', { tf32: OFF }),
  ...refused('there is nothing to set', { gradientCheckpointingKwargs: NONE, activationCheckpointingKwargs: NONE }),
  ...refused('the engine is compiled ahead of time', {
    torchCompile: OFF,
    torchCompileBackend: NONE,
    torchCompileMode: NONE,
  }),
  ...refused('the engine has kernels of its own', { useLigerKernel: OFF, ligerKernelConfig: NONE }),
  ...refused('nothing here generates text', { useCache: OFF }),
  ...refused('the memory of CUDA is not emptied between steps', { torchEmptyCacheSteps: NONE }),
  // evaluation
  ...refused('sentence-transformers does nothing with it', {
    labelNames: NONE,
    predictionLossOnly: [true, false],
    includeForMetrics: [[]],
    batchEvalMetrics: OFF,
    evalAccumulationSteps: NONE,
    evalDoConcatBatches: [true],
    evalUseGatherObject: OFF,
  }),
  // logging
  ...refused('losses that are not finite never count in means; skipped_steps says how many', {
    loggingNanInfFilter: [true],
  }),
  ...refused('logTimings logs tokens per second', { includeNumInputTokensSeen: ['no', false] }),
  ...refused('it is for services that are not built', {
    project: ['huggingface'],
    trackioSpaceId: [null, 'trackio'],
    trackioBucketId: NONE,
    trackioStaticSpaceId: NONE,
  }),
  ...refused('callbacks get every record', { skipMemoryMetrics: [true], debug: ['', []] }),
  // checkpoints
  ...refused('a checkpoint is whole whenever a process ends', { enableJitCheckpoint: OFF }),
  ...refused('finished batches are skipped without being made', { ignoreDataSkip: OFF }),
  ...refused('callbacks with state and loadState always get their state back', {
    restoreCallbackStatesFromCheckpoint: [true, false, null],
  }),
  ...refused('save the model and upload the folder', {
    pushToHub: OFF,
    hubToken: NONE,
    hubPrivateRepo: NONE,
    hubModelId: NONE,
    hubStrategy: ['every_save'],
    hubAlwaysPush: OFF,
    hubRevision: NONE,
  }),
  // devices
  ...refused('on the CPU equal seeds give equal weights bit for bit', { fullDeterminism: OFF }),
  ...refused('choose the device in SentenceTransformer.load', { useCpu: OFF }),
  ...refused('docs/distributed.md says how several processes train', {
    saveOnEachNode: OFF,
    logOnEachNode: [true],
    logLevelReplica: ['warning'],
    averageTokensAcrossDevices: [true],
    acceleratorConfig: NONE,
    parallelismConfig: NONE,
    ddpFindUnusedParameters: OFF,
    ddpBucketCapMb: NONE,
    ddpBroadcastBuffers: OFF,
    ddpStaticGraph: OFF,
    ddpBackend: NONE,
    fsdp: [null, '', []],
    fsdpConfig: NONE,
    deepspeed: NONE,
    localRank: [-1],
  }),
  ...refused('only the example scripts of transformers read it', { doTrain: OFF, doEval: OFF, doPredict: OFF }),
])

/** Schedules of transformers that are not built: their rate depends on evaluations. */
export const PLANNED_SCHEDULERS: readonly string[] = ['reduce_lr_on_plateau', 'greedy']
