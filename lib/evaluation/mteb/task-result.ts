import type { ClassificationScores } from './classification-scores.js'

/** The published data set that the task names. */
const DATASET_REVISION = '0fd18e25b25c072e09e0d92ab615fda904d66300'
/** The version of MTEB whose procedure and file format this is. */
const MTEB_VERSION = '2.20.0'

/** Scores of one experiment in MTEB's result. Only binary tasks have average precision. */
export type MtebScores = ClassificationScores & { ap: null; ap_weighted: null }

/** The result of one task, under the names of MTEB's result file. Numbers have six decimals. */
export interface MtebTaskResult {
  dataset_revision: string
  task_name: string
  mteb_version: string
  /** By split: means of all experiments, and the scores of each. */
  scores: { test: [MtebScores & MtebSummary] }
  /** Seconds. */
  evaluation_time: number
  kg_co2_emissions: null
}

interface MtebSummary {
  scores_per_experiment: MtebScores[]
  /** `accuracy`. */
  main_score: number
  hf_subset: 'default'
  languages: ['eng-Latn']
}

/** MTEB's result of the task: the scores of every experiment and their means. */
export function taskResult(
  experiments: readonly ClassificationScores[],
  means: ClassificationScores,
  seconds: number,
): MtebTaskResult {
  const entry = (scores: ClassificationScores): MtebScores => ({ ...rounded(scores), ap: null, ap_weighted: null })
  const summary: MtebScores & MtebSummary = {
    scores_per_experiment: experiments.map(entry),
    ...entry(means),
    main_score: round(means.accuracy),
    hf_subset: 'default',
    languages: ['eng-Latn'],
  }
  return {
    dataset_revision: DATASET_REVISION,
    task_name: 'Banking77Classification',
    mteb_version: MTEB_VERSION,
    scores: { test: [summary] },
    evaluation_time: seconds,
    kg_co2_emissions: null,
  }
}

function rounded(scores: ClassificationScores): ClassificationScores {
  const entries = Object.entries(scores).map(([key, value]) => [key, round(value as number)])
  return Object.fromEntries(entries) as unknown as ClassificationScores
}

function round(value: number): number {
  return Number(value.toFixed(6))
}
