import { hostname } from 'node:os'
import { join } from 'node:path'
import type { TrainingArguments } from '../arguments/arguments.js'
import type { TrainerCallback } from '../callbacks/callbacks.js'

/** A callback that writes the log of a run. */
export interface Reporter extends TrainerCallback {
  /** Writes the remaining records, also after an error of the run. Idempotent. */
  close(): Promise<void>
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `loggingDir`, or by default transformers' name: `outputDir/runs/Nov22_04-11-14_host`. */
export function logFolder(args: Readonly<TrainingArguments>, now = new Date(), host = hostname()): string {
  if (args.loggingDir !== null) return args.loggingDir
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${MONTHS[now.getMonth()]}${two(now.getDate())}`
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join('-')
  return join(args.outputDir, 'runs', `${day}_${time}_${host}`)
}
