/** `serve --learner`: a learner for the first model. */
import { loadEvaluator } from '../recipes/evaluation-spec.js'
import { Learner, type ServedModel } from '../serve/index.js'
import { numberOf, textOf, UsageError, type Values } from './command.js'
import { evaluationSpec } from './evaluate-model.js'
import type { Io } from './io.js'
import { tellBadRows } from './progress.js'

/** Starts the learner, as soon as there is a model. */
export type StartLearner = (served: ServedModel) => Promise<Learner>

/**
 * Reads what versions are measured on, before a model is loaded in vain.
 * @returns undefined without `--learner`
 * @throws UsageError; what reading the data throws
 */
export async function learnerOf(values: Values, io: Io): Promise<StartLearner | undefined> {
  const [folder, on, every] = [
    textOf(values, 'learner'),
    textOf(values, 'learner-on'),
    numberOf(values, 'learner-every'),
  ]
  if (folder === undefined) {
    const idle = (['learner-on', 'learner-every'] as const).find((name) => values.options[name] !== undefined)
    if (idle !== undefined) throw misuse(`--${idle} is for --learner`)
    return undefined
  }
  if (on === undefined) throw misuse('--learner needs what versions are measured on: --learner-on <data>')
  const options = { signal: io.signal, where: '--learner-on', onBadRows: (bad: BadRows) => tellBadRows(bad, io.err) }
  const evaluator = await loadEvaluator(await evaluationSpec(on, values, io), options)
  return (served) => Learner.start({ served, folder, evaluator, ...(every !== undefined && { every }) })
}

type BadRows = Parameters<typeof tellBadRows>[0]

const misuse = (message: string) => new UsageError('ERR_INVALID_ARGUMENT', message, 'serve')
