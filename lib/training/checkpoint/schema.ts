import { SentenceTorchError } from '../../errors.js'
import {
  anything,
  arrayOf,
  boolean,
  inside,
  integer,
  type JsonObject,
  number,
  object,
  oneOf,
  optional,
  parseJson,
  recordOf,
  type Schema,
  text,
} from '../../io/schema.js'
import type { CallbackState } from '../callbacks/callbacks.js'
import { OWN_BLOCK, type OwnState } from './checkpoint.js'

/** What `trainer_state.json` holds for this package. */
export interface SavedTrainer {
  own: Omit<OwnState, 'callbacks'>
  /** State of the callbacks, by the names of their classes. */
  callbacks: Record<string, CallbackState>
  /** NaN is null here, because JSON has no NaN. */
  logHistory: Record<string, number | null>[]
}

/**
 * Reads `trainer_state.json` and checks every field that is used later.
 * @throws ERR_INVALID_FILE with file and key for a damaged file and for a file of another program
 */
export function parseTrainerState(bytes: Uint8Array, file: string): SavedTrainer {
  const outer = parseJson(bytes, file, object({ stateful_callbacks: optional(recordOf(anything)) }))
  const { [OWN_BLOCK]: block, ...callbacks } = outer.stateful_callbacks ?? {}
  if ((block as JsonObject | null | undefined)?.format !== 1) {
    throw new SentenceTorchError(
      'ERR_INVALID_FILE',
      `${file} has no entry "${OWN_BLOCK}" of format 1 in stateful_callbacks: training goes on only from checkpoints that this package wrote`,
    )
  }
  const place = { file, key: '', code: 'ERR_INVALID_FILE' } as const
  const own = ownState(block, inside(inside(place, 'stateful_callbacks'), OWN_BLOCK))
  const history = arrayOf(recordOf(orNull(number())))(outer.log_history, inside(place, 'log_history'))
  return {
    own: own as unknown as SavedTrainer['own'],
    callbacks: callbacks as Record<string, CallbackState>,
    logHistory: history,
  }
}

function orNull<T>(schema: Schema<T>): Schema<T | null> {
  return (value, place) => (value === null ? null : schema(value, place))
}

const count = integer(0)
const mean = object({ sum: number(), count, reported: boolean })

const ownState = object({
  format: oneOf(1),
  counters: optional(arrayOf(count)),
  lossScaler: optional(object({ scale: number(0), growthTracker: count })),
  skippedByScaler: optional(count),
  miniBatch: arrayOf(
    object({
      miniBatchRows: optional(integer(1)),
      miniBatchTokens: optional(integer(1)),
      recompute: optional(boolean),
    }),
  ),
  batchRows: optional(integer(1)),
  batchesPerEpoch: optional(count),
  args: recordOf(anything),
  state: object({
    globalStep: count,
    maxSteps: count,
    epoch: number(0),
    numTrainEpochs: count,
    samplesSeen: count,
    skippedSteps: count,
    lastLoss: optional(number()),
    bestMetric: orNull(number()),
    bestGlobalStep: orNull(count),
    bestModelCheckpoint: orNull(text()),
  }),
  position: object({ epoch: count, batches: count }),
  losses: object({
    sinceLog: mean,
    all: mean,
    components: recordOf(mean),
    gradNorm: orNull(number()),
    skippedSinceLog: count,
    loggedStep: count,
  }),
  learningRate: number(),
  shouldEpochStop: boolean,
})
