// Node warns of a leak when a stream or a signal has more than ten listeners. Trainings at the same time share one.
import { EventEmitter, getEventListeners } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { onAbort } from '../../lib/io/abort.js'
import { resolveArguments } from '../../lib/training/arguments/arguments.js'
import { Reporting } from '../../lib/training/reporting/reporting.js'
import { Gate } from '../../lib/training/run/gate.js'

/** The warnings of the process while `work` runs. */
async function warningsDuring(work: () => Promise<void>): Promise<string[]> {
  const warnings: string[] = []
  const hear = ({ name, message }: Error) => void warnings.push(`${name}: ${message}`)
  process.on('warning', hear)
  try {
    await work()
    // Warnings come a little later.
    await setImmediate()
    await setImmediate()
  } finally {
    process.off('warning', hear)
  }
  return warnings
}

class Output extends EventEmitter {
  write(): void {}
}

test.serial('many trainings have one listener on the same output, and the last one removes it', async (t) => {
  const [progress, messages] = [new Output(), new Output()]
  const warnings = await warningsDuring(async () => {
    const all = Array.from({ length: 12 }, () => new Reporting(resolveArguments(), progress, messages))
    t.is(progress.listenerCount('error'), 1)
    t.is(messages.listenerCount('error'), 1)
    const last = all.pop()!
    for (const reporting of all) await reporting.close()
    await setImmediate()
    t.is(progress.listenerCount('error'), 1)
    progress.emit('error', Object.assign(new Error('full'), { code: 'ENOSPC' }))
    await last.close()
    await setImmediate()
    t.is(progress.listenerCount('error'), 0)
  })
  t.is(warnings.length, 1, warnings.join('\n'))
  t.regex(warnings[0]!, /SentenceTorchWarning: full/)
})

test.serial('every training hears of an error of their output', async (t) => {
  const output = new Output()
  const warnings = await warningsDuring(async () => {
    const all = Array.from({ length: 3 }, () => new Reporting(resolveArguments(), output, new Output()))
    for (let i = 0; i < 2; i++) output.emit('error', new Error('gone'))
    for (const reporting of all) await reporting.close()
  })
  t.is(warnings.length, 3, warnings.join('\n'))
})

test.serial('many trainings that are paused have one listener on the same signal', async (t) => {
  const controller = new AbortController()
  const warnings = await warningsDuring(async () => {
    const gates = Array.from({ length: 12 }, () => new Gate())
    for (const gate of gates) gate.close()
    const passed = gates.map((gate) => gate.pass(controller.signal))
    t.is(getEventListeners(controller.signal, 'abort').length, 1)
    gates[0]!.open()
    await passed[0]
    t.is(getEventListeners(controller.signal, 'abort').length, 1)
    controller.abort()
    await Promise.all(passed)
    t.is(getEventListeners(controller.signal, 'abort').length, 0)
  })
  t.deepEqual(warnings, [])
})

test('a listener that is removed hears nothing, and one that is added later does', (t) => {
  const controller = new AbortController()
  const heard: string[] = []
  const removeFirst = onAbort(controller.signal, () => void heard.push('first'))
  removeFirst()
  removeFirst()
  const removeSecond = onAbort(controller.signal, () => void heard.push('second'))
  onAbort(controller.signal, () => {
    heard.push('third')
    removeSecond()
  })
  controller.abort()
  t.deepEqual(heard, ['second', 'third'])
})
