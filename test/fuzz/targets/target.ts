import type { Case } from '../case.js'
import type { Random } from '../random.js'

/** Something that reads what strangers wrote. */
export interface Target {
  /** What is made once in a process. @param folder for files of the target */
  open?(folder: string): Promise<void>
  make(random: Random): Case
  /** Runs the case in `folder`, which holds what the case before left. @throws what the code under test throws; Bad */
  run(given: Case, folder: string): Promise<void>
  /** A case that changes nothing. */
  warm: Case
  /** Whether errors of the addon come as they are. */
  native?: boolean
  /** Whether the network of this machine is spoken to. */
  online?: boolean
}
