import { loadAddon } from './load.js'
import { type RunningProfile, startProfile } from './profile.js'
import type { DeviceInfo } from './types.js'

export type { Profile, ProfilePart, RunningProfile, TraceEvent } from './profile.js'
export type { DeviceInfo } from './types.js'

/**
 * The devices that a model can be loaded on (`device` of `load`), the first of which `auto` takes: `name` (`cpu`, `cuda:0`, …)
 * and `description`.
 * @throws ERR_ADDON_LOAD
 */
export function devices(): readonly DeviceInfo[] {
  return loadAddon().runtime().devices
}

/**
 * Whether the engine was built for CUDA and finds a GPU that it can use. Source: `torch.cuda.is_available`.
 * @throws ERR_ADDON_LOAD
 */
export function isCudaAvailable(): boolean {
  return devices().some(({ name }) => name.startsWith('cuda'))
}

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
