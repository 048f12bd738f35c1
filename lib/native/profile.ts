import { writeFileSync } from 'node:fs'
import { SentenceTorchError } from '../errors.js'
import type { NativeAddon, NativeProfile } from './types.js'

export interface ProfilePart {
  /** `attention`, `optimizer`, … */
  name: string
  calls: number
  /** Milliseconds, with the parts inside it. */
  totalMs: number
  /** Milliseconds, without the parts inside it. */
  ownMs: number
  /** `ownMs` of `busyMs`, in percent. */
  percent: number
}

/** An event of Chrome's trace-event format: times in microseconds since the profile began. */
export interface TraceEvent {
  name: string
  /** `X`: an event with a duration. `M`: names the process. */
  ph: 'X' | 'M'
  pid: number
  tid: number
  ts?: number
  dur?: number
  args?: Record<string, string>
}

export interface Profile {
  /** From start to stop. */
  wallMs: number
  /** In which the engine computed; the rest of `wallMs` it waited for work. */
  busyMs: number
  /** The longest `ownMs` first; the percents add up to at most 100. */
  parts: ProfilePart[]
  /** Events that are counted in `parts` but left out of the trace, which holds the first 2^20. */
  dropped: number
  /** As JSON, what chrome://tracing and ui.perfetto.dev open. */
  trace: { traceEvents: TraceEvent[]; displayTimeUnit: 'ms' }
}

export interface RunningProfile {
  /** Ends the profile, and writes its trace where a file is named. Parts that are still being computed are left out. */
  stop(traceFile?: string): Profile
}

type Profiler = Pick<NativeAddon, 'profileStart' | 'profileStop'>

/** @throws ERR_BUSY where a profile is running */
export function startProfile(addon: Profiler): RunningProfile {
  if (!addon.profileStart()) {
    throw new SentenceTorchError(
      'ERR_BUSY',
      'A profile is running already (SENTENCE_TORCH_PROFILE starts one): one at a time',
    )
  }
  let profile: Profile | undefined
  return {
    stop(traceFile) {
      profile ??= toProfile(addon.profileStop())
      if (traceFile !== undefined) writeFileSync(traceFile, JSON.stringify(profile.trace))
      return profile
    },
  }
}

/** What `SENTENCE_TORCH_PROFILE` asks for: a table on stderr and a trace file when the process ends. `1`: the file is
 *  `sentence-torch-profile-<pid>.json` in the working folder; anything else is the file's name. */
export function profileUntilExit(addon: Profiler, wanted = process.env.SENTENCE_TORCH_PROFILE): void {
  // Another thread of this process may have started one.
  if (!wanted || wanted === '0' || !addon.profileStart()) return
  process.once('exit', () => {
    const profile = toProfile(addon.profileStop())
    const file = wanted === '1' ? `sentence-torch-profile-${process.pid}.json` : wanted
    process.stderr.write(profileTable(profile))
    try {
      writeFileSync(file, JSON.stringify(profile.trace))
      process.stderr.write(`Trace: ${file} (ui.perfetto.dev opens it)\n`)
    } catch (error) {
      process.stderr.write(`SENTENCE_TORCH_PROFILE: the trace could not be written: ${(error as Error).message}\n`)
    }
  })
}

function toProfile({ wallMs, parts, events, dropped }: NativeProfile): Profile {
  const busyMs = parts.reduce((sum, { ownMs }) => sum + ownMs, 0)
  const pid = process.pid
  const traceEvents: TraceEvent[] = [{ name: 'process_name', ph: 'M', pid, tid: 0, args: { name: 'sentence-torch' } }]
  for (let i = 0; i < events.length; i += 4) {
    const [part, tid, ts, dur] = events.subarray(i, i + 4) as unknown as [number, number, number, number]
    traceEvents.push({ name: parts[part]!.name, ph: 'X', pid, tid, ts, dur })
  }
  return {
    wallMs,
    busyMs,
    parts: parts
      .map((part) => ({ ...part, percent: busyMs > 0 ? (100 * part.ownMs) / busyMs : 0 }))
      .sort((a, b) => b.ownMs - a.ownMs),
    dropped,
    trace: { traceEvents, displayTimeUnit: 'ms' },
  }
}

/** `part, percent, own milliseconds, calls`, a line each. */
export function profileTable({ parts, busyMs, wallMs, dropped }: Profile): string {
  const share = wallMs > 0 ? (100 * busyMs) / wallMs : 0
  const lines = [
    `Profile: the engine computed ${busyMs.toFixed(0)} of ${wallMs.toFixed(0)} ms (${share.toFixed(0)} %)`,
    `${'part'.padEnd(32)}${'%'.padStart(7)}${'ms'.padStart(12)}${'calls'.padStart(10)}`,
    ...parts.map(
      ({ name, percent, ownMs, calls }) =>
        name.padEnd(32) + percent.toFixed(1).padStart(7) + ownMs.toFixed(1).padStart(12) + String(calls).padStart(10),
    ),
  ]
  if (dropped > 0) lines.push(`${dropped} events are counted here but not in the trace`)
  return `${lines.join('\n')}\n`
}
