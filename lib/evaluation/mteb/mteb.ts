import type { Dataset } from '../../data/dataset.js'
import { isDataset } from '../../data/feed.js'
import { invalidArgument } from '../../errors.js'
import { checkInteger, checkOneOf, checkOptions, checkType } from '../../options.js'
import type { ClassificationData } from '../class-labels.js'
import type { EvaluatedModel } from '../evaluator.js'
import { labelledTexts } from '../labelled-texts.js'
import { Banking77Classification } from './banking77.js'
import type { MtebTaskResult } from './task-result.js'

const TASKS = ['Banking77Classification'] as const
export type MtebTaskName = (typeof TASKS)[number]

/** The splits of a task: data sets with a column of texts and one of labels, in the published order, or plain arrays. */
export interface MtebData {
  train: Dataset | ClassificationData
  test: Dataset | ClassificationData
}

export interface MtebRunOptions {
  /** The task's splits, or the splits by task name where there are several tasks. */
  data: MtebData | Readonly<Partial<Record<MtebTaskName, MtebData>>>
  /** Folder for MTEB's result files, `<task>.json`. Default: none. */
  outputFolder?: string
  /** Texts per batch of `encode`. Default 32. */
  batchSize?: number
  /** Default false. */
  showProgressBar?: boolean
  signal?: AbortSignal
}

/**
 * Runs tasks of MTEB, the benchmark of text embeddings, on the caller's data:
 *
 * ```ts
 * const [result] = await new evaluation.MTEB({ tasks: ['Banking77Classification'] }).run(model, { data: { train, test } })
 * console.log(result.scores.test[0].main_score)
 * ```
 * A Dataset's texts are the column `text`, or the first column of texts. Its labels are the label column, or the other one
 * of two columns. Source: mteb `MTEB`.
 * @throws ERR_INVALID_ARGUMENT for an unknown task, ERR_UNKNOWN_OPTION
 */
export class MTEB {
  readonly tasks: readonly MtebTaskName[]

  constructor(options: { tasks: readonly MtebTaskName[] }) {
    checkOptions('MTEB', options, ['tasks'])
    if (!Array.isArray(options.tasks) || options.tasks.length === 0) {
      throw invalidArgument('tasks', 'an array of names of tasks', options.tasks)
    }
    for (const task of options.tasks) checkOneOf('tasks', task ?? null, TASKS)
    this.tasks = [...new Set(options.tasks)]
  }

  /**
   * One result for each task, in their order, under the names of MTEB's result files.
   * @throws ERR_INVALID_ARGUMENT, ERR_INVALID_DATA for data that do not fit the task; what `encode` throws
   */
  async run(model: EvaluatedModel, options: MtebRunOptions): Promise<MtebTaskResult[]> {
    checkOptions('MTEB.run', options, ['data', 'outputFolder', 'batchSize', 'showProgressBar', 'signal'])
    checkType('outputFolder', options.outputFolder, 'string')
    checkInteger('batchSize', options.batchSize, 1)
    checkType('showProgressBar', options.showProgressBar, 'boolean')
    const { outputFolder: outputPath, batchSize, showProgressBar, signal } = options
    const evaluators = this.tasks.map((task) => {
      const { train, test } = dataOf(options.data, task, this.tasks.length === 1)
      const common = { ...(batchSize !== undefined && { batchSize }), ...(showProgressBar && { showProgressBar }) }
      return new Banking77Classification({ train: textsOf(train, 'train'), test: textsOf(test, 'test'), ...common })
    })
    const results: MtebTaskResult[] = []
    for (const evaluator of evaluators) {
      const context = { ...(outputPath !== undefined && { outputPath }), ...(signal && { signal }) }
      results.push((await evaluator.run(model, context)).result)
    }
    return results
  }
}

function dataOf(data: MtebRunOptions['data'], task: MtebTaskName, isOnly: boolean): MtebData {
  const own = (data as Partial<Record<MtebTaskName, MtebData>> | undefined)?.[task]
  const found = own ?? (isOnly ? (data as MtebData | undefined) : undefined)
  if (found?.train === undefined || found.test === undefined) {
    throw invalidArgument(`data of ${task}`, '{ train, test }', found)
  }
  return found
}

function textsOf(data: Dataset | ClassificationData, split: string): ClassificationData {
  return isDataset(data) ? labelledTexts(data, split) : data
}
