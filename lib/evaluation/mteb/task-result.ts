import type { ClassificationScores } from './classification-scores.js'

/** The published data set that the task names. */
const DATASET_REVISION = '0fd18e25b25c072e09e0d92ab615fda904d66300'
/** The version of MTEB whose procedure and file format this is. */
const MTEB_VERSION = '2.20.0'

/** MTEB's result file of the task: the scores of every experiment and their means, six decimals. */
export function taskResult(
  experiments: readonly ClassificationScores[],
  means: ClassificationScores,
  seconds: number,
): string {
  // Average precision is of binary tasks alone.
  const entry = (scores: ClassificationScores) => ({ ...rounded(scores), ap: null, ap_weighted: null })
  const scores = {
    scores_per_experiment: experiments.map(entry),
    ...entry(means),
    main_score: round(means.accuracy),
    hf_subset: 'default',
    languages: ['eng-Latn'],
  }
  const result = {
    dataset_revision: DATASET_REVISION,
    task_name: 'Banking77Classification',
    mteb_version: MTEB_VERSION,
    scores: { test: [scores] },
    evaluation_time: seconds,
    kg_co2_emissions: null,
  }
  return `${JSON.stringify(result, null, 4)}\n`
}

function rounded(scores: ClassificationScores): ClassificationScores {
  const entries = Object.entries(scores).map(([key, value]) => [key, round(value as number)])
  return Object.fromEntries(entries) as unknown as ClassificationScores
}

function round(value: number): number {
  return Number(value.toFixed(6))
}
