/** What can look wrong in a run. docs/reporting.md says what each code means and what to do. */
export type WarningCode =
  | 'WARN_COLLAPSE' // embeddings of different texts are nearly equal
  | 'WARN_MASKED_NEGATIVES' // most in-batch negatives are masked as false ones
  | 'WARN_GRADIENT_ZERO'
  | 'WARN_GRADIENT_NOT_FINITE'
  | 'WARN_EVAL_LEAK' // texts of the evaluation data are in the training data
  | 'WARN_LABELS_CONSTANT' // all rows have the same label
  | 'WARN_LABEL_RANGE' // labels that a cosine can never reach, or other labels than the loss takes
  | 'WARN_TRUNCATION' // many texts are longer than the model reads
  | 'WARN_UNUSED_ARGUMENTS' // arguments that nothing reads: fp16 on the CPU, evalSteps or an evaluator without evalStrategy
  | 'WARN_WARMUP_TOO_LONG' // the learning rate never reaches its peak
  | 'WARN_NORMALIZED_MARGIN' // a margin or score that normalised embeddings cannot reach
  | 'WARN_COLUMN_ORDER' // the order of the columns is against their names, or differs between datasets
  | 'WARN_COLUMN_NAME' // a name with blanks around it, or nearly that of labels
  | 'WARN_ID_COLUMN' // ids or numbers that are trained on as texts
  | 'WARN_EMPTY_TEXTS' // texts that are empty, or "nan"
  | 'WARN_ACCUMULATION_NEGATIVES' // gradient accumulation does not add in-batch negatives

export interface TrainingWarning {
  readonly code: WarningCode
  /** What was found, with figures. */
  readonly message: string
  /** What to do about it. */
  readonly remedy: string
}

/** Emits a warning of the process. Node prints it unless told otherwise. */
export function emitProcessWarning({ code, message, remedy }: TrainingWarning): void {
  process.emitWarning(message, { type: 'SentenceTorchWarning', code, detail: remedy })
}
