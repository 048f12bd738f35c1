import { invalidArgument } from '../../errors.js'
import { checkOneOf, checkType } from '../../options.js'

const LOG_LEVELS = ['passive', 'detail', 'debug', 'info', 'warning', 'error', 'critical'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

const REPORTERS = ['none', 'tensorboard', 'jsonl', 'csv'] as const
export type ReportTo = (typeof REPORTERS)[number]
/** Reporters of transformers that are not built. */
const PLANNED_REPORTERS = [
  ...['all', 'azure_ml', 'clearml', 'codecarbon', 'comet_ml', 'dagshub', 'dvclive', 'flyte', 'kubeflow', 'mlflow'],
  ...['neptune', 'swanlab', 'trackio', 'wandb'],
]

/** Checks the arguments of the log. @throws ERR_INVALID_ARGUMENT; ERR_NOT_IMPLEMENTED for reporters of transformers */
export function checkLogArguments(args: {
  logLevel: unknown
  reportTo: unknown
  loggingDir: unknown
  logTimings: unknown
}): void {
  checkOneOf('logLevel', args.logLevel, LOG_LEVELS)
  for (const name of [args.reportTo].flat()) checkOneOf('reportTo', name, REPORTERS, PLANNED_REPORTERS)
  if (args.loggingDir !== null && (typeof args.loggingDir !== 'string' || args.loggingDir === '')) {
    throw invalidArgument('loggingDir', 'the path of a folder, or null', args.loggingDir)
  }
  checkType('logTimings', args.logTimings, 'boolean')
}
