import type { Dataset } from '../../data/dataset.js'
import type { StepReport } from '../../native/types.js'
import { accumulationNegatives } from './accumulation.js'
import type { ReportCheck, StartCheck } from './check.js'
import { Collapse } from './collapse.js'
import { ColumnChecks } from './columns.js'
import type { RunFacts } from './facts.js'
import { GradientNotFinite, GradientZero } from './gradient-norm.js'
import { labelRange, labelsConstant } from './labels.js'
import { evalLeak } from './leak.js'
import { MaskedNegatives } from './masked-negatives.js'
import { normalizedMargin } from './normalized-margin.js'
import { truncation } from './truncation.js'
import { unusedArguments } from './unused-arguments.js'
import { warmupTooLong } from './warmup.js'
import type { TrainingWarning } from './warning.js'

const START_CHECKS: readonly StartCheck[] = [
  ...[unusedArguments, warmupTooLong, accumulationNegatives, normalizedMargin],
  ...[labelsConstant, labelRange, evalLeak, truncation],
]

/** All health checks of one run. */
export class HealthMonitor {
  readonly #facts: Omit<RunFacts, 'maxSteps' | 'warmupSteps'>
  #reportChecks: readonly ReportCheck[]
  readonly #columns: ColumnChecks

  constructor(facts: Omit<RunFacts, 'maxSteps' | 'warmupSteps'>) {
    this.#facts = facts
    this.#columns = new ColumnChecks({ checksOrder: !facts.hasOtherColumns })
    this.#reportChecks = [
      ...(facts.isClassifier ? [] : [new Collapse()]),
      ...[new MaskedNegatives(), new GradientZero(), new GradientNotFinite()],
    ]
  }

  /** Checks arguments, losses and data, without blocking the event loop. */
  async start({ maxSteps, warmupSteps }: Pick<RunFacts, 'maxSteps' | 'warmupSteps'>): Promise<TrainingWarning[]> {
    const warnings: TrainingWarning[] = []
    const facts = { ...this.#facts, maxSteps, warmupSteps }
    const { train, evaluation } = facts
    for (const { name, dataset } of train) warnings.push(...this.checkColumns('trainDataset', name, dataset))
    for (const { name, dataset } of evaluation) warnings.push(...this.checkColumns('evalDataset', name, dataset))
    for (const check of START_CHECKS) warnings.push(...(await check(facts)))
    return warnings
  }

  /**
   * Checks the columns of a dataset, or of the first batch of a stream.
   * @param which `trainDataset` or `evalDataset`
   * @param name of the dataset, '' for a single one
   */
  checkColumns(which: string, name: string, dataset: Dataset): TrainingWarning[] {
    return this.#columns.check(name === '' ? which : `${which}.${name}`, dataset)
  }

  /** Checks the report of a step. Each check warns once. */
  observe(report: StepReport): TrainingWarning[] {
    const warnings: TrainingWarning[] = []
    this.#reportChecks = this.#reportChecks.filter((check) => {
      const warning = check.observe(report)
      if (warning !== undefined) warnings.push(warning)
      return warning === undefined
    })
    return warnings
  }
}
