/** Kinds of the log's arguments. */

export const LOG_LEVELS = ['passive', 'detail', 'debug', 'info', 'warning', 'error', 'critical'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export const REPORTERS = ['none', 'tensorboard', 'jsonl', 'csv', 'mlflow'] as const
export type ReportTo = (typeof REPORTERS)[number]
/** Those of transformers. */
export const PLANNED_REPORTERS: readonly string[] = [
  ...['all', 'azure_ml', 'clearml', 'codecarbon', 'comet_ml', 'dagshub', 'dvclive', 'flyte', 'kubeflow'],
  ...['neptune', 'swanlab', 'trackio', 'wandb'],
]
