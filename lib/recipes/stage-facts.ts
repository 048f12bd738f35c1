/** What a stage's training tells the card of the final model, which another process may write: `facts.json` beside the stage's model. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../io/atomic.js'
import { absent } from '../io/files.js'
import {
  anything,
  arrayOf,
  integer,
  number,
  object,
  oneOf,
  optional,
  parseJson,
  recordOf,
  type Schema,
  text,
} from '../io/schema.js'
import { failedTo } from '../io/system-error.js'
import type { TrainingFacts } from '../models/card/facts.js'

const FILE = 'facts.json'

/** A number that is not finite is null in JSON: a correlation of equal similarities, for one. */
const measured: Schema<number> = (value, place) => (value === null ? Number.NaN : number()(value, place))

const DATASET = object({
  name: optional(text()),
  size: optional(integer(0)),
  columns: arrayOf(object({ name: text(), type: text(), modality: text(), details: arrayOf(text()) })),
  samples: arrayOf(arrayOf(text())),
  loss: object({ name: text(), options: recordOf(anything) }),
})

const FACTS = object({
  format: oneOf(1),
  baseModel: optional(text()),
  train: arrayOf(DATASET),
  evaluation: arrayOf(DATASET),
  losses: arrayOf(object({ name: text(), citation: optional(text()) })),
  hyperparameters: recordOf(anything),
  nonDefault: recordOf(anything),
  evaluators: arrayOf(object({ className: text(), name: text(), metrics: recordOf(measured), primary: text() })),
  logs: arrayOf(recordOf(measured)),
  bestStep: optional(integer(0)),
  seconds: object({ total: number(0), evaluation: number(0) }),
  examples: arrayOf(arrayOf(text())),
  versions: recordOf(text()),
})

export async function writeFacts(folder: string, facts: TrainingFacts): Promise<void> {
  const known = (_key: string, value: unknown) => (value === undefined ? null : value)
  await writeFileAtomic(join(folder, FILE), `${JSON.stringify({ format: 1, ...facts }, known, 2)}\n`)
}

/** Undefined where an earlier version made the stage. @throws ERR_INVALID_FILE, ERR_FILE_SYSTEM */
export async function readFacts(folder: string): Promise<TrainingFacts | undefined> {
  const file = join(folder, FILE)
  const json = await readFile(file)
    .catch(absent(undefined))
    .catch(failedTo(`read ${file}`))
  if (json === undefined) return undefined
  const { format: _, ...facts } = parseJson(json, file, FACTS)
  return facts as unknown as TrainingFacts
}

/** Of a model that was trained twice: all data and losses, and how the last training went. */
export function joinedFacts(first: TrainingFacts | undefined, last: TrainingFacts): TrainingFacts {
  if (first === undefined) return last
  const own = new Set(last.losses.map(({ name }) => name))
  return {
    ...last,
    baseModel: first.baseModel,
    train: [...first.train, ...last.train],
    losses: [...first.losses.filter(({ name }) => !own.has(name)), ...last.losses],
  }
}
