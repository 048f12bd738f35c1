/** What a search is made of. */
import type { RecipeEvaluator } from '../model-kind.js'
import type { StageInputs } from '../stages.js'
import type { spaceOf, TrialSettings } from './space.js'
import type { TrialParts } from './trial.js'

/** What compares trials. */
export interface DevSource {
  all: RecipeEvaluator
  /** How many rows it has, where some of them can be drawn. */
  rows?: number
  sample?(rows: number): RecipeEvaluator | Promise<RecipeEvaluator>
}

export interface SearchParts extends TrialParts {
  dev: DevSource
  space: ReturnType<typeof spaceOf>
  /** The config's own settings: the first trial. */
  first: TrialSettings
  /** The whole budget, in seconds. */
  budget: number
  /** Seconds until the end of the search that are left now, without those of earlier runs. */
  left: () => number
  /** All that decides the results beside the space. */
  inputs: StageInputs
}
