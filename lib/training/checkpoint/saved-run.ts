import type { Position } from '../batches/batch.js'
import type { CallbackState, LogRecord, TrainerState } from '../callbacks/callbacks.js'
import type { SavedLossLog } from '../reporting/loss-log.js'

/** The content of a checkpoint besides tensors, so that a later process can continue as if nothing had happened. */
export interface SavedRun {
  state: Omit<TrainerState, 'logHistory'> & { logHistory: LogRecord[] }
  position: Position
  losses: SavedLossLog
  /** Learning rate of the last step. */
  learningRate: number
  /** Updates that the loss scaler skipped, for which the schedule waits. */
  skippedByScaler?: number
  shouldEpochStop: boolean
  /** State of the callbacks, by the names of their classes. */
  callbacks: Record<string, CallbackState>
}
