import type { ConfigObject } from '../../native/types.js'
import type { TrainingArguments } from '../arguments/arguments.js'
import type { TrainerCallback } from '../callbacks/callbacks.js'
import { CsvReporter } from './csv.js'
import { JsonLinesReporter } from './json-lines.js'
import { MlflowReporter } from './mlflow.js'
import { mlflowSettings } from './mlflow-settings.js'
import { SafeOutput } from './output.js'
import { Progress, type ProgressOutput } from './progress.js'
import { logFolder, type Reporter } from './reporter.js'
import { TensorBoardReporter } from './tensorboard.js'

/** What services are told of a run beside its log. */
export interface ReportedRun {
  modelConfig?: ConfigObject
  signal?: AbortSignal | undefined
}

/** Everything that shows or writes the log of one run. */
export class Reporting {
  /** They are called after the user's callbacks. */
  readonly callbacks: readonly TrainerCallback[]
  readonly #progress: Progress | undefined
  readonly #reporters: readonly Reporter[]
  readonly #printsMessages: boolean
  readonly #messages: SafeOutput
  readonly #output: SafeOutput | undefined

  /**
   * @param output where progress is shown, `false` for nowhere
   * @param messages where messages of `logLevel` go if `output` is not a terminal, since its lines are JSON then
   * @param run for services
   * @throws ERR_INVALID_ARGUMENT, ERR_NOT_IMPLEMENTED for settings of a service
   */
  constructor(
    args: Readonly<TrainingArguments>,
    output: ProgressOutput | false,
    messages: ProgressOutput = process.stderr,
    run: ReportedRun = {},
  ) {
    this.#output = output === false ? undefined : new SafeOutput(output, 'the output of the progress')
    this.#progress = this.#output && new Progress(this.#output)
    this.#reporters = reporters(args, run)
    this.#printsMessages = ['detail', 'debug', 'info'].includes(args.logLevel)
    this.#messages = new SafeOutput(messages, 'the output of the messages')
    this.callbacks = [...this.#reporters, ...(this.#progress ? [this.#progress] : [])]
  }

  /** Prints a message of level INFO (reporting/messages.ts) if `logLevel` asks for it. */
  say(text: string): void {
    if (!this.#printsMessages) return
    if (this.#progress?.isTerminal) this.#progress.print(text)
    else this.#messages.write(`${text}\n`)
  }

  /** Writes the remaining records, also after an error. Idempotent. */
  async close(): Promise<void> {
    this.#progress?.close()
    for (const reporter of this.#reporters) await reporter.close()
    this.#output?.close()
    this.#messages.close()
  }
}

function reporters(args: Readonly<TrainingArguments>, { modelConfig, signal }: ReportedRun): Reporter[] {
  const names = [args.reportTo].flat().filter((name) => name !== 'none')
  if (names.length === 0) return []
  const folder = logFolder(args)
  return [...new Set(names)].flatMap((name): Reporter[] => {
    if (name === 'tensorboard') return [new TensorBoardReporter(folder)]
    if (name !== 'mlflow') return [name === 'csv' ? new CsvReporter(folder) : new JsonLinesReporter(folder)]
    const settings = mlflowSettings(args.mlflowTrackingUri)
    return settings ? [new MlflowReporter({ settings, modelConfig, isStopped: () => signal?.aborted === true })] : []
  })
}
