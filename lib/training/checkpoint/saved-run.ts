import type { CallbackState, LogRecord, TrainerState } from '../callbacks/callbacks.js'
import type { SavedLossLog } from '../reporting/loss-log.js'
import type { Position } from '../run/run.js'

/** What a run is, beside tensors: with them all that a later process needs to go on as if nothing had happened. */
export interface SavedRun {
  state: Omit<TrainerState, 'logHistory'> & { logHistory: LogRecord[] }
  position: Position
  losses: SavedLossLog
  /** Of the last step. */
  learningRate: number
  shouldEpochStop: boolean
  /** What callbacks keep, by the names of their classes. */
  callbacks: Record<string, CallbackState>
}
