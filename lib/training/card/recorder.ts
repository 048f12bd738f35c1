import type { DataSource } from '../../data/feed.js'
import type { EvaluationResult } from '../../evaluation/evaluator.js'
import type { EvaluatorFacts, TrainingFacts } from '../../models/card/facts.js'
import { loadAddon } from '../../native/load.js'
import type { TrainingArguments } from '../arguments/arguments.js'
import type { LossSet, TrainableLoss } from '../batches/loss-set.js'
import type { LogRecord } from '../callbacks/callbacks.js'
import { datasetFacts, examplePairs, exampleTexts, type TokenLengths } from './dataset-facts.js'
import { evaluatorFacts } from './evaluator-facts.js'
import { hyperparameters } from './hyperparameters.js'
import { lossFacts } from './loss-facts.js'

export interface RecorderParts<L extends TrainableLoss> {
  args: Readonly<TrainingArguments>
  losses: LossSet<L>
  trainDataset: DataSource
  evalDataset: DataSource | undefined
  lengthsOf: TokenLengths
  /** Whether examples are pairs, as cross-encoders take them. */
  hasPairs: boolean
}

type FixedFacts = Pick<TrainingFacts, 'train' | 'evaluation' | 'losses' | 'hyperparameters' | 'nonDefault' | 'examples'>

/** Keeps what the card of the trained model will say. */
export class CardRecorder {
  /** What does not change while the model is trained. The datasets themselves are not kept: the model may live longer. */
  readonly #fixed: FixedFacts
  readonly #evaluators = new Map<object, EvaluatorFacts>()
  readonly #primary = new Set<string>()
  readonly #start = performance.now()
  /** The step of the best checkpoint, once the model has its weights. */
  bestStep: number | undefined

  static async of<L extends TrainableLoss>(parts: RecorderParts<L>): Promise<CardRecorder> {
    const { args, trainDataset, evalDataset, losses, lengthsOf, hasPairs } = parts
    const { all, nonDefault } = hyperparameters(args)
    return new CardRecorder({
      train: await datasetFacts(trainDataset, losses, lengthsOf),
      evaluation: await datasetFacts(evalDataset, losses, lengthsOf),
      losses: lossFacts(losses.all.map(({ loss }) => loss)),
      ...{ hyperparameters: all, nonDefault },
      examples: (hasPairs ? examplePairs : exampleTexts)(evalDataset ?? trainDataset),
    })
  }

  private constructor(fixed: FixedFacts) {
    this.#fixed = fixed
  }

  /** Keeps the last result of an evaluator, or of each inside of it. */
  evaluated(evaluator: object, result: EvaluationResult): void {
    for (const each of evaluatorFacts(evaluator, result)) {
      this.#primary.add(each.primaryMetric)
      this.#evaluators.set(each.evaluator, each.facts)
    }
  }

  /** What is known by now. @param history records of the log */
  facts(history: readonly LogRecord[]): TrainingFacts {
    const evaluation = history.reduce((sum, { eval_runtime = 0 }) => sum + eval_runtime, 0)
    const total = Math.max((performance.now() - this.#start) / 1000, evaluation)
    const { addonVersion, libtorchVersion } = loadAddon().runtime()
    return {
      ...this.#fixed,
      ...{ evaluators: [...this.#evaluators.values()], logs: this.#logs(history) },
      ...{ bestStep: this.bestStep, seconds: { total, evaluation } },
      versions: { 'sentence-torch': addonVersion, Node: process.versions.node, LibTorch: libtorchVersion },
    }
  }

  /** A row for each step with a loss or an evaluation. Source: `on_log`, `on_evaluate`, `set_evaluation_metrics`. */
  #logs(history: readonly LogRecord[]): Record<string, number>[] {
    const rows = new Map<number, Record<string, number>>()
    // Not the parts of a loss, which a log has beside it.
    const named = this.#fixed.evaluation.map(({ name }) => `eval_${name}_loss`)
    for (const { step = 0, epoch = 0, ...record } of history) {
      const found = Object.entries(record).flatMap(([key, value]): [string, number][] => {
        const plain = key.replace(/^eval_/, '')
        if (key === 'loss') return [['Training Loss', value]]
        if (key === 'eval_loss') return [['Validation Loss', value]]
        if (named.includes(key)) return [[plain.replaceAll('_', ' '), value]]
        return key !== plain && this.#primary.has(plain) ? [[plain, value]] : []
      })
      if (found.length === 0) continue
      rows.set(step, { ...(rows.get(step) ?? { Epoch: epoch, Step: step }), ...Object.fromEntries(found) })
    }
    return [...rows.values()]
  }
}
