/** What can look wrong with a run; docs/reporting.md says for each what it means and what to do. */
export type WarningCode =
  | 'WARN_COLLAPSE' // embeddings of different texts are nearly equal
  | 'WARN_MASKED_NEGATIVES' // most in-batch negatives are masked as false ones
  | 'WARN_GRADIENT_ZERO'
  | 'WARN_GRADIENT_NOT_FINITE'
  | 'WARN_EVAL_LEAK' // texts of the evaluation data are in the training data
  | 'WARN_LABELS_CONSTANT' // all rows have the same label
  | 'WARN_LABEL_RANGE' // labels that a cosine can never reach, or that are not 0 or 1 where they have to be
  | 'WARN_TRUNCATION' // many texts are longer than the model reads
  | 'WARN_EVAL_STEPS_UNUSED' // evalSteps without evalStrategy
  | 'WARN_WARMUP_TOO_LONG' // the learning rate never reaches its peak
  | 'WARN_NORMALIZED_MARGIN' // a margin or score that normalised embeddings cannot reach
  | 'WARN_ACCUMULATION_NEGATIVES' // gradient accumulation does not add in-batch negatives

export interface TrainingWarning {
  readonly code: WarningCode
  /** What was seen, with its figures. */
  readonly message: string
  /** What to do about it. */
  readonly remedy: string
}

/** Passes a warning on to whoever listens to the process; Node prints it unless told otherwise. */
export function emitProcessWarning({ code, message, remedy }: TrainingWarning): void {
  process.emitWarning(message, { type: 'SentenceTorchWarning', code, detail: remedy })
}
