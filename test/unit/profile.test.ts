import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { profileTable, startProfile } from '../../lib/native/profile.js'
import type { NativeProfile } from '../../lib/native/types.js'

const STEP: NativeProfile = {
  wallMs: 20,
  parts: [
    { name: 'attention', calls: 2, totalMs: 4, ownMs: 4 },
    { name: 'step', calls: 1, totalMs: 16, ownMs: 12 },
  ],
  events: Float64Array.of(0, 3, 100, 2000, 0, 3, 2200, 2000, 1, 3, 0, 16000),
  dropped: 0,
}

function fakeEngine(profile: NativeProfile) {
  let running = false
  return {
    profileStart: () => {
      const free = !running
      running = true
      return free
    },
    profileStop: () => {
      running = false
      return profile
    },
  }
}

test('parts in percent of the time in which the engine computed, the longest first', (t) => {
  const { busyMs, wallMs, parts } = startProfile(fakeEngine(STEP)).stop()
  t.deepEqual([busyMs, wallMs], [16, 20])
  t.deepEqual(
    parts.map(({ name, percent }) => [name, percent]),
    [
      ['step', 75],
      ['attention', 25],
    ],
  )
})

test('the trace file holds the events with their names and times', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'profile-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'trace.json')
  const { trace } = startProfile(fakeEngine(STEP)).stop(file)
  t.deepEqual(JSON.parse(readFileSync(file, 'utf8')), trace)
  const [first, ...events] = trace.traceEvents
  t.is(first!.ph, 'M')
  t.deepEqual(
    events.map(({ name, ph, tid, ts, dur }) => [name, ph, tid, ts, dur]),
    [
      ['attention', 'X', 3, 100, 2000],
      ['attention', 'X', 3, 2200, 2000],
      ['step', 'X', 3, 0, 16000],
    ],
  )
})

test('a second profile is refused while one runs; stop can be called again', (t) => {
  const addon = fakeEngine(STEP)
  const running = startProfile(addon)
  t.throws(() => startProfile(addon), { code: 'ERR_BUSY', message: /running already/ })
  t.is(running.stop(), running.stop())
  t.notThrows(() => startProfile(addon))
})

test('an empty profile has no percents that are not numbers', (t) => {
  const profile = startProfile(fakeEngine({ wallMs: 0, parts: [], events: new Float64Array(), dropped: 0 })).stop()
  t.is(profile.busyMs, 0)
  t.notRegex(profileTable(profile), /NaN/)
})

test('the table has a line for every part and says what is missing from the trace', (t) => {
  const table = profileTable(startProfile(fakeEngine({ ...STEP, dropped: 7 })).stop())
  t.regex(table, /16 of 20 ms \(80 %\)/)
  t.regex(table, /^attention +25\.0 +4\.0 +2$/m)
  t.regex(table, /7 events/)
})
