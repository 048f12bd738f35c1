import { loadAddon } from './load.js'
import { type RunningProfile, startProfile } from './profile.js'

export type { Profile, ProfilePart, RunningProfile, TraceEvent } from './profile.js'

/**
 * Measures from here on which parts of a training step or of encoding take the engine how long, for all models of the process:
 *
 *     const profile = engine.profile()
 *     await model.encode(texts)
 *     const { parts, busyMs, wallMs } = profile.stop('trace.json')
 *
 * The trace file is of Chrome's trace-event format, which ui.perfetto.dev and chrome://tracing open. Without a change of the
 * program: `SENTENCE_TORCH_PROFILE=1` (or a file name) prints the parts and writes the trace when the process ends.
 *
 * @throws ERR_BUSY where a profile is running; ERR_ADDON_LOAD
 */
export function profile(): RunningProfile {
  return startProfile(loadAddon())
}
