/** The card of a run's model, with all that the run has measured. */
import { join } from 'node:path'
import { writeFileAtomic } from '../io/atomic.js'
import type { TrainingFacts } from '../models/card/facts.js'
import { evaluatorFacts } from '../training/card/evaluator-facts.js'
import { type Evaluators, MEASURED, type Measured } from './metrics.js'
import type { RecipeModel } from './model-kind.js'

/**
 * Writes README.md in the folder `path` anew.
 * @param training what was known when the model was saved: the time of these measurements is not the training's
 */
export async function writeMeasuredCard(
  model: RecipeModel,
  path: string,
  training: TrainingFacts,
  evaluators: Evaluators,
  measured: Measured,
): Promise<void> {
  const now = MEASURED.flatMap((role) => {
    const [evaluator, result] = [evaluators[role], measured[role]]
    return evaluator && result ? evaluatorFacts(evaluator, result).map((each) => each.facts) : []
  })
  const isAgain = (old: (typeof now)[number]) =>
    now.some(({ className, name }) => className === old.className && name === old.name)
  const all = { ...training, evaluators: [...training.evaluators.filter((old) => !isAgain(old)), ...now] }
  model.trainingFacts = () => all
  const text = await model.cardText(path)
  if (text !== undefined) await writeFileAtomic(join(path, 'README.md'), text)
}
