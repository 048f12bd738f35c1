import { type DataSource, isDataset, sourcesOf } from '../../data/feed.js'
import type { TrainerSpec } from '../../native/types.js'
import type { TrainableLoss } from '../batches/loss-set.js'
import type { NamedDataset, RunFacts } from '../health/facts.js'
import type { SessionParts } from './session-parts.js'
import type { TrainableModel } from './trainable-model.js'

/** Facts for the health checks about a run whose length is not known yet. */
export function runFacts<M extends TrainableModel, L extends TrainableLoss>(
  parts: SessionParts<M, L>,
  specs: TrainerSpec['losses'],
): Omit<RunFacts, 'maxSteps' | 'warmupSteps'> {
  const { args, given, losses, model, trainDataset, evalDataset, evaluator, modelFacts } = parts
  return {
    ...{ args, given, device: model.device },
    hasEvaluation: evalDataset !== undefined || evaluator !== undefined,
    losses: losses.all.map(({ name, loss }, i) => ({
      name,
      type: loss.type,
      spec: specs[i]!.spec,
      readsLabels: loss.requirements?.labels !== 'none',
      inBatchNegatives: loss.requirements?.inBatchNegatives === true,
    })),
    train: datasetsInMemory(trainDataset),
    evaluation: evalDataset === undefined ? [] : datasetsInMemory(evalDataset),
    ...modelFacts,
  }
}

function datasetsInMemory(source: DataSource): NamedDataset[] {
  return sourcesOf(source).flatMap(([name, dataset]) => (isDataset(dataset) ? [{ name, dataset }] : []))
}
